"""What a root has on the host and on the disk that belongs to nothing it knows."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from engine.containers import lifecycle
from engine.frozen import dataclass
from engine.images import blobs, durability, snapshots
from engine.linux import mounts
from engine.runtime import cgroups, statefile
from engine.runtime.cgroup_mounts import host_mounts
from engine.runtime.status import status
from engine.state.locks import left_behind, lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.settings import Settings
    from engine.state.database import Database

ID_LENGTH = 64


@dataclass(frozen=True, slots=True)
class Trace:
    """Something without an owner. `remove` is None where only a reconciliation, or only the user, can take it away."""

    subject: str
    problem: str
    remove: Callable[[], None] | None = None
    holds_data: bool = False  # the user's: never taken away by itself


def traces(settings: Settings, database: Database) -> list[Trace]:
    """All there are right now. What another command is just making or removing may be among them."""
    known = {row[0] for row in database.query("SELECT id FROM containers")}
    live = {container_id for container_id in known if status(settings, container_id).live}
    return [
        *_mounts(settings, live),
        *_cgroups(settings, live),
        *_network(database, live),
        *_containers(settings, database, known),
        *_store(settings, database),
        *(
            Trace(f"lock {kind}/{name}", "its holder was killed, or is at work")
            for kind, names in left_behind(settings).items()
            for name in names
            if kind != "system"
        ),
    ]


def _mounts(settings: Settings, live: set[str]) -> Iterator[Trace]:
    """Only what the engine itself mounts: roots and pinned network namespaces. Others are the user's."""
    pins = {str(settings.run_dir(container_id) / "netns") for container_id in live}
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        places = [line.split(" ")[4] for line in file]
    for place in places:
        is_root = place.startswith(f"{settings.containers}/") and place.endswith("/rootfs")
        is_pin = place.startswith(f"{settings.run}/") and place.endswith("/netns")
        if (is_root or is_pin) and place not in pins:
            yield Trace(f"mount {place}", "belongs to no running container", _unmounting(place))


def _unmounting(place: str) -> Callable[[], None]:
    return lambda: mounts.unmount(place)


def _cgroups(settings: Settings, live: set[str]) -> Iterator[Trace]:
    found = {
        name
        for directory in host_mounts().directories(settings.cgroup_parent)
        for name in _names(directory)
        if len(name) == ID_LENGTH
    }
    for name in sorted(found - live):
        if not status(settings, name).live:
            path = f"{settings.cgroup_parent}/{name}"
            yield Trace(f"cgroup {path}", "belongs to no running container", _removing(path))


def _removing(path: str) -> Callable[[], None]:
    return lambda: cgroups.remove(path)


def _network(database: Database, live: set[str]) -> Iterator[Trace]:
    for table, word in (("addresses", "address"), ("port_mappings", "port mapping")):
        for row in database.query(f"SELECT DISTINCT container_id FROM {table}"):
            if row[0] not in live and not row[0].startswith("pool:"):
                yield Trace(f"{word} of container {row[0][:12]}", "it does not run")


def _containers(settings: Settings, database: Database, known: set[str]) -> Iterator[Trace]:
    for name in sorted(_names(settings.containers) - known):
        live, problem = status(settings, name).live, "no container has this ID"
        if live:
            problem = "it runs, and the database does not know it"
        subject = f"directory {settings.container_dir(name)}"
        if live or not _never_ran(settings, name):
            yield Trace(subject, problem, holds_data=True)
        else:
            yield Trace(subject, problem, _forgetting(settings, database, name))
    for name in sorted(name for name in _names(settings.run) - known if len(name) == ID_LENGTH):
        yield Trace(f"directory {settings.run_dir(name)}", "no container has this ID")


def _never_ran(settings: Settings, container_id: str) -> bool:
    """A power cut between the directories of a new container and its row leaves them so: with nothing to lose."""
    directory = settings.container_dir(container_id)
    return (
        not _names(directory / "upper") and not _names(directory / "log") and not (directory / statefile.NAME).exists()
    )


def _forgetting(settings: Settings, database: Database, container_id: str) -> Callable[[], None]:
    def forget() -> None:
        with lock(settings, "container", container_id):  # whoever is making it has its row by then
            row = database.query("SELECT 1 FROM containers WHERE id = ?", (container_id,))
            if not row and _never_ran(settings, container_id):
                lifecycle.remove_directories(settings, container_id)

    return forget


def _store(settings: Settings, database: Database) -> Iterator[Trace]:
    rows = {row[0] for row in database.query("SELECT name FROM snapshots")}
    own = {snapshots.STAGING, durability.MARKS}
    for name in sorted(_names(settings.snapshots) - own - rows):
        yield Trace(f"directory {settings.snapshots / name}", "no layer has this name")
    for name in sorted(_names(snapshots.staging(settings))):
        yield Trace(f"staged layer {name}", "no pull is at work on it")
    for name in sorted(_names(blobs.staging(settings))):
        if not name.endswith(".partial"):  # those wait for the pull to be resumed
            yield Trace(f"staged file {name}", "no pull is at work on it")
    wanted = {
        digest
        for row in database.query("SELECT id, manifest_digest FROM images")
        for digest in (row["id"], row["manifest_digest"])
    }
    for algorithm in sorted(_names(settings.images / "blobs")):
        for name in sorted(_names(settings.images / "blobs" / algorithm)):
            if f"{algorithm}:{name}" not in wanted:
                yield Trace(f"blob {algorithm}:{name[:12]}", "no image has it")


def _names(directory: str | Path) -> set[str]:
    try:
        return set(os.listdir(directory))
    except (FileNotFoundError, NotADirectoryError):
        return set()
