"""Directories that a layer fills without naming them: they take mode, owner and attributes from the layers below.

Some builders (Bazel, Jib, ko) write `opt/app/x` and nothing for `opt`. In an overlay the upper directory hides the
attributes of the lower one, so a made-up `tmp` would lose its sticky bit. containerd copies from below too.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence

_OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


def fit(directory: str, implied: Sequence[bytes], lower: Sequence[str]) -> bool:
    """Give each implied directory of a layer what the topmost of the `lower` layers that has it says.

    True if anything was changed: then the layer fits only on these layers. `lower` runs from topmost to lowest.
    """
    changed = False
    for path in implied:
        if not path:
            continue
        for below in lower:
            source = _open(below, path)
            if source is None:
                continue
            try:
                if source >= 0:
                    changed |= _copy(source, directory, path)
            finally:
                if source >= 0:
                    os.close(source)
            break
    return changed


def _open(root: str, path: bytes) -> int | None:
    """The directory in this layer; -1 if the layer has or hides something else there; None if it says nothing."""
    fd = os.open(root, _OPEN_DIRECTORY)
    for name in path.split(b"/"):
        try:
            inner = os.open(name, _OPEN_DIRECTORY, dir_fd=fd)
        except OSError as error:
            if error.errno not in _GONE:
                raise
            return None if error.errno == errno.ENOENT and not _is_opaque(fd) else -1
        finally:
            os.close(fd)
        fd = inner
    return fd


def _is_opaque(fd: int) -> bool:
    try:
        return os.getxattr(fd, b"trusted.overlay.opaque") == b"y"
    except OSError:
        return False


def _copy(source: int, directory: str, path: bytes) -> bool:
    target = _open(directory, path)
    if target is None or target < 0:
        return False
    try:
        wanted, found = os.fstat(source), os.fstat(target)
        attributes = {
            name: os.getxattr(source, name)
            for name in os.listxattr(source)
            if not name.startswith(("trusted.overlay.", "user.overlay."))
        }
        same = (wanted.st_uid, wanted.st_gid, wanted.st_mode) == (found.st_uid, found.st_gid, found.st_mode)
        if same and not attributes:
            return False
        os.fchown(target, wanted.st_uid, wanted.st_gid)
        os.fchmod(target, stat.S_IMODE(wanted.st_mode))
        for name, value in attributes.items():
            os.setxattr(target, name, value)
        return True
    finally:
        os.close(target)
