"""A megabyte and a few inodes set aside under the root, given up on a full disk: what frees space must be able to write
that down."""

from __future__ import annotations

import os

TYPE_CHECKING = False  # as typing has it; every command comes by here
if TYPE_CHECKING:
    from engine.settings import Settings

NAME = "reserve"  # a directory: the bytes, and empty files
BYTES = 1 << 20
LOW = 256 << 10  # free bytes below which the reserve is given up
PLENTY = 4 << 20  # free bytes above which it is set aside again
FILES = 16
LOW_FILES = 16  # free inodes, as above
PLENTY_FILES = 128


def tend(settings: Settings) -> None:
    """Give the reserve up, or set it aside again, as the disk has it now. Never fails: it is a precaution."""
    path = os.path.join(settings.root, NAME)
    try:
        disk = os.statvfs(settings.root)
        free = disk.f_bavail * disk.f_frsize
        files = disk.f_favail if disk.f_files else PLENTY_FILES + 1  # none in all: btrfs makes them as it needs them
        if free < LOW or files < LOW_FILES:
            _give_up(path)
        elif free > PLENTY and files > PLENTY_FILES and not os.path.lexists(path):
            _set_aside(path)
    except OSError:
        return  # there is none to give up, or the store is read-only


def _give_up(path: str) -> None:
    for name in os.listdir(path):
        os.unlink(os.path.join(path, name))
    os.rmdir(path)


def _set_aside(path: str) -> None:
    os.mkdir(path, 0o700)
    for number in range(FILES):
        fd = os.open(os.path.join(path, str(number)), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            if number == 0:
                os.posix_fallocate(fd, 0, BYTES)
        finally:
            os.close(fd)
