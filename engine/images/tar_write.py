"""Pieces of a tar archive that is written: headers, the bodies of files read by descriptor, what they carry beside.

Source: POSIX.1-2008 pax(1), "ustar Interchange Format" and "pax Extended Header".
"""

from __future__ import annotations

import os
import stat
import tarfile
from collections.abc import Iterator

CHUNK_BYTES = 1 << 18  # read at once
END = bytes(2 * tarfile.BLOCKSIZE)
TYPES = {
    stat.S_IFREG: tarfile.REGTYPE,
    stat.S_IFDIR: tarfile.DIRTYPE,
    stat.S_IFLNK: tarfile.SYMTYPE,
    stat.S_IFIFO: tarfile.FIFOTYPE,
    stat.S_IFCHR: tarfile.CHRTYPE,
    stat.S_IFBLK: tarfile.BLKTYPE,
}


def header(entry: tarfile.TarInfo) -> bytes:
    return entry.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def file(handle: int, entry: tarfile.TarInfo) -> Iterator[bytes]:
    """A regular file behind an O_PATH descriptor, its header first; cut or filled up to the size it has now."""
    # a regular file, as the descriptor said: opening it does nothing but open it
    fd = os.open(f"/proc/self/fd/{handle}", os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        entry.size = left = os.fstat(fd).st_size
        add_xattrs(entry, fd)
        yield header(entry)
        while left and (piece := os.read(fd, min(left, CHUNK_BYTES))):
            left -= len(piece)
            yield piece
    finally:
        os.close(fd)
    while left:
        yield bytes(min(left, CHUNK_BYTES))
        left -= min(left, CHUNK_BYTES)
    yield bytes(-entry.size % tarfile.BLOCKSIZE)


def add_xattrs(entry: tarfile.TarInfo, fd: int) -> None:
    """File capabilities and user attributes, as they are in the layers of images."""
    kept = [
        name
        for name in os.listxattr(fd)
        if name == "security.capability" or (name.startswith("user.") and not name.startswith("user.overlay."))
    ]
    values = {f"SCHILY.xattr.{name}": os.fsdecode(os.getxattr(fd, name)) for name in kept}
    entry.pax_headers = {**entry.pax_headers, **values}
