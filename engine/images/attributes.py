"""Owner, mode, extended attributes and times of what was just unpacked, set in the one order in which they all last."""

from __future__ import annotations

import errno
import os

from engine.errors import BadImage
from engine.images.tar import SYMLINK, Entry

_LATEST = 1 << 62  # nanoseconds, the year 2116; what lies beyond is cut off, as file systems do too, if later
# Extended attributes by which overlayfs itself is told things: a layer may not speak with its voice.
_RESERVED = (b"trusted.overlay.", b"user.overlay.")


def set_attributes(entry: Entry, fd: int, owner: tuple[int, int]) -> None:
    """All but the times. `owner` is who has it now."""
    # A change of owner takes set-user-ID bits and file capabilities away, so it comes first.
    if (entry.uid, entry.gid) != owner:
        os.fchown(fd, entry.uid, entry.gid)
    os.fchmod(fd, entry.mode)
    if entry.xattrs:
        _set_xattrs(entry.xattrs, fd)


def set_attributes_at(entry: Entry, parent: int, name: bytes, owner: tuple[int, int]) -> None:
    """All with the times, of what cannot be opened: links and nodes."""
    if (entry.uid, entry.gid) != owner:
        os.chown(name, entry.uid, entry.gid, dir_fd=parent, follow_symlinks=False)
    if entry.kind != SYMLINK:
        os.chmod(name, entry.mode, dir_fd=parent)
    if entry.xattrs:
        _set_xattrs(entry.xattrs, b"/proc/self/fd/%d/%s" % (parent, name))
    time = _storable(entry.mtime)
    os.utime(name, ns=(time, time), dir_fd=parent, follow_symlinks=False)


def set_times(entry: Entry, fd: int) -> None:
    time = _storable(entry.mtime)
    os.utime(fd, ns=(time, time))


def _storable(time: int) -> int:
    return max(-_LATEST, min(time, _LATEST))


def _set_xattrs(xattrs: dict[bytes, bytes], target: int | bytes) -> None:
    for name, value in xattrs.items():
        if name.startswith(_RESERVED):
            continue
        try:
            if isinstance(target, int):
                os.setxattr(target, name, value)
            else:
                os.setxattr(target, name, value, follow_symlinks=False)
        except OSError as error:
            # As Docker: what this file system or this kind of file cannot hold is left out.
            if error.errno == errno.EOPNOTSUPP or (error.errno == errno.EPERM and name.startswith(b"user.")):
                continue
            if error.errno in (errno.EINVAL, errno.ERANGE, errno.E2BIG, errno.ENAMETOOLONG):
                raise BadImage(f"a layer holds an extended attribute the kernel refuses ({shown(name)})") from error
            raise


def shown(name: bytes) -> str:
    """A name from a layer, safe for a terminal."""
    text = name.decode("utf-8", "backslashreplace")
    return repr(text if len(text) <= 120 else text[:117] + "...")
