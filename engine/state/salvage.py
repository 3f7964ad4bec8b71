"""A damaged database: told what is wrong with it, and what can still be read carried over into a new one."""

from __future__ import annotations

import os
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from engine.errors import StoreError
from engine.state.database import Database
from engine.state.schema import SCHEMA

_TABLES = re.findall(r"CREATE TABLE (\w+)", SCHEMA)
_BESIDE = ("", "-wal", "-shm")
MAXIMUM = 20  # complaints of SQLite's that are of use


def complaints(path: Path) -> list[str]:
    """What SQLite finds wrong with the file; empty if it is whole, or not there."""
    if not path.exists():
        return []
    try:
        with closing(sqlite3.connect(path, timeout=5)) as connection:
            found = [row[0] for row in connection.execute(f"PRAGMA integrity_check({MAXIMUM})")]
            return [] if found == ["ok"] else [str(line) for text in found for line in str(text).splitlines()]
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise StoreError(f"cannot use the database {path}: {error}", hint="end the other commands first") from error
        return [str(error)]
    except sqlite3.DatabaseError as error:
        return [str(error)]


def dangling(path: Path) -> list[tuple[str, int, str]]:
    """Rows that refer to one that is not there: table, rowid, and the table it should be in."""
    with closing(sqlite3.connect(path, timeout=5)) as connection:
        return [(row[0], row[1], row[2]) for row in connection.execute("PRAGMA foreign_key_check")]


def salvage(path: Path) -> tuple[Path, int]:
    """Put the damaged file aside, and a new one with every row that can still be read in its place.

    Returns where the damaged one is now, and how many rows there are in the new one. No other command may be at work.
    Raises StoreError.
    """
    aside = path.with_name(f"{path.name}.damaged-{time.strftime('%Y%m%d-%H%M%S')}")
    new = path.with_name(f"{path.name}.salvaged")
    try:
        for ending in _BESIDE:
            new.with_name(new.name + ending).unlink(missing_ok=True)
        count = _carry_over(path, new)
        for ending in _BESIDE:
            if os.path.lexists(f"{path}{ending}"):
                os.rename(f"{path}{ending}", f"{aside}{ending}")
        os.rename(new, path)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(
            f"cannot salvage the database {path}: {error}", hint="check that the disk is neither full nor read-only"
        ) from error
    return aside, count


def _carry_over(path: Path, new: Path) -> int:
    made = Database(new)
    made.query("SELECT 1")  # makes the tables
    made.close()
    count = 0
    with (
        closing(sqlite3.connect(path, timeout=5)) as old,
        closing(sqlite3.connect(new, isolation_level=None)) as target,
    ):
        target.execute("BEGIN IMMEDIATE")
        for table in _TABLES:
            for names, values in _readable(old, table):
                places = ", ".join("?" * len(values))
                try:
                    target.execute(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({places})", values)
                    count += 1
                except sqlite3.Error:
                    continue  # a value of a wrong kind, or a second row with the same key: what damage leaves
        for table, rowid in [(row[0], row[1]) for row in target.execute("PRAGMA foreign_key_check")]:
            count -= target.execute(f"DELETE FROM {table} WHERE rowid = ?", (rowid,)).rowcount
        target.execute("COMMIT")
        target.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        target.execute("PRAGMA journal_mode = DELETE")  # so that the file is all there is; the next to open it asks WAL
        target.execute("PRAGMA journal_mode = WAL")
    return count


def _readable(connection: sqlite3.Connection, table: str) -> Iterator[tuple[list[str], tuple[Any, ...]]]:
    """The rows from both ends up to where the table cannot be read."""
    seen: set[int] = set()
    for direction in ("ASC", "DESC"):
        try:
            cursor = connection.execute(f"SELECT rowid, * FROM {table} NOT INDEXED ORDER BY rowid {direction}")
            names = [column[0] for column in cursor.description[1:]]
            for rowid, *values in cursor:
                if rowid in seen:
                    break
                seen.add(rowid)
                yield names, tuple(values)
        except (sqlite3.DatabaseError, OverflowError):
            continue
        else:
            return
