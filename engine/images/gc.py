"""Garbage collection: what no image needs any more, and what commands that died have left behind.

A pull holds the lock `images/pulling` shared for its whole length; whoever gets it exclusively knows that nothing in
the staging directories is anybody's any more.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from engine.errors import Conflict
from engine.images import blobs, durability, snapshots
from engine.state.locks import lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3

    from engine.settings import Settings
    from engine.state.database import Database

RESUME_SECONDS = 24 * 3600.0  # how long the finished layers and partial blobs of a broken pull wait for the next one


def pulling(settings: Settings) -> lock:
    """Held by whoever makes snapshots or blobs that no row speaks of yet."""
    return lock(settings, "images", "pulling", shared=True)


def collecting(settings: Settings, *, wait: bool = True) -> lock:
    """Held by whoever makes garbage or removes it: if that is killed, the next command sees that there may be some."""
    return lock(settings, "images", "collecting", blocking=wait)


def collect(settings: Settings, database: Database, *, wait: bool = True, spare: float = RESUME_SECONDS) -> None:
    """Remove all garbage. Does nothing while a pull runs: the end of that pull does it. Raises StoreError.

    Without `wait` nothing is done either while another collection runs. `spare`: what broken pulls have left stays for
    so many seconds.
    """
    try:
        with collecting(settings, wait=wait):
            remove_garbage(settings, database, spare=spare)
    except Conflict:
        return


def leftovers(settings: Settings, database: Database) -> tuple[dict[str, int], bool]:
    """What waits for pulls that were broken off to be resumed, as parts with their bytes; whether a pull is at it."""
    parts = {
        f"layer {row['name']}": row["size"]
        for row in database.query(
            "SELECT name, size FROM snapshots WHERE name NOT IN (SELECT snapshot FROM image_layers)"
        )
    }
    for path in _within(blobs.staging(settings)):
        try:
            parts[f"blob {path.name}"] = path.stat().st_size
        except FileNotFoundError:
            continue  # it has just become a layer
    try:
        with lock(settings, "images", "pulling", blocking=False):
            return parts, False
    except Conflict:
        return parts, True


def remove_garbage(settings: Settings, database: Database, *, spare: float = RESUME_SECONDS) -> None:
    """`collect` for a caller that holds `collecting`."""
    try:
        with lock(settings, "images", "pulling", blocking=False):
            _forget(database, spare)
            trash = _set_aside(settings, database, spare)
    except Conflict:
        return
    durability.mend(settings, database)
    for path in trash:
        snapshots.remove(path)
    blobs.write_index(
        settings,
        [
            (row["manifest_digest"], row["reference"] or "")
            for row in database.query(
                "SELECT i.manifest_digest, t.reference FROM images i LEFT JOIN image_tags t ON t.image_id = i.id"
                " WHERE i.removed = 0 ORDER BY t.reference, i.id"
            )
        ],
    )


def release(connection: sqlite3.Connection, image_id: str) -> None:
    """Delete an image's row and mark what it leaves behind, so that the next `collect` does not keep it for a pull."""
    connection.execute(
        "UPDATE snapshots SET created = 0 WHERE name IN (SELECT snapshot FROM image_layers WHERE image_id = ?)",
        (image_id,),
    )
    connection.execute("DELETE FROM images WHERE id = ?", (image_id,))


def _forget(database: Database, spare: float) -> None:
    with database.transaction() as connection:
        orphans = connection.execute(
            "SELECT id FROM images WHERE removed = 1 AND id NOT IN (SELECT image_id FROM containers)"
        ).fetchall()
        for row in orphans:
            release(connection, row["id"])
        connection.execute(
            "DELETE FROM snapshots WHERE created < ? AND name NOT IN (SELECT snapshot FROM image_layers)",
            (time.time() - spare,),
        )


def _set_aside(settings: Settings, database: Database, spare: float) -> list[Path]:
    """Move what nobody speaks of out of sight, quickly, while the lock is held; deleting it may take its time."""
    staging = snapshots.staging(settings)
    known = {row["name"] for row in database.query("SELECT name FROM snapshots")}
    for path in _within(durability.marks(settings)):
        if path.name not in known:
            path.unlink()
    for path in _within(settings.snapshots):
        if path.name not in known | {snapshots.STAGING, durability.MARKS}:
            snapshots.make_staging(settings)
            path.rename(staging / os.urandom(8).hex())
    wanted = {
        digest
        for row in database.query("SELECT id, manifest_digest FROM images")
        for digest in (row["id"], row["manifest_digest"])
    }
    for algorithm in _within(settings.images / "blobs"):
        for path in _within(algorithm):
            if f"{algorithm.name}:{path.name}" not in wanted:
                path.unlink()
    for path in _within(blobs.staging(settings)):
        if path.suffix != ".partial" or path.stat().st_mtime < time.time() - spare:
            path.unlink()
    return _within(staging)


def _within(directory: Path) -> list[Path]:
    try:
        return list(directory.iterdir())
    except FileNotFoundError:
        return []
