"""What containers and the host have: sizes, the facts of `info`."""

from __future__ import annotations

import errno
import os
import platform
import stat
from pathlib import Path

from engine import __version__
from engine.containers import precautions, view
from engine.containers.records import Record
from engine.images import store
from engine.linux import paths
from engine.models import HostInfo, State
from engine.runtime import cgroups
from engine.runtime.cgroup_mounts import host_mounts
from engine.settings import Settings
from engine.state.database import Database

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


def size(settings: Settings, database: Database, record: Record) -> tuple[int, int]:
    """Bytes of the files in a container's writable layer, and that plus its image's size."""
    written = tree_size(settings.container_dir(record.id) / "upper")
    return written, written + store.image_of_container(settings, database, record.image_id).size


def host(settings: Settings, database: Database) -> HostInfo:
    """The facts that `info` prints."""
    states = [container.state for container in view.every(settings, database)]
    return HostInfo(
        containers=len(states),
        running=states.count(State.RUNNING),
        paused=states.count(State.PAUSED),
        stopped=sum(state not in (State.RUNNING, State.PAUSED) for state in states),
        images=database.query("SELECT count(*) AS number FROM images")[0]["number"],
        kernel=platform.release(),
        operating_system=_operating_system(),
        architecture=platform.machine(),
        cpus=os.cpu_count() or 1,
        memory=cgroups.host_memory(),
        cgroup_version=host_mounts().version,
        root=str(settings.root),
        version=__version__,
        warnings=tuple(precautions.warnings(settings)),
    )


def tree_size(directory: Path) -> int:
    """Bytes of the files in a tree whose content is another's; 0 if there is none.

    Directories wait in a list, so that their depth costs neither stack nor descriptors; what lies deeper than a path
    can say is left out.
    """
    try:
        root = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return 0
    total = 0
    pending = ["."]
    try:
        while pending:
            path = pending.pop()
            try:
                fd = paths.open_in_root(root, path, _DIRECTORY, resolve=paths.RESOLVE_NO_SYMLINKS)
            except OSError as error:
                if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG):
                    raise
                continue  # the container is at work
            try:
                for name in os.listdir(fd):
                    try:
                        status = os.stat(name, dir_fd=fd, follow_symlinks=False)
                    except FileNotFoundError:
                        continue
                    if stat.S_ISDIR(status.st_mode):
                        pending.append(f"{path}/{name}")
                    else:
                        total += status.st_size
            finally:
                os.close(fd)
    finally:
        os.close(root)
    return total


def _operating_system() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    except OSError:
        return "Linux"
