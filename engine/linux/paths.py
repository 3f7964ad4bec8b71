"""Path resolution under another's control, by openat2(2): acts on descriptors, never on strings."""

from __future__ import annotations

import ctypes
import errno
import os
import stat

from engine.linux.libc import call, syscall

RESOLVE_NO_XDEV = 0x01
RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_NO_SYMLINKS = 0x04
RESOLVE_BENEATH = 0x08
RESOLVE_IN_ROOT = 0x10

PROC_MAGIC = 0x9FA0
DEVPTS_MAGIC = 0x1CD1

_OPENAT2 = 437
_RETRIES = 100  # openat2 answers EAGAIN when a rename races with a `..`


class _How(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def open_in_root(root: int, path: str, flags: int = os.O_PATH, *, mode: int = 0, resolve: int = 0) -> int:
    """Open `path` as a process whose root directory is the descriptor `root` would, always close-on-exec.

    Symlinks are followed inside the root; magic links of /proc never. `resolve` adds RESOLVE_* flags.
    Raises OSError naming `path`. Source: openat2(2).
    """
    how = _How(flags | os.O_CLOEXEC, mode, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve)
    for _ in range(_RETRIES):
        try:
            return syscall(_OPENAT2, root, os.fsencode(path), ctypes.byref(how), ctypes.sizeof(how), path=path)
        except BlockingIOError:
            continue
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise OSError(errno.ELOOP, "leads through a link that is not followed here", path) from None
            raise
    raise OSError(errno.EAGAIN, "the path keeps changing", path)


def make_directories(root: int, path: str, mode: int = 0o755) -> int:
    """Open the directory `path` inside `root`, making what is missing of it; returns an O_PATH descriptor.

    A symlink on the way is followed inside the root. Raises OSError (ENOTDIR if something else stands there).
    """
    try:
        return open_in_root(root, path, os.O_PATH | os.O_DIRECTORY)
    except FileNotFoundError:
        pass
    parent, name = split(path)
    above = make_directories(root, parent, mode)
    try:
        try:
            os.mkdir(name, mode, dir_fd=above)
        except FileExistsError:
            pass  # a symlink that leads nowhere, or another process was first: opening tells
        try:
            return open_in_root(root, f"{parent}/{name}", os.O_PATH | os.O_DIRECTORY)
        except FileNotFoundError:
            raise FileNotFoundError(errno.ENOENT, "a symbolic link that leads nowhere is in the way", path) from None
    finally:
        os.close(above)


def make_file(root: int, path: str, mode: int = 0o644) -> int:
    """Open `path` inside `root` for use as a mount point (O_PATH), making an empty file if there is nothing."""
    try:
        return open_in_root(root, path)
    except FileNotFoundError:
        pass
    parent, name = split(path)
    above = make_directories(root, parent)
    try:
        os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=above))
        return open_in_root(above, name, resolve=RESOLVE_NO_SYMLINKS)
    finally:
        os.close(above)


def split(path: str) -> tuple[str, str]:
    """The directory and the last name of an absolute path, `.`, `..` and empty parts resolved by their text.

    Only for making what does not exist: there the text is all there is.
    """
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    if not parts:
        return "/", "."
    return "/" + "/".join(parts[:-1]), parts[-1]


def filesystem_type(fd: int) -> int:
    """The magic number of the filesystem a descriptor is on. Source: statfs(2)."""
    buffer = (ctypes.c_long * 32)()  # larger than any architecture's struct statfs, which begins with the type
    call("fstatfs", fd, ctypes.byref(buffer))
    return int(buffer[0])


def is_directory(fd: int) -> bool:
    return stat.S_ISDIR(os.fstat(fd).st_mode)
