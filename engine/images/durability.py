"""What a crash of the whole machine leaves of the snapshots: the ones that were surely on the disk are believed.

Writing a gigabyte to the disk takes seconds; a pull does not wait for it. Each snapshot notes the boot it was written
in, a process in the background waits for the disk and leaves a mark, and after a reboot a snapshot without a mark is
thrown away rather than trusted: its files may be empty.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from engine.errors import StoreError
from engine.runtime.statefile import boot_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.settings import Settings
    from engine.state.database import Database

MARKS = "settled"  # beside the snapshots
DAMAGED = "damaged"  # in the place of a boot ID: a check found it so; not used, and replaced by the next pull


def marks(settings: Settings) -> Path:
    """The directory of one empty file for each snapshot that has reached the disk."""
    return settings.snapshots / MARKS


def settle(settings: Settings, names: Sequence[str]) -> None:
    """Have a process of its own wait for these snapshots to be on the disk. Returns as soon as it is started."""
    if not names:
        return
    try:
        marks(settings).mkdir(mode=0o700, parents=True, exist_ok=True)
        told = [os.fsencode(settings.snapshots), os.fsencode(marks(settings)), *map(os.fsencode, names)]
        if "threading" in sys.modules:
            _settle_by_program(told)
        else:  # a command of one thread may fork, which saves it an interpreter's start and 25 ms
            from engine.images.settle import leave_behind

            pid = os.fork()
            if not pid:
                leave_behind(told)
            os.waitpid(pid, 0)
    except OSError as error:
        raise StoreError(f"cannot start the process that waits for the disk: {error.strerror or error}") from error


def _settle_by_program(words: Sequence[bytes]) -> None:
    import subprocess

    subprocess.run(
        [sys.executable, "-I", "-S", str(Path(__file__).with_name("settle.py"))],
        input=b"".join(word + b"\0" for word in words),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )


def mend(settings: Settings, database: Database) -> list[str]:
    """Believe what has a mark, and take away the names of images that a crash may have damaged.

    Cheap when all is well. Sentences about what was lost.
    """
    now = boot_id()
    unsettled = database.query("SELECT name, boot FROM snapshots WHERE boot != ''")
    settled = [row["name"] for row in unsettled if (marks(settings) / row["name"]).exists()]
    lost = [row["name"] for row in unsettled if row["boot"] not in (now, DAMAGED) and row["name"] not in settled]
    if settled:
        with database.transaction() as connection:
            connection.executemany("UPDATE snapshots SET boot = '' WHERE name = ?", [(name,) for name in settled])
        for name in settled:
            (marks(settings) / name).unlink(missing_ok=True)
    return _forget(database, lost) if lost else []


def is_damaged(database: Database, image_id: str) -> bool:
    """Whether a snapshot of the image may have been damaged by a crash. To be asked after `mend`."""
    return bool(
        database.query(
            "SELECT 1 FROM image_layers l JOIN snapshots s ON s.name = l.snapshot"
            " WHERE l.image_id = ? AND s.boot NOT IN ('', ?) LIMIT 1",
            (image_id, boot_id()),
        )
    )


def _forget(database: Database, lost: Sequence[str]) -> list[str]:
    """An image without containers goes; one with containers only loses its names, so that the next pull repairs it."""
    found: list[str] = []
    with database.transaction() as connection:
        places = ", ".join("?" * len(lost))
        damaged = connection.execute(
            f"SELECT DISTINCT image_id FROM image_layers WHERE snapshot IN ({places})", tuple(lost)
        ).fetchall()
        for (image_id,) in damaged:
            names = connection.execute("SELECT reference FROM image_tags WHERE image_id = ?", (image_id,)).fetchall()
            if names:
                shown = ", ".join(row["reference"] for row in names)
                found.append(f"image {shown}: the machine went down before it was on the disk; pull it again")
            for table in ("image_tags", "image_digests"):
                connection.execute(f"DELETE FROM {table} WHERE image_id = ?", (image_id,))
            connection.execute(
                "DELETE FROM images WHERE id = ? AND id NOT IN (SELECT image_id FROM containers)", (image_id,)
            )
        connection.execute(f"UPDATE snapshots SET created = 0 WHERE name IN ({places})", tuple(lost))
    return found
