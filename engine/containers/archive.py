"""A file or a directory tree as a tar stream, read through descriptors: nothing in it is followed, whoever changes it.

The tree may be a container's that is at work: what goes while it is read is left out, a file that grows is cut at the
size it had, one that shrinks is filled up with zeros. Source: POSIX.1-2008 pax(1), "pax Extended Header".
"""

from __future__ import annotations

import os
import stat
import tarfile
from collections.abc import Callable, Iterator

from engine.containers import reach
from engine.errors import InvalidInput

MAX_DEPTH = 256  # directories within each other; each costs a descriptor while it is read
_CHUNK = 1 << 18  # bytes read at once
_END = bytes(2 * tarfile.BLOCKSIZE)
_HANDLE = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_TYPES = {
    stat.S_IFREG: tarfile.REGTYPE,
    stat.S_IFDIR: tarfile.DIRTYPE,
    stat.S_IFLNK: tarfile.SYMTYPE,
    stat.S_IFIFO: tarfile.FIFOTYPE,
    stat.S_IFCHR: tarfile.CHRTYPE,
    stat.S_IFBLK: tarfile.BLKTYPE,
}

Owner = Callable[[int, int], tuple[int, int]]  # what uid and gid of the disk are in the archive


def stream(handle: int, name: str, owner: Owner) -> Iterator[bytes]:
    """What is behind an O_PATH descriptor, as a tar whose first entry is called `name`.

    Sockets, and what a file system of the kernel's holds, are left out: no archive can keep them.
    Raises OSError, InvalidInput (too deep, nothing that can be kept).
    """
    is_empty = True
    for piece in _entry(handle, name, owner, {}, 0):
        is_empty = False
        yield piece
    if is_empty:
        raise InvalidInput("a socket, or a file of the kernel's, cannot be copied")
    yield _END


def _entry(handle: int, name: str, owner: Owner, linked: dict[tuple[int, int], str], depth: int) -> Iterator[bytes]:
    """`linked` remembers the files that have several names: their first name in the archive, by device and inode."""
    status = os.fstat(handle)
    kind = stat.S_IFMT(status.st_mode)
    if kind not in _TYPES or (kind != stat.S_IFDIR and reach.is_kernels(handle)):
        return
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = _TYPES[kind], stat.S_IMODE(status.st_mode)
    entry.uid, entry.gid = owner(status.st_uid, status.st_gid)
    entry.pax_headers = {"mtime": f"{status.st_mtime_ns // 10**9}.{status.st_mtime_ns % 10**9:09d}"}
    key = (status.st_dev, status.st_ino)
    if kind == stat.S_IFREG and key in linked:
        entry.type, entry.linkname = tarfile.LNKTYPE, linked[key]
        yield _header(entry)
    elif kind == stat.S_IFREG:
        if status.st_nlink > 1:
            linked[key] = name
        yield from _file(handle, entry)
    elif kind == stat.S_IFDIR:
        yield from _directory(handle, entry, owner, linked, depth)
    else:
        if kind == stat.S_IFLNK:
            entry.linkname = os.readlink("", dir_fd=handle)
        entry.devmajor, entry.devminor = os.major(status.st_rdev), os.minor(status.st_rdev)
        yield _header(entry)


def _file(handle: int, entry: tarfile.TarInfo) -> Iterator[bytes]:
    # a regular file, as the descriptor said: opening it does nothing but open it
    fd = os.open(f"/proc/self/fd/{handle}", os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        entry.size = left = os.fstat(fd).st_size
        _add_xattrs(entry, fd)
        yield _header(entry)
        while left and (piece := os.read(fd, min(left, _CHUNK))):
            left -= len(piece)
            yield piece
    finally:
        os.close(fd)
    while left:
        yield bytes(min(left, _CHUNK))
        left -= min(left, _CHUNK)
    yield bytes(-entry.size % tarfile.BLOCKSIZE)


def _directory(
    handle: int, entry: tarfile.TarInfo, owner: Owner, linked: dict[tuple[int, int], str], depth: int
) -> Iterator[bytes]:
    if depth == MAX_DEPTH:
        raise InvalidInput(f"directories are nested more than {MAX_DEPTH} deep")
    fd = os.open(f"/proc/self/fd/{handle}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _add_xattrs(entry, fd)
        yield _header(entry)
        for name in () if reach.is_kernels(fd) else sorted(os.listdir(fd)):
            try:
                child = os.open(name, _HANDLE, dir_fd=fd)
            except FileNotFoundError:
                continue  # gone since the directory was read
            try:
                yield from _entry(child, f"{entry.name}/{name}", owner, linked, depth + 1)
            finally:
                os.close(child)
    finally:
        os.close(fd)


def _header(entry: tarfile.TarInfo) -> bytes:
    return entry.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def _add_xattrs(entry: tarfile.TarInfo, fd: int) -> None:
    """File capabilities and user attributes, as they are in the layers of images."""
    kept = [
        name
        for name in os.listxattr(fd)
        if name == "security.capability" or (name.startswith("user.") and not name.startswith("user.overlay."))
    ]
    values = {f"SCHILY.xattr.{name}": os.fsdecode(os.getxattr(fd, name)) for name in kept}
    entry.pax_headers = {**entry.pax_headers, **values}
