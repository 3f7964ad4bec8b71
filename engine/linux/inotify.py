"""inotify(7): a descriptor that becomes readable when a file or directory changes."""

from __future__ import annotations

import ctypes
import os
import struct

IN_MODIFY = 0x002
IN_MOVED_FROM = 0x040
IN_MOVED_TO = 0x080
IN_CREATE = 0x100
IN_DELETE = 0x200
IN_DELETE_SELF = 0x400
IN_MOVE_SELF = 0x800
IN_Q_OVERFLOW = 0x4000
IN_IGNORED = 0x8000
IN_ONLYDIR = 0x0100_0000

_HEADER = struct.Struct("iIII")  # wd, mask, cookie, length of the name that follows
_BUFFER = 64 << 10

_libc = ctypes.CDLL(None, use_errno=True)


class Inotify:
    """A set of watches. `fileno()` is readable while changes wait to be taken with `drain()`.

    Raises OSError: EMFILE when fs.inotify.max_user_instances is reached, ENOSPC for max_user_watches.
    """

    def __init__(self) -> None:
        self._fd = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), f"inotify_init1: {os.strerror(ctypes.get_errno())}")

    def fileno(self) -> int:
        return self._fd

    def add(self, path: str, mask: int) -> int:
        """Watch `path` for the changes in `mask`; returns the watch descriptor."""
        watch = _libc.inotify_add_watch(self._fd, os.fsencode(path), ctypes.c_uint32(mask))
        if watch < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), path)
        return watch

    def remove(self, watch: int) -> None:
        """Stop a watch. One the kernel has already dropped (its directory is gone) is not an error."""
        _libc.inotify_rm_watch(self._fd, watch)

    def drain(self) -> list[tuple[int, int, str]]:
        """Take what waits, without blocking: (watch descriptor, mask, name inside the directory or "")."""
        changes: list[tuple[int, int, str]] = []
        while True:
            try:
                data = os.read(self._fd, _BUFFER)
            except BlockingIOError:
                return changes
            at = 0
            while at < len(data):
                watch, mask, _, length = _HEADER.unpack_from(data, at)
                at += _HEADER.size
                changes.append((watch, mask, os.fsdecode(data[at : at + length].rstrip(b"\0"))))
                at += length
            if len(data) < _BUFFER // 2:
                return changes

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
