"""Inode attributes: ioctl_iflags(2)."""

from __future__ import annotations

import fcntl
import os
import struct

_FS_IOC_GETFLAGS = 0x8008_6601
_FS_IOC_SETFLAGS = 0x4008_6602
_FS_TOPDIR_FL = 0x0002_0000


def spread_directories(path: str | os.PathLike[str]) -> None:
    """Tell the file system that the directories made in this one have nothing to do with each other (`chattr +T`).

    A file system that does not know the attribute is left as it is: it is a hint for where to put inodes.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        (flags,) = struct.unpack("l", fcntl.ioctl(descriptor, _FS_IOC_GETFLAGS, struct.pack("l", 0)))
        fcntl.ioctl(descriptor, _FS_IOC_SETFLAGS, struct.pack("l", flags | _FS_TOPDIR_FL))
    except OSError:
        return
    finally:
        os.close(descriptor)
