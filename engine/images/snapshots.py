"""Unpacked layers on the disk: made in a staging directory, moved into place when complete, removed when unused."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from pathlib import Path

from engine.errors import StoreError
from engine.images import parents
from engine.images.trees import remove_tree
from engine.linux.inodes import spread_directories
from engine.runtime.statefile import boot_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engine.settings import Settings
    from engine.state.database import Database

STAGING = "staging"
CONTENT = "fs"


def staging(settings: Settings) -> Path:
    """The directory of what is being made, on the file system of the snapshots so that a rename is enough."""
    return settings.snapshots / STAGING


def directory(settings: Settings, name: str) -> str:
    """What overlayfs takes as a lower directory."""
    return str(settings.snapshots / name / CONTENT)


def stage(settings: Settings) -> Path:
    """Make a fresh directory with an empty `fs` in it; to be committed or removed."""
    path = staging(settings) / os.urandom(8).hex()
    try:
        make_staging(settings)
        path.mkdir(mode=0o700)
        make_content(path)
    except OSError as error:
        raise _cannot("create", path, error) from error
    return path


def make_staging(settings: Settings) -> None:
    """The staging directory, in which every layer is placed on a part of the disk of its own.

    Without that ext4 puts them all near their parent, and for minutes after a mass deletion there (an image removed and
    pulled again) looks at every inode that was just freed before it makes a file: 30,000 files in 8 to 15 s, not 0.5.
    """
    path = staging(settings)
    if not path.is_dir():
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        spread_directories(path)


def make_content(path: Path) -> None:
    """The empty `fs`, without the group and the set-group-ID bit that a parent directory may hand down."""
    content = path / CONTENT
    content.mkdir()
    os.chown(content, os.geteuid(), os.getegid())
    content.chmod(0o755)


@contextmanager
def staged(settings: Settings) -> Iterator[Path]:
    """A staged directory, removed at the end unless `commit` has taken it away."""
    path = stage(settings)
    try:
        yield path
    finally:
        remove(path)


def find(settings: Settings, database: Database, diff_id: str, chain_id: str) -> str:
    """The name of the snapshot that a layer has on these lower layers; "" if it is not there."""
    rows = database.query(
        "SELECT name FROM snapshots WHERE diff_id = ? AND chain_id IN ('', ?) AND boot IN ('', ?)"
        " ORDER BY chain_id DESC",
        (diff_id, chain_id, boot_id()),
    )
    return next((row["name"] for row in rows if os.path.isdir(directory(settings, row["name"]))), "")


def commit(
    settings: Settings,
    database: Database,
    path: Path,
    *,
    diff_id: str,
    chain_id: str,
    size: int,
    implied: Sequence[bytes],
    lower: Sequence[str],
) -> str:
    """Turn a staged directory into a snapshot; returns its name. `durability.settle` it afterwards.

    :param implied: directories that the layer fills without naming them; `parents.fit` gives them what `lower`, the
        snapshots below from lowest to topmost, say. What has been fitted so is a snapshot of this chain alone.

    If the snapshot exists already (another pull was faster) the staged one is left to be removed.
    """
    below = [directory(settings, snapshot) for snapshot in reversed(lower)]
    if not parents.fit(str(path / CONTENT), implied, below):
        chain_id = ""
    name = os.urandom(6).hex()
    boot = boot_id()
    try:
        with database.transaction() as connection:
            known = connection.execute(
                "SELECT name, boot FROM snapshots WHERE diff_id = ? AND chain_id = ?", (diff_id, chain_id)
            ).fetchone()
            if known and known["boot"] in ("", boot) and os.path.isdir(directory(settings, known["name"])):
                return known["name"]
            if known:  # one that was lost, or damaged by a crash, is replaced under its name: containers use it
                name = known["name"]
                if (settings.snapshots / name).exists():
                    (settings.snapshots / name).rename(staging(settings) / os.urandom(8).hex())
            path.rename(settings.snapshots / name)
            connection.execute(
                "INSERT INTO snapshots (name, diff_id, chain_id, size, created, boot) VALUES (?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (name) DO UPDATE"
                " SET size = excluded.size, created = excluded.created, boot = excluded.boot",
                (name, diff_id, chain_id, size, time.time(), boot),
            )
    except OSError as error:
        raise _cannot("commit", path, error) from error
    return name


def remove(path: Path) -> None:
    """Delete a directory of ours with everything in it; one that is not there is fine."""
    try:
        fd = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        remove_tree(fd, path.name)
    except FileNotFoundError:
        return
    except OSError as error:
        raise _cannot("remove", path, error) from error
    finally:
        os.close(fd)


def _cannot(verb: str, path: Path, error: OSError) -> StoreError:
    return StoreError(
        f"cannot {verb} {path}: {error.strerror or error}", hint="check that the disk is neither full nor read-only"
    )
