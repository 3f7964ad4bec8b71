"""The root directory of a container as a descriptor, to resolve paths in: as its processes see it, or as they would."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from engine.containers import own_users, spec, volumes
from engine.containers.records import Record
from engine.errors import Conflict
from engine.images import store
from engine.linux import paths, processes
from engine.runtime.status import status
from engine.settings import Settings
from engine.state.database import Database
from engine.state.locks import lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# statfs(2): sysfs, cgroup, cgroup2, debugfs, tracefs, and /proc
_KERNELS = frozenset((0x6265_6572, 0x27_E0EB, 0x6367_7270, 0x6462_6720, 0x7472_6163, paths.PROC_MAGIC))


@contextmanager
def root(settings: Settings, database: Database, record: Record) -> Iterator[tuple[int, dict[str, Any]]]:
    """The directory, and what of its config.json says who its users are on the host (`remap.outside`, `inside`).

    One that does not run is mounted for the length of the with block, and cannot be started meanwhile.
    Raises Conflict if it ends as it is reached, RuntimeFailure, InvalidInput (a bind mount's source is gone).
    """
    config = _resting_spec(settings, database, record)
    descriptor = running_root(settings, record)
    if descriptor is not None:
        try:
            yield descriptor, config
        finally:
            os.close(descriptor)
        return
    with lock(settings, "container", record.id):
        descriptor = _mounted(settings, database, record, config)
        try:
            yield descriptor, config
        finally:
            os.close(descriptor)


def running_root(settings: Settings, record: Record) -> int | None:
    """For the caller to close; None if the container does not run."""
    now = status(settings, record.id)
    if not now.running:
        return None
    try:
        found = os.open(f"/proc/{now.pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except (FileNotFoundError, ProcessLookupError):
        return None
    if not processes.is_alive(now.pid, now.start_time):  # else the root may be that of whoever has its pid now
        os.close(found)
        return None
    return found


def is_kernels(descriptor: int) -> bool:
    """On a file system that shows the kernel, such as /proc: its files have no size, and reading them may do things."""
    return paths.filesystem_type(descriptor) in _KERNELS


def _resting_spec(settings: Settings, database: Database, record: Record) -> dict[str, Any]:
    image = store.image_of_container(settings, database, record.image_id)
    first_user = own_users.first(settings, record.id) if record.options.userns == "auto" else 0
    wanted = volumes.resolve(settings, record.id, record.options.mounts, image.config)
    return spec.resting_spec(record.options, wanted, first_user)


def _mounted(settings: Settings, database: Database, record: Record, config: dict[str, Any]) -> int:
    from engine.runtime import resting
    from engine.runtime.bundle import Bundle

    if status(settings, record.id).live:
        raise Conflict(f"container {record.name} is starting or ending", hint="try again")
    directory = settings.container_dir(record.id)
    image = store.image_of_container(settings, database, record.image_id)
    monitor = {
        "lower": store.lower_directories(image),
        "upper": str(directory / "upper"),
        "work": str(directory / "work"),
    }
    bundle = Bundle(config, monitor, b"", os.fspath(directory), os.fspath(settings.run_dir(record.id)))
    return resting.mount_root(bundle)
