"""A snapshot as the tar of a layer: the way back from `engine.images.unpack`, the same bytes each time.

They are not the bytes the layer was made of, whose order and spelling nobody has kept; what it holds is the same, and
a layer that was unpacked from what this wrote is written as it was. Source: image-spec, layer.md, "Whiteouts".
"""

from __future__ import annotations

import os
import stat
import tarfile
from collections.abc import Iterator

from engine.images import tar_write
from engine.images.unpack import OPAQUE, OPAQUE_XATTR, WHITEOUT

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_HANDLE = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_PLAIN_ROOT = (0, 0, stat.S_IFDIR | 0o755)  # what a root is that no archive has named


def stream(directory: str) -> Iterator[bytes]:
    """The plain tar of what is in the directory, which must not change meanwhile. Raises OSError."""
    fd = os.open(directory, _DIRECTORY)
    try:
        status = os.fstat(fd)
        root = _entry(".", status)
        tar_write.add_xattrs(root, fd)
        # The time of a root without an entry is that of its unpacking, which is nobody's business.
        if (status.st_uid, status.st_gid, status.st_mode) != _PLAIN_ROOT or "SCHILY.xattr" in str(root.pax_headers):
            yield tar_write.header(root)
        yield from _within(fd, "", {})
    finally:
        os.close(fd)
    yield tar_write.END


def _within(fd: int, prefix: str, linked: dict[int, str]) -> Iterator[bytes]:
    """`linked` remembers the files that have several names: their first name in the archive, by inode."""
    if _is_opaque(fd):
        yield _empty(prefix + OPAQUE.decode())
    for name in sorted(os.listdir(fd)):
        status = os.stat(name, dir_fd=fd, follow_symlinks=False)
        kind = stat.S_IFMT(status.st_mode)
        if kind == stat.S_IFCHR and status.st_rdev == 0:
            yield _empty(f"{prefix}{WHITEOUT.decode()}{name}")
            continue
        if kind not in tar_write.TYPES:
            continue  # no layer could have brought it
        entry = _entry(prefix + name, status)
        if kind == stat.S_IFDIR:
            below = os.open(name, _DIRECTORY, dir_fd=fd)
            try:
                tar_write.add_xattrs(entry, below)
                yield tar_write.header(entry)
                yield from _within(below, f"{prefix}{name}/", linked)
            finally:
                os.close(below)
        elif status.st_ino in linked and kind == stat.S_IFREG:
            entry.type, entry.linkname = tarfile.LNKTYPE, linked[status.st_ino]
            yield tar_write.header(entry)
        elif kind == stat.S_IFREG:
            if status.st_nlink > 1:
                linked[status.st_ino] = prefix + name
            handle = os.open(name, _HANDLE, dir_fd=fd)
            try:
                yield from tar_write.file(handle, entry)
            finally:
                os.close(handle)
        else:
            if kind == stat.S_IFLNK:
                entry.linkname = os.readlink(name, dir_fd=fd)
            entry.devmajor, entry.devminor = os.major(status.st_rdev), os.minor(status.st_rdev)
            yield tar_write.header(entry)


def _entry(name: str, status: os.stat_result) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = tar_write.TYPES[stat.S_IFMT(status.st_mode)], stat.S_IMODE(status.st_mode)
    entry.uid, entry.gid = status.st_uid, status.st_gid
    seconds, rest = divmod(status.st_mtime_ns, 10**9)
    entry.mtime = seconds
    if rest and seconds >= 0:
        entry.pax_headers = {"mtime": f"{seconds}.{rest:09d}"}
    return entry


def _empty(name: str) -> bytes:
    return tar_write.header(tarfile.TarInfo(name))


def _is_opaque(fd: int) -> bool:
    try:
        return os.getxattr(fd, OPAQUE_XATTR) == b"y"
    except OSError:
        return False
