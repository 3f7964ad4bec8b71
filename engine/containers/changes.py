"""What a container has changed of its image's files: docker-diff(1), read from the overlay's upper directory.

The container may be at work, and its files are another's: every directory is opened by openat2 below the layer's
descriptor, no symbolic link is followed. Source: kernel Documentation/filesystems/overlayfs.rst (whiteouts, opaque
directories).
"""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from engine.containers.merged import is_opaque, is_whiteout
from engine.containers.records import Record
from engine.errors import NotFound
from engine.images import store
from engine.linux import paths
from engine.models import Change, Image
from engine.settings import Settings
from engine.state.database import Database

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
# what the engine itself puts into a container at its start (Docker keeps these in a layer of their own)
_OURS = ("/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/dev", "/proc", "/sys")


def changes(settings: Settings, database: Database, record: Record) -> list[Change]:
    """Every difference, sorted by path, a directory before what is in it. A deleted directory stands for its content.

    A directory that exists in the image is `C` if something in it or its owner, mode or time differs.
    """
    image = store.image_of_container(settings, database, record.image_id)
    directory = settings.container_dir(record.id)
    hidden = _mount_points(os.fspath(directory / "config.json"))
    return compare(os.fspath(directory / "upper"), store.lower_directories(image), hidden)


def layer(image: Image, place: int) -> list[Change]:
    """What the layer at `place` (0 is the lowest) does to those below it. Raises NotFound for a place there is not."""
    if not 0 <= place < len(image.layers):
        raise NotFound(f"the image has {len(image.layers)} layers, so none at place {place}")
    below = dict.fromkeys(layer.snapshot for layer in reversed(image.layers[:place]))
    return compare(image.layers[place].snapshot, list(below))


def compare(upper: str, lower: Sequence[str], hidden: frozenset[str] = frozenset()) -> list[Change]:
    """The changes in `upper` against the tree of `lower` (topmost first), without empty files and directories that
    were made at the paths `hidden`."""
    with ExitStack() as opened:
        top = _opened(opened, upper)
        if top is None:
            return []
        below = [fd for layer in lower if (fd := _opened(opened, layer)) is not None]
        return sorted(_Comparison(top, below, hidden).run(), key=lambda change: os.fsencode(change.path).split(b"/"))


class _Comparison:
    """One walk over the upper directory; directories wait in `pending`, so that depth costs no stack and no fds."""

    def __init__(self, upper: int, lower: list[int], hidden: frozenset[str]) -> None:
        self.upper, self.lower, self.hidden = upper, lower, hidden
        self.found: dict[str, Change] = {}
        self.doubtful: list[str] = []  # directories of which only the time differs: our own mount points do that
        self.dirtied: set[str] = set()
        self.pending: list[tuple[str, list[int]]] = [("/", lower)]

    def run(self) -> Iterator[Change]:
        while self.pending:
            path, layers = self.pending.pop()
            self._directory(path, layers)
        for path in self.doubtful:
            if path not in self.dirtied:
                self._add(path, Change(path, "C", is_directory=True))
        for path in [*self.found]:
            while (path := path.rpartition("/")[0]) and path not in self.found:
                self.found[path] = Change(path, "C", is_directory=True)
        return iter(self.found.values())

    def _add(self, path: str, change: Change) -> None:
        self.found[path] = change

    def _directory(self, path: str, layers: list[int]) -> None:
        """Compare what is in one directory of upper with the same directory in those `layers` that show through."""
        with ExitStack() as opened:
            here = _opened(opened, path, self.upper)
            if here is None:
                return
            below: list[tuple[int, int]] = []  # the layer, and this directory in it
            for layer in layers:
                fd = _opened(opened, path, layer)
                if fd is not None:
                    below.append((layer, fd))
                    if is_opaque(fd):
                        break
            names = os.listdir(here)
            for name in names:
                try:
                    self._entry(path, name, here, below)
                except (FileNotFoundError, NotADirectoryError):
                    continue  # the container is at work
            if is_opaque(here):
                for name in {name for _, fd in below for name in os.listdir(fd)} - set(names):
                    old, _ = _look(name, below)
                    if old is not None:
                        self._add(_join(path, name), _deleted(_join(path, name), old))

    def _entry(self, parent: str, name: str, here: int, below: list[tuple[int, int]]) -> None:
        path = _join(parent, name)
        now = os.stat(name, dir_fd=here, follow_symlinks=False)
        old, layers = _look(name, below)
        if is_whiteout(now):
            if old is not None:
                self._add(path, _deleted(path, old))
            return
        directory = stat.S_ISDIR(now.st_mode)
        if path in self.hidden and old is None and not (_any_names(name, here) if directory else now.st_size):
            self.dirtied.add(parent.rstrip("/"))
            return
        if directory:
            self.pending.append((path, layers))
        if old is None:
            self._add(path, _change(path, "A", now, name, here))
        elif directory and stat.S_ISDIR(old.st_mode):
            if (now.st_mode, now.st_uid, now.st_gid) != (old.st_mode, old.st_uid, old.st_gid):
                self._add(path, _change(path, "C", now, name, here))
            elif now.st_mtime_ns != old.st_mtime_ns:
                self.doubtful.append(path)
        else:
            self._add(path, _change(path, "C", now, name, here))


def _look(name: str, below: list[tuple[int, int]]) -> tuple[os.stat_result | None, list[int]]:
    """What the image has under a name, and the layers a directory of that name is merged from."""
    found: os.stat_result | None = None
    layers: list[int] = []
    for layer, fd in below:
        try:
            status = os.stat(name, dir_fd=fd, follow_symlinks=False)
        except FileNotFoundError:
            continue
        if is_whiteout(status):
            break
        if found is None:
            found = status
        if not stat.S_ISDIR(status.st_mode):
            break
        layers.append(layer)
    return found, layers


def _change(path: str, kind: str, status: os.stat_result, name: str, parent: int) -> Change:
    target = ""
    if stat.S_ISLNK(status.st_mode):
        try:
            target = os.readlink(name, dir_fd=parent)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOENT):  # replaced meanwhile
                raise
    return Change(path, kind, _size(status), stat.S_ISDIR(status.st_mode), target)


def _deleted(path: str, status: os.stat_result) -> Change:
    return Change(path, "D", _size(status), stat.S_ISDIR(status.st_mode))


def _size(status: os.stat_result) -> int:
    return status.st_size if stat.S_ISREG(status.st_mode) else 0


def _join(parent: str, name: str) -> str:
    return f"{parent.rstrip('/')}/{name}"


def _any_names(name: str, parent: int) -> bool:
    with ExitStack() as opened:
        fd = _opened(opened, name, parent)
        return fd is not None and bool(os.listdir(fd))


def _opened(stack: ExitStack, path: str, root: int | None = None) -> int | None:
    """A directory, closed with the stack; None if there is none (any more), or it lies deeper than a path can say."""
    try:
        if root is None:
            fd = os.open(path, _DIRECTORY | os.O_CLOEXEC)
        else:
            fd = paths.open_in_root(root, path, _DIRECTORY, resolve=paths.RESOLVE_NO_SYMLINKS)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG):
            raise
        return None
    stack.callback(os.close, fd)
    return fd


def _mount_points(config: str) -> frozenset[str]:
    """Where the engine mounts something of its own: the mount points are made in upper, empty, at the start."""
    try:
        with open(config, "rb") as file:
            mounts = [mount["destination"] for mount in json.load(file).get("mounts", ())]
    except FileNotFoundError:  # it was never started
        return frozenset()
    return frozenset(path for path in mounts if path in _OURS or path.startswith(("/dev/", "/proc/", "/sys/")))
