"""Reading a file of a container by its path there."""

from __future__ import annotations

import os
import stat

from engine.containers import reach
from engine.containers.merged import Tree
from engine.containers.records import Record
from engine.errors import InvalidInput, NotFound
from engine.images import store
from engine.linux import paths
from engine.models import FileContent
from engine.settings import Settings
from engine.state.database import Database


def read_file(settings: Settings, database: Database, record: Record, path: str, limit: int) -> FileContent:
    """The first `limit` bytes of a regular file.

    In a running container the path means what it means to the container, volumes included: openat2(2) resolves it
    inside the container's root. One that does not run has only its own files and its image's.
    Raises NotFound, InvalidInput if it is a directory, a device, a pipe, or a file of /proc or /sys.
    """
    try:
        fd = _open_running(settings, record, path)
        if fd is None:
            fd = _open_resting(settings, database, record, path)
    except OSError as error:
        if isinstance(error, FileNotFoundError | NotADirectoryError):
            raise NotFound(f"{path}: no such file in container {record.name}") from None
        raise InvalidInput(f"{path} in container {record.name}: {error.strerror}") from error
    with os.fdopen(fd, "rb") as file:
        return FileContent(path, file.read(limit), os.fstat(fd).st_size)


def _open_running(settings: Settings, record: Record, path: str) -> int | None:
    """None if the container does not run."""
    root = reach.running_root(settings, record)
    if root is None:
        return None
    try:
        # O_PATH first: opening a device or a pipe of the container's would act on it
        handle = paths.open_in_root(root, path)
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise InvalidInput(f"{path} in container {record.name} is not a regular file")
            if reach.is_kernels(handle):
                raise InvalidInput(f"{path} in container {record.name} is the kernel's, not a file on a disk")
            return os.open(f"/proc/self/fd/{handle}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        finally:
            os.close(handle)
    finally:
        os.close(root)


def _open_resting(settings: Settings, database: Database, record: Record, path: str) -> int:
    image = store.image_of_container(settings, database, record.image_id)
    layers = [os.fspath(settings.container_dir(record.id) / "upper"), *store.lower_directories(image)]
    with Tree(layers) as tree:
        entry = tree.lookup(path)
        if entry is None:
            raise NotFound(f"{path}: no such file in container {record.name}")
        if not stat.S_ISREG(entry.status.st_mode):
            raise InvalidInput(f"{path} in container {record.name} is not a regular file")
        return tree.open(entry)
