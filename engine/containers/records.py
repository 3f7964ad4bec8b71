"""The rows of the table `containers`: one for every container that exists, running or not."""

from __future__ import annotations

import json

from engine.errors import AmbiguousName, Conflict, NotFound, StoreError
from engine.frozen import asdict, dataclass
from engine.models import HealthCheck, Mount, PortMapping, Resources, RestartPolicy, RunOptions, Ulimit
from engine.state.database import Database, IntegrityError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from typing import Any


@dataclass(frozen=True, slots=True)
class Record:
    """What was decided when the container was created, and why its last start failed."""

    id: str
    name: str
    image: str
    image_id: str
    command: tuple[str, ...]
    options: RunOptions
    created: float
    stop_signal: str
    stop_timeout: float
    error: str = ""
    removing: bool = False  # or not yet complete; never to be started
    removing_volumes: bool = False


def insert(database: Database, record: Record) -> None:
    """Add a container. Raises Conflict, in Docker's words, when its name is in use."""
    try:
        with database.transaction() as connection:
            connection.execute(
                "INSERT INTO containers"
                " (id, name, image, image_id, command, options, created, stop_signal, stop_timeout, removing)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    record.id,
                    record.name,
                    record.image,
                    record.image_id,
                    json.dumps(record.command),
                    dump_options(record.options),
                    record.created,
                    record.stop_signal,
                    record.stop_timeout,
                    record.removing + record.removing_volumes,
                ),
            )
    except IntegrityError as error:
        raise _refused(database, record.name, error) from error


def delete(database: Database, container_id: str) -> None:
    """Remove the row; nothing happens when there is none."""
    with database.transaction() as connection:
        connection.execute("DELETE FROM containers WHERE id = ?", (container_id,))


def every(database: Database) -> list[Record]:
    """All containers whose entry can be read, newest first."""
    return sound_and_damaged(database)[0]


def sound_and_damaged(database: Database) -> tuple[list[Record], dict[str, str]]:
    """What can be read, newest first, and by ID a sentence about each container whose entry is damaged."""
    sound: list[Record] = []
    damaged: dict[str, str] = {}
    for row in database.query("SELECT * FROM containers ORDER BY created DESC"):
        try:
            sound.append(read(row))
        except StoreError as error:
            damaged[str(row["id"])] = f"{error.message}: {error.hint}"
    return sound, damaged


def entered(database: Database, container_id: str) -> Record | None:
    """By full ID; None if there is none."""
    rows = database.query("SELECT * FROM containers WHERE id = ?", (container_id,))
    return read(rows[0]) if rows else None


def again(database: Database, record: Record) -> Record:
    """The container as it is entered now. Raises NotFound if it was removed since `record` was read."""
    now = entered(database, record.id)
    if now is None:
        raise NotFound(f"No such container: {record.name}", hint="it was removed a moment ago")
    return now


def find(database: Database, container: str) -> Record:
    """By full ID, then name, then unique ID prefix, as Docker does. Raises NotFound, AmbiguousName."""
    wanted = container.removeprefix("/")
    rows = database.query("SELECT * FROM containers WHERE id = ? OR name = ?", (wanted, wanted))
    if not rows and wanted and all(letter in "0123456789abcdef" for letter in wanted):
        rows = database.query("SELECT * FROM containers WHERE id GLOB ?", (f"{wanted}*",))
        if len(rows) > 1:
            raise AmbiguousName(
                f"multiple IDs found with provided prefix: {wanted}", hint="give more characters of the ID, or the name"
            )
    if not rows:
        raise NotFound(f"No such container: {container}", hint="`pilothouse ps -a` lists the containers there are")
    return read(next((row for row in rows if row["id"] == wanted), rows[0]))


def rename(database: Database, container_id: str, name: str) -> None:
    """Give a container another name. Raises Conflict when it is in use."""
    try:
        with database.transaction() as connection:
            connection.execute("UPDATE containers SET name = ? WHERE id = ?", (name, container_id))
    except IntegrityError as error:
        raise _refused(database, name, error) from error


def set_error(database: Database, container_id: str, error: str) -> None:
    """Remember why a start failed; empty when it worked."""
    with database.transaction() as connection:
        connection.execute("UPDATE containers SET error = ? WHERE id = ? AND error <> ?", (error, container_id, error))


def set_options(database: Database, container_id: str, options: RunOptions) -> None:
    """Let every later start be by these options; for the holder of the container's lock."""
    with database.transaction() as connection:
        connection.execute("UPDATE containers SET options = ? WHERE id = ?", (dump_options(options), container_id))


def mark_removing(database: Database, container_id: str, *, with_volumes: bool) -> None:
    """The first step of a removal: from now on it is only ever finished, by whoever comes next."""
    with database.transaction() as connection:
        connection.execute("UPDATE containers SET removing = ? WHERE id = ?", (1 + with_volumes, container_id))


def mark_complete(database: Database, container_id: str) -> None:
    """The last step of a creation that was entered with `removing`."""
    with database.transaction() as connection:
        connection.execute("UPDATE containers SET removing = 0 WHERE id = ?", (container_id,))


def dump_options(options: RunOptions) -> str:
    """RunOptions as JSON; `load_options` reads it back."""
    return json.dumps(asdict(options))


def load_options(text: str) -> RunOptions:
    """RunOptions from the JSON of `dump_options`; fields it does not name keep their defaults."""
    document: dict[str, Any] = json.loads(text)
    known = set(RunOptions.__match_args__)
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in document.items() if name in known
    }
    values["ports"] = tuple(PortMapping(**port) for port in document.get("ports", ()))
    values["mounts"] = tuple(
        Mount(**{**mount, "options": tuple(mount["options"])}) for mount in document.get("mounts", ())
    )
    values["ulimits"] = tuple(Ulimit(**ulimit) for ulimit in document.get("ulimits", ()))
    values["resources"] = Resources(**document.get("resources", {}))
    values["restart"] = RestartPolicy(**document.get("restart", {}))
    health = document.get("health", {})
    values["health"] = HealthCheck(**{**health, "test": tuple(health.get("test", ()))})
    return RunOptions(**values)


def read(row: sqlite3.Row) -> Record:
    """A row of the table. Raises StoreError if it is damaged."""
    try:
        return _record(row)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise StoreError(
            f"the entry of container {_name(row)} in the database is damaged",
            hint="`pilothouse system check` puts it aside",
        ) from error


def _name(row: sqlite3.Row) -> str:
    """Of a container whose entry is damaged: its ID, if it is the name."""
    return str(row["name"] if isinstance(row["name"], str) else row["id"][:12])


def _record(row: sqlite3.Row) -> Record:
    if any(isinstance(value, bytes) for value in tuple(row)):
        raise ValueError("a text in it is not UTF-8")
    return Record(
        id=row["id"],
        name=row["name"],
        image=row["image"],
        image_id=row["image_id"],
        command=tuple(json.loads(row["command"])),
        options=load_options(row["options"]),
        created=row["created"],
        stop_signal=row["stop_signal"],
        stop_timeout=row["stop_timeout"],
        error=row["error"],
        removing=bool(row["removing"]),
        removing_volumes=row["removing"] == 2,
    )


def _refused(database: Database, name: str, error: sqlite3.IntegrityError) -> Exception:
    rows = database.query("SELECT id FROM containers WHERE name = ?", (name,))
    if not rows:
        return NotFound("the image was removed while the container was being created", hint="pull it again")
    return Conflict(
        f'Conflict. The container name "/{name}" is already in use by container "{rows[0]["id"]}".'
        " You have to remove (or rename) that container to be able to reuse that name.",
        hint=f"`pilothouse rm {name}` removes it",
    )
