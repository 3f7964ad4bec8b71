"""Volumes by themselves: listed, looked at, made without a container, measured."""

from __future__ import annotations

import os

from engine.containers import measure, volumes
from engine.errors import NotFound
from engine.models import Volume
from engine.settings import Settings
from engine.state.database import Database
from engine.state.locks import lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sqlite3 import Row


def every(settings: Settings, database: Database) -> list[Volume]:
    """All volumes by name, each with the containers that use it."""
    users: dict[str, list[str]] = {}
    for row in database.query(
        "SELECT volume, container_id FROM container_volumes JOIN containers ON id = container_id ORDER BY created DESC"
    ):
        users.setdefault(row["volume"], []).append(row["container_id"])
    return [
        _volume(settings, row, users.get(row["name"], ()))
        for row in database.query("SELECT * FROM volumes ORDER BY name")
    ]


def one(settings: Settings, database: Database, name: str) -> Volume:
    """Raises NotFound in Docker's words: a volume has no other name than its own."""
    rows = database.query("SELECT * FROM volumes WHERE name = ?", (name,))
    if not rows:
        raise NotFound(f"get {name}: no such volume", hint="`pilothouse volume ls` lists those there are")
    users = database.query(
        "SELECT container_id FROM container_volumes JOIN containers ON id = container_id"
        " WHERE volume = ? ORDER BY created DESC",
        (name,),
    )
    return _volume(settings, rows[0], [row["container_id"] for row in users])


def create(settings: Settings, database: Database, name: str = "") -> Volume:
    """An empty volume; one that is there is left as it is. Without a name it is anonymous, and a prune takes it.

    Raises InvalidInput (name), StoreError.
    """
    chosen = volumes.validate(name or os.urandom(32).hex())
    with lock(settings, "volume", chosen):
        volumes.make(settings, database, chosen, anonymous=not name)
    return one(settings, database, chosen)


def size(settings: Settings, name: str) -> int:
    """Bytes of the files in a volume: reads the whole tree."""
    return measure.tree_size(volumes.data_directory(settings, name))


def _volume(settings: Settings, row: Row, users: list[str] | tuple[()]) -> Volume:
    path = str(volumes.data_directory(settings, row["name"]))
    return Volume(row["name"], row["created"], path, bool(row["anonymous"]), tuple(users))
