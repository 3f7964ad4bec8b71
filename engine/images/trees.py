"""Walking and deleting directory trees of which the names are somebody else's, however deep they are."""

from __future__ import annotations

import errno
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_tree(parent: int, name: bytes | str) -> None:
    """Delete a directory and what is in it, through descriptors only. Missing parts are fine."""
    for fd, left, others in _walk(parent, name):
        for other in others:
            try:
                os.unlink(other, dir_fd=fd)
            except FileNotFoundError:
                continue  # someone else sweeps the same leftovers
        if left is not None:
            try:
                os.rmdir(left, dir_fd=fd)
            except FileNotFoundError:
                continue


def _walk(parent: int, name: bytes | str) -> Iterator[tuple[int, bytes | str | None, list[str]]]:
    """Each directory when it is entered (its descriptor, None, what it holds beside directories), and when it is left
    (the descriptor of the one above, its own name, nothing).

    Holds two descriptors and no stack, or a container could make its files impossible to remove. The way up is `..`;
    if that leads elsewhere than the way down, because something was moved meanwhile: OSError, ESTALE.
    """
    fd = os.open(name, _OPEN_DIRECTORY, dir_fd=parent)
    try:
        directories, others = _listed(fd)
        levels = [(name, _identity(fd), directories)]
        yield fd, None, others
        while True:
            own_name, _, directories = levels[-1]
            if directories:
                child = directories.pop()
                try:
                    below = os.open(child, _OPEN_DIRECTORY, dir_fd=fd)
                except FileNotFoundError:
                    continue
                os.close(fd)
                fd = below
                directories, others = _listed(fd)
                levels.append((child, _identity(fd), directories))
                yield fd, None, others
                continue
            levels.pop()
            if not levels:
                yield parent, own_name, []
                return
            above = os.open("..", _OPEN_DIRECTORY, dir_fd=fd)
            os.close(fd)
            fd = above
            if _identity(fd) != levels[-1][1]:
                raise OSError(errno.ESTALE, "moved while it was walked", os.fsdecode(own_name))
            yield fd, own_name, []
    finally:
        os.close(fd)


def _listed(fd: int) -> tuple[list[bytes | str], list[str]]:
    """What is in a directory: the directories, and all else."""
    directories: list[bytes | str] = []
    others: list[str] = []
    with os.scandir(fd) as found:
        for item in found:
            if item.is_dir(follow_symlinks=False):
                directories.append(item.name)
            else:
                others.append(item.name)
    return directories, others


def _identity(fd: int) -> tuple[int, int]:
    status = os.fstat(fd)
    return status.st_dev, status.st_ino
