"""The database: SQLite in WAL mode, shared by every process that has the engine open."""

from __future__ import annotations

import _thread
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from engine.errors import StoreError
from engine.state.schema import SCHEMA, VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from typing import Any
else:
    import _sqlite3 as sqlite3  # the package around it imports datetime: 3 ms of every command

BUSY_SECONDS = 30.0
IntegrityError = sqlite3.IntegrityError


class Database:
    """One connection a thread; short transactions; what is true of the kernel is never believed from here.

    Raises StoreError when the file cannot be opened, read or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = _thread._local()
        self._connections: list[sqlite3.Connection] = []
        self._guard = _thread.allocate_lock()

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """The rows of one reading statement."""
        with self._mapped():
            return self._connection().execute(sql, parameters).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A writing transaction (BEGIN IMMEDIATE): committed at the end, undone if anything is raised."""
        with self._mapped():
            connection = self._connection()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def close(self) -> None:
        """Close every thread's connection. The object must not be used afterwards."""
        with self._guard:
            for connection in self._connections:
                connection.close()
            self._connections.clear()
            self._local = _thread._local()

    def _connection(self) -> sqlite3.Connection:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = _open(self.path)
            self._local.connection = connection
            with self._guard:
                self._connections.append(connection)
        return connection

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.IntegrityError:
            raise  # a name or port that is taken: the caller knows what it means
        except sqlite3.Error as error:
            is_damaged = "malformed" in str(error) or "not a database" in str(error)
            raise StoreError(
                f"cannot use the database {self.path}: {error}",
                hint="`pilothouse system check` saves what can be read"
                if is_damaged
                else "check that the disk is neither full nor read-only",
            ) from error


def _open(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        _make(path)
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    connection.text_factory = _text
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = NORMAL")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        _create(connection)
    elif version > VERSION:
        connection.close()
        raise StoreError(
            f"the database {path} was written by a newer Pilothouse (format {version}, this one reads {VERSION})",
            hint="upgrade Pilothouse, or use another --root",
        )
    return connection


def _text(content: bytes) -> str | bytes:
    """A text column. What damage has left in it stays bytes: one such row must not hide all others of its table."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content


def _make(path: Path) -> None:
    """Put a complete database in place at once: two processes that both begin one would lock each other out.

    What is kept here is for root alone, wherever the root is: environments, for one.
    """
    new = path.with_name(f"{path.name}.{os.getpid()}-{_thread.get_ident()}.new")
    os.close(os.open(new, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    try:
        connection = sqlite3.connect(new, isolation_level=None)
        try:
            _create(connection)
        finally:
            connection.close()
        with suppress(FileExistsError):  # another process was first
            os.link(new, path)
    finally:
        os.unlink(new)


def _create(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("BEGIN IMMEDIATE")
    if connection.execute("PRAGMA user_version").fetchone()[0] == 0:  # another process may have been first
        for statement in SCHEMA.split(";\n"):
            if statement.strip():
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")
