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
from engine.images import tar_write

MAX_DEPTH = 256  # directories within each other; each costs a descriptor while it is read
_HANDLE = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC

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
    yield tar_write.END


def _entry(handle: int, name: str, owner: Owner, linked: dict[tuple[int, int], str], depth: int) -> Iterator[bytes]:
    """`linked` remembers the files that have several names: their first name in the archive, by device and inode."""
    status = os.fstat(handle)
    kind = stat.S_IFMT(status.st_mode)
    if kind not in tar_write.TYPES or (kind != stat.S_IFDIR and reach.is_kernels(handle)):
        return
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = tar_write.TYPES[kind], stat.S_IMODE(status.st_mode)
    entry.uid, entry.gid = owner(status.st_uid, status.st_gid)
    entry.pax_headers = {"mtime": f"{status.st_mtime_ns // 10**9}.{status.st_mtime_ns % 10**9:09d}"}
    key = (status.st_dev, status.st_ino)
    if kind == stat.S_IFREG and key in linked:
        entry.type, entry.linkname = tarfile.LNKTYPE, linked[key]
        yield tar_write.header(entry)
    elif kind == stat.S_IFREG:
        if status.st_nlink > 1:
            linked[key] = name
        yield from tar_write.file(handle, entry)
    elif kind == stat.S_IFDIR:
        yield from _directory(handle, entry, owner, linked, depth)
    else:
        if kind == stat.S_IFLNK:
            entry.linkname = os.readlink("", dir_fd=handle)
        entry.devmajor, entry.devminor = os.major(status.st_rdev), os.minor(status.st_rdev)
        yield tar_write.header(entry)


def _directory(
    handle: int, entry: tarfile.TarInfo, owner: Owner, linked: dict[tuple[int, int], str], depth: int
) -> Iterator[bytes]:
    if depth == MAX_DEPTH:
        raise InvalidInput(f"directories are nested more than {MAX_DEPTH} deep")
    fd = os.open(f"/proc/self/fd/{handle}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        tar_write.add_xattrs(entry, fd)
        yield tar_write.header(entry)
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
