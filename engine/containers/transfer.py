"""Copying between a container and the host by docker-cp(1)'s rules: what is called how where.

The bytes go through a tar stream on either side (`archive`, `engine.images.unpack`). In the container every path is
resolved inside its root, on the host the user's own path as the user's shell would.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from engine.containers import archive, reach
from engine.containers.records import Record
from engine.errors import BadImage, InvalidInput, NotFound, StoreError
from engine.images.tar import BLOCK, CHARACTER, HARD_LINK, Entry, TarReader
from engine.images.unpack import clean, unpack
from engine.linux import paths, privileges
from engine.runtime import remap
from engine.settings import Settings
from engine.state.database import Database

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SET_ID = stat.S_ISUID | stat.S_ISGID
_MAXIMUM_LINKS = 40  # as the kernel (path_resolution(7))


def copy_out(
    settings: Settings,
    database: Database,
    record: Record,
    path: str,
    destination: str | Callable[[bytes], object],
    *,
    follow: bool = False,
    keep_owners: bool = False,
) -> list[str]:
    """Copy a file or directory of the container to a path of the host, or give it to a function as a tar stream.

    What is copied to a path belongs to the caller; with `keep_owners` to whom it belongs in the container, and may be
    set-user-ID. Device nodes are never made on the host: their names are returned.
    Raises NotFound, InvalidInput, StoreError.
    """
    with reach.root(settings, database, record) as (root, config), _explained(record):
        handle = _open(root, path, follow=follow, missing=_not_found(path, record))
        try:
            is_directory = paths.is_directory(handle)
            if not isinstance(destination, str):
                name = "." if _is_content(path) else _base_name(path)
                for piece in archive.stream(handle, name, _owner_inside(config)):
                    destination(piece)
                return []
            parent, name = _place_on_host(destination, path, is_directory=is_directory)
            copy = _FromContainer(archive.stream(handle, name, _owner_inside(config)), keep_owners=keep_owners)
            copy.skips_top = name == "."
            unpack(copy, f"{parent}/.", layer=False)
            return copy.left_out
        finally:
            os.close(handle)


def copy_in(
    settings: Settings,
    database: Database,
    record: Record,
    source: str | Iterable[bytes],
    path: str,
    *,
    follow: bool = False,
) -> None:
    """Copy a file or directory of the host to a path in the container, or unpack a tar stream in a directory there.

    Owners keep their numbers. Raises NotFound, InvalidInput, StoreError.
    """
    with reach.root(settings, database, record) as (root, config), _explained(record), _acting(config):
        directory = f"/proc/self/fd/{root}/."
        if not isinstance(source, str):
            if not _is_directory(root, path):
                raise InvalidInput(f'destination "{record.name}:{path}" must be a directory')
            unpack(IntoContainer(source, config, _clean(path)), directory, layer=False)
            return
        handle = _open(None, source, follow=follow, missing=f"lstat {source}: no such file or directory")
        try:
            place = _place_in_container(root, path, source, record, is_directory=paths.is_directory(handle))
            copy = IntoContainer(archive.stream(handle, ".", lambda uid, gid: (uid, gid)), config, place)
            copy.skips_top = _is_content(source) and _is_directory(root, path)
            unpack(copy, directory, layer=False)
        finally:
            os.close(handle)


class _FromContainer(TarReader):
    """A container's files as they are made on the host."""

    def __init__(self, source: Iterable[bytes], *, keep_owners: bool) -> None:
        super().__init__(source)
        self._keep_owners = keep_owners
        self.skips_top = False  # its first entry is a directory that is there
        self.left_out: list[str] = []

    def __next__(self) -> Entry:
        entry = super().__next__()
        while (is_device := entry.kind in (CHARACTER, BLOCK)) or (self.skips_top and not clean(entry.name)):
            if is_device:  # whoever may open it on the host has the host's disk
                self.left_out.append(os.fsdecode(entry.name))
            entry = super().__next__()
        if not self._keep_owners:
            entry.uid, entry.gid = os.geteuid(), os.getegid()
            entry.mode &= ~_SET_ID  # else a program of the container's would run as the caller
            entry.xattrs = None  # nor with capabilities
        return entry


class IntoContainer(TarReader):
    """An archive's entries below a directory of the container, with what the host calls the container's users."""

    def __init__(self, source: Iterable[bytes], config: dict[str, Any], place: str) -> None:
        super().__init__(source)
        self._config, self._place = config, os.fsencode(place)
        self.skips_top = True  # its first entry is the place itself, and that is there

    def __next__(self) -> Entry:
        entry = super().__next__()
        while self.skips_top and not clean(entry.name):
            entry = super().__next__()
        entry.name = self._put(entry.name)
        if entry.kind == HARD_LINK:
            entry.link = self._put(entry.link)
        entry.uid = remap.outside(self._config, entry.uid)
        entry.gid = remap.outside(self._config, entry.gid, "gidMappings")
        return entry

    def _put(self, name: bytes) -> bytes:
        """Cleaned first: no `..` of the archive's takes anything out of the place."""
        return (self._place + b"/" + clean(name)).strip(b"/")


def _place_on_host(destination: str, path: str, *, is_directory: bool) -> tuple[str, str]:
    """The directory to unpack in, and what the copy is called there."""
    if os.path.isdir(destination):
        return (destination, ".") if _is_content(path) else (destination, _base_name(path))
    if destination.endswith("/"):
        raise NotFound(f"no such directory: {destination}")
    if is_directory and os.path.exists(destination):
        raise InvalidInput("cannot copy directory", hint=f"{destination} is a file")
    destination = os.path.realpath(destination)
    parent = os.path.dirname(destination)
    if not os.path.isdir(parent):
        raise NotFound(f'invalid output path: directory "{parent}" does not exist')
    return parent, os.path.basename(destination)


def _place_in_container(root: int, path: str, source: str, record: Record, *, is_directory: bool) -> str:
    """What the copy is called in the container, from its root."""
    if _is_directory(root, path):
        return _clean(path) if _is_content(source) else f"{_clean(path)}/{_base_name(os.path.abspath(source))}"
    if path.endswith("/"):
        raise NotFound(f"no such directory: {path} in container {record.name}")
    place = _followed(root, _clean(path))
    if is_directory and _exists(root, place):
        raise InvalidInput("cannot copy directory", hint=f"{path} in container {record.name} is a file")
    parent = os.path.dirname(place)
    if not _is_directory(root, parent):
        raise NotFound(_not_found(parent, record))
    return place


def _followed(root: int, place: str) -> str:
    """Where a symbolic link leads: its text, for every step will be resolved inside the root again."""
    for _ in range(_MAXIMUM_LINKS):
        try:
            handle = paths.open_in_root(root, place, os.O_PATH | os.O_NOFOLLOW)
        except OSError:
            return place
        try:
            if not stat.S_ISLNK(os.fstat(handle).st_mode):
                return place
            place = _clean(os.path.join(os.path.dirname(place), os.readlink("", dir_fd=handle)))
        finally:
            os.close(handle)
    raise InvalidInput(f"{place}: too many symbolic links")


def _open(root: int | None, path: str, *, follow: bool, missing: str) -> int:
    """An O_PATH descriptor; a name that ends in `/` or `/.` is a directory, also by a link."""
    flags = os.O_PATH | os.O_CLOEXEC
    if _is_content(path) or path.endswith("/"):
        flags |= os.O_DIRECTORY
    elif not follow:
        flags |= os.O_NOFOLLOW
    try:
        if root is None:  # the user's own
            return os.open(path, flags)
        return paths.open_in_root(root, path, flags)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(missing) from None


def _is_directory(root: int, path: str) -> bool:
    try:
        os.close(paths.open_in_root(root, path, os.O_PATH | os.O_DIRECTORY))
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _exists(root: int, path: str) -> bool:
    try:
        os.close(paths.open_in_root(root, path))
    except FileNotFoundError:
        return False
    return True


def _is_content(path: str) -> bool:
    """What is in the directory is meant, not the directory."""
    return path in (".", "/") or path.endswith("/.")


def _base_name(path: str) -> str:
    return os.path.basename(_clean(path)) or "."


def _clean(path: str) -> str:
    """From the root, without `.` and `..`, by its text, as Docker."""
    parent, name = paths.split(path)
    return "/" if name == "." else os.path.join(parent, name)


def _not_found(path: str, record: Record) -> str:
    return f"Could not find the file {path} in container {record.name}"


def _owner_inside(config: dict[str, Any]) -> archive.Owner:
    return lambda uid, gid: (remap.inside(config, uid), remap.inside(config, gid, "gidMappings"))


@contextmanager
def _acting(config: dict[str, Any]) -> Iterator[None]:
    """Make files as the container's root: a volume of a container with users of its own has no place for others'."""
    if not remap.is_wanted(config):
        yield
        return
    privileges.act_on_files_as(remap.outside(config, 0), remap.outside(config, 0, "gidMappings"))
    try:
        yield
    finally:
        privileges.act_on_files_as_before()


@contextmanager
def _explained(record: Record) -> Iterator[None]:
    try:
        yield
    except BadImage as error:  # the unpacker's words for what is no layer here
        raise InvalidInput(error.message.replace("a layer", "the archive"), hint=error.hint) from error
    except OSError as error:
        what = error.filename or "a file"
        raise StoreError(f"cannot copy {what} of container {record.name}: {error.strerror}") from error
