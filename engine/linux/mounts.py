"""Mounts by descriptor: a mount is made detached, configured, then attached to a directory or file held open.

Nothing here resolves a target by its path, so a symlink swapped while mounting leads nowhere.
Source: fsopen(2), fsconfig(2), fsmount(2), open_tree(2), move_mount(2), mount_setattr(2). Linux 5.12.
"""

from __future__ import annotations

import ctypes
import errno
import os

from engine.linux.libc import AT_EMPTY_PATH, AT_FDCWD, by_architecture, call, syscall

MOUNT_ATTR_RDONLY = 0x01
MOUNT_ATTR_NOSUID = 0x02
MOUNT_ATTR_NODEV = 0x04
MOUNT_ATTR_NOEXEC = 0x08
MOUNT_ATTR__ATIME = 0x70
MOUNT_ATTR_IDMAP = 0x0010_0000
MOUNT_ATTR_NOATIME = 0x10
MOUNT_ATTR_STRICTATIME = 0x20
MOUNT_ATTR_NODIRATIME = 0x80

MS_REC = 0x4000
MS_PRIVATE = 1 << 18
MS_SLAVE = 1 << 19
MS_SHARED = 1 << 20
MS_UNBINDABLE = 1 << 17
MNT_DETACH = 2
_UMOUNT_NOFOLLOW = 8

_OPEN_TREE, _MOVE_MOUNT, _FSOPEN, _FSCONFIG, _FSMOUNT, _MOUNT_SETATTR = 428, 429, 430, 431, 432, 442
_FSCONFIG_SET_FLAG, _FSCONFIG_SET_STRING, _FSCONFIG_CMD_CREATE = 0, 1, 6
_OPEN_TREE_CLONE = 1
_AT_RECURSIVE = 0x8000
_CLOEXEC = 1
_BOTH_EMPTY = 0x04 | 0x40  # MOVE_MOUNT_F_EMPTY_PATH, MOVE_MOUNT_T_EMPTY_PATH


class _Attributes(ctypes.Structure):
    _fields_ = (
        ("attr_set", ctypes.c_uint64),
        ("attr_clr", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns_fd", ctypes.c_uint64),
    )


def new_filesystem(kind: str, options: list[tuple[str, str | None]], attributes: int = 0) -> int:
    """A detached mount of a new filesystem instance; `options` are set in order, None for a flag.

    Raises OSError with the kernel's own words if it gave any.
    """
    context = syscall(_FSOPEN, kind.encode(), _CLOEXEC, path=kind)
    try:
        for key, value in options:
            if value is None:
                syscall(_FSCONFIG, context, _FSCONFIG_SET_FLAG, key.encode(), 0, 0)
            else:
                syscall(_FSCONFIG, context, _FSCONFIG_SET_STRING, key.encode(), os.fsencode(value), 0)
        syscall(_FSCONFIG, context, _FSCONFIG_CMD_CREATE, 0, 0, 0)
        return syscall(_FSMOUNT, context, _CLOEXEC, attributes)
    except OSError as error:
        raise OSError(error.errno, _complaint(context) or os.strerror(error.errno or 0), kind) from error
    finally:
        os.close(context)


def can_mount(kind: str) -> bool:
    """Has the kernel this kind of filesystem, or a module of it? That is loaded, as a mount would do."""
    try:
        os.close(syscall(_FSOPEN, kind.encode(), _CLOEXEC))
    except OSError as error:
        return error.errno != errno.ENODEV  # without root nobody may ask
    return True


def _complaint(context: int) -> str:
    """What the filesystem logged about a failed configuration: lines of `e text`."""
    said: list[str] = []
    while True:
        try:
            line = os.read(context, 4096).decode(errors="replace").strip()
        except OSError as error:
            if error.errno in (errno.ENODATA, errno.EINVAL, errno.EMSGSIZE):
                return "; ".join(said)
            raise
        if line.startswith("e "):
            said.append(line[2:])


def clone_tree(fd: int, path: str = "", *, recursive: bool = False) -> int:
    """A detached copy of the mount at a descriptor (a bind mount), or at `path` below it."""
    flags = _OPEN_TREE_CLONE | os.O_CLOEXEC | (_AT_RECURSIVE if recursive else 0) | (0 if path else AT_EMPTY_PATH)
    return syscall(_OPEN_TREE, fd, os.fsencode(path), flags, path=path)


def set_attributes(mount: int, *, on: int = 0, off: int = 0, propagation: int = 0, recursive: bool = False) -> None:
    """Change the attributes and the propagation of a mount held by descriptor."""
    attributes = _Attributes(attr_set=on, attr_clr=off, propagation=propagation)
    flags = AT_EMPTY_PATH | (_AT_RECURSIVE if recursive else 0)
    syscall(_MOUNT_SETATTR, mount, b"", flags, ctypes.byref(attributes), ctypes.sizeof(attributes))


def map_users(mount: int, namespace: int, path: str) -> None:
    """Show the files of a detached mount as owned by the users that theirs are in a user namespace.

    Raises OSError (EINVAL where the file system cannot do that). Source: mount_setattr(2), "ID-mapped mounts".
    """
    attributes = _Attributes(attr_set=MOUNT_ATTR_IDMAP, userns_fd=namespace)
    syscall(_MOUNT_SETATTR, mount, b"", AT_EMPTY_PATH, ctypes.byref(attributes), ctypes.sizeof(attributes), path=path)


def attach(mount: int, target: int, path: str = "") -> None:
    """Attach a detached mount to an open directory or file. `path` is for the error only."""
    syscall(_MOVE_MOUNT, mount, b"", target, b"", _BOTH_EMPTY, path=path)


def set_propagation_of_all(propagation: int) -> None:
    """Every mount of this mount namespace becomes private, slave or shared."""
    call("mount", b"none", b"/", 0, MS_REC | propagation, 0, path="/")


def mount_by_options(kind: str, target: str, options: str) -> None:
    """mount(2), for kernels whose filesystem cannot be configured piece by piece. `target` must be a trusted path."""
    call("mount", kind.encode(), os.fsencode(target), kind.encode(), 0, os.fsencode(options), path=target)


def pivot_root_here() -> None:
    """Make the working directory, a mount point, the root, and drop the old root with everything below it.

    Source: pivot_root(2), `pivot_root(".", ".")`.
    """
    syscall(by_architecture(155, 41), b".", b".")
    call("umount2", b".", MNT_DETACH, path=".")
    os.chdir("/")


def unmount(path: str) -> None:
    """Detach the mount at a trusted path at once; it goes when nobody uses it any more. Raises OSError."""
    call("umount2", os.fsencode(path), MNT_DETACH | _UMOUNT_NOFOLLOW, path=path)


def open_directory_tree(path: str) -> int:
    """A detached copy of the mount `path` is on, with `path` as its root. `path` must be trusted."""
    return clone_tree(AT_FDCWD, path)
