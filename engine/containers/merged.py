"""Reading the merged tree of overlay layers without mounting it: a file, or a directory's entries, by path.

Nothing outside the layers is ever reached: every component is opened by name below a directory descriptor, never
followed by the kernel, and symbolic links are resolved here, inside the tree. Whiteouts and opaque directories are
honoured. Source: kernel Documentation/filesystems/overlayfs.rst.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence
from contextlib import ExitStack

MAXIMUM_LINKS = 40  # as the kernel (path_resolution(7))


class Entry:
    """Something in the tree. `parents` are the directories that hold it, topmost first; only the first has it if it is
    not a directory. Descriptors belong to the Tree."""

    __slots__ = ("directories", "name", "parent", "status")

    def __init__(self, name: str, parent: int, status: os.stat_result, directories: list[int]) -> None:
        self.name, self.parent, self.status, self.directories = name, parent, status, directories

    @property
    def is_directory(self) -> bool:
        return stat.S_ISDIR(self.status.st_mode)


class Tree:
    """Layers seen as one tree; a context manager that owns every descriptor it opened.

    :param layers: directories, topmost first (a container's upper directory may be the first).
    """

    def __init__(self, layers: Sequence[str | os.PathLike[str]]) -> None:
        self._stack = ExitStack()
        self._layers = layers
        self.root: Entry

    def __enter__(self) -> Tree:
        roots = []
        for layer in self._layers:
            try:
                roots.append(self._open(os.fspath(layer), None))
            except FileNotFoundError:
                continue
        if not roots:
            raise FileNotFoundError(errno.ENOENT, "no layers", "/")
        self.root = Entry("/", roots[0], os.fstat(roots[0]), roots)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def lookup(self, path: str, *, follow_last: bool = True) -> Entry | None:
        """What is at an absolute path, links followed inside the tree; None if there is nothing, or a loop."""
        pending = [part for part in reversed(path.split("/")) if part not in ("", ".")]
        trail = [self.root]
        links = 0
        while pending:
            name = pending.pop()
            if name == "..":
                if len(trail) > 1:
                    trail.pop()
                continue
            found = self.child(trail[-1], name)
            if found is None:
                return None
            if stat.S_ISLNK(found.status.st_mode) and (pending or follow_last):
                links += 1
                if links > MAXIMUM_LINKS:
                    return None
                target = os.readlink(name, dir_fd=found.parent)
                if target.startswith("/"):
                    trail = [self.root]
                pending += [part for part in reversed(target.split("/")) if part not in ("", ".")]
                continue
            if pending and not found.is_directory:
                return None
            trail.append(found)
        return trail[-1]

    def child(self, directory: Entry, name: str) -> Entry | None:
        """One name in a directory of the merged tree."""
        status: os.stat_result | None = None
        parent = -1
        directories: list[int] = []
        for fd in directory.directories:
            try:
                here = os.stat(name, dir_fd=fd, follow_symlinks=False)
            except FileNotFoundError:
                continue
            if is_whiteout(here):
                break
            if not stat.S_ISDIR(here.st_mode):
                if status is None:
                    return Entry(name, fd, here, [])
                break
            if status is None:
                status, parent = here, fd
            opened = self._open(name, fd)
            directories.append(opened)
            if is_opaque(opened):
                break
        return None if status is None else Entry(name, parent, status, directories)

    def names(self, directory: Entry) -> list[str]:
        """The names in a directory of the merged tree, sorted."""
        found: set[str] = set()
        hidden: set[str] = set()
        for fd in directory.directories:
            names = set(os.listdir(fd)) - hidden
            gone = set()
            for name in names - found:
                if is_whiteout(os.stat(name, dir_fd=fd, follow_symlinks=False)):
                    gone.add(name)
            found |= names - gone - hidden
            hidden |= gone
        return sorted(found - hidden)

    def open(self, entry: Entry) -> int:
        """A descriptor of a regular file, for the caller to close. Raises: OSError, EINVAL if it is none."""
        fd = os.open(entry.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=entry.parent)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise OSError(errno.EINVAL, "not a regular file", entry.name)
        return fd

    def _open(self, name: str, parent: int | None) -> int:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | (os.O_NOFOLLOW if parent is not None else 0)
        fd = os.open(name, flags, dir_fd=parent)
        self._stack.callback(os.close, fd)
        return fd


def read_text(layers: Sequence[str | os.PathLike[str]], path: str, limit: int) -> str | None:
    """The first `limit` bytes of a file in the merged tree; None if there is no regular file of that path."""
    with Tree(layers) as tree:
        entry = tree.lookup(path)
        if entry is None or not stat.S_ISREG(entry.status.st_mode):
            return None
        with os.fdopen(tree.open(entry), "rb") as file:
            return file.read(limit).decode("utf-8", "surrogateescape")


def is_whiteout(status: os.stat_result) -> bool:
    """Marks a name of a lower layer as deleted."""
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def is_opaque(fd: int) -> bool:
    """Whether a directory of an upper layer hides all that lower ones have in theirs."""
    for name in ("trusted.overlay.opaque", "user.overlay.opaque"):
        try:
            if os.getxattr(fd, name) == b"y":
                return True
        except OSError as error:
            if error.errno not in (errno.ENODATA, errno.ENOTSUP, errno.EPERM):
                raise
    return False
