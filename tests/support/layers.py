"""Layers for tests: well-formed tars made member by member, and raw headers for those that no archiver would write."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Mapping
from typing import Self

SOME_TIME = 1_700_000_000.25


class LayerTar:
    """Builds a tar; every method adds one member and returns the builder. Names may be bytes or text."""

    def __init__(self, *, format: int = tarfile.PAX_FORMAT) -> None:
        self._buffer = io.BytesIO()
        self._archive = tarfile.open(fileobj=self._buffer, mode="w", format=format, errors="surrogateescape")  # noqa: SIM115

    def file(
        self,
        name: str | bytes,
        content: bytes = b"",
        *,
        mode: int = 0o644,
        uid: int = 0,
        gid: int = 0,
        mtime: float = SOME_TIME,
        xattrs: Mapping[str, bytes] | None = None,
    ) -> Self:
        member = self._member(name, tarfile.REGTYPE, mode, uid, gid, mtime, xattrs)
        member.size = len(content)
        self._archive.addfile(member, io.BytesIO(content))
        return self

    def directory(
        self,
        name: str | bytes,
        *,
        mode: int = 0o755,
        uid: int = 0,
        gid: int = 0,
        mtime: float = SOME_TIME,
        xattrs: Mapping[str, bytes] | None = None,
    ) -> Self:
        self._archive.addfile(self._member(name, tarfile.DIRTYPE, mode, uid, gid, mtime, xattrs))
        return self

    def symlink(self, name: str | bytes, target: str | bytes, *, uid: int = 0, gid: int = 0) -> Self:
        return self._link(name, tarfile.SYMTYPE, target, uid, gid)

    def hard_link(self, name: str | bytes, target: str | bytes) -> Self:
        return self._link(name, tarfile.LNKTYPE, target, 0, 0)

    def device(self, name: str, major: int, minor: int, *, block: bool = False, mode: int = 0o600) -> Self:
        member = self._member(name, tarfile.BLKTYPE if block else tarfile.CHRTYPE, mode, 0, 0, SOME_TIME, None)
        member.devmajor, member.devminor = major, minor
        self._archive.addfile(member)
        return self

    def fifo(self, name: str, *, mode: int = 0o600) -> Self:
        self._archive.addfile(self._member(name, tarfile.FIFOTYPE, mode, 0, 0, SOME_TIME, None))
        return self

    def whiteout(self, name: str) -> Self:
        """Hide what lower layers have under this name."""
        parent, slash, base = name.rpartition("/")
        return self.file(f"{parent}{slash}.wh.{base}")

    def opaque(self, directory: str) -> Self:
        """Hide everything that lower layers have in this directory."""
        return self.file(f"{directory}/.wh..wh..opq")

    def build(self) -> bytes:
        self._archive.close()
        return self._buffer.getvalue()

    def _link(self, name: str | bytes, kind: bytes, target: str | bytes, uid: int, gid: int) -> Self:
        member = self._member(name, kind, 0o777, uid, gid, SOME_TIME, None)
        member.linkname = os.fsdecode(target)
        self._archive.addfile(member)
        return self

    def _member(
        self,
        name: str | bytes,
        kind: bytes,
        mode: int,
        uid: int,
        gid: int,
        mtime: float,
        xattrs: Mapping[str, bytes] | None,
    ) -> tarfile.TarInfo:
        member = tarfile.TarInfo(os.fsdecode(name))
        member.type, member.mode, member.uid, member.gid, member.mtime = kind, mode, uid, gid, mtime
        for key, value in (xattrs or {}).items():
            member.pax_headers[f"SCHILY.xattr.{key}"] = os.fsdecode(value)
        return member


def header(
    name: bytes,
    kind: bytes = b"0",
    *,
    size: int | bytes = 0,
    link: bytes = b"",
    mode: bytes = b"0000644\0",
    uid: bytes = b"0000000\0",
    mtime: bytes = b"00000000000\0",
    magic: bytes = b"ustar\0" + b"00",
    device: tuple[int, int] = (0, 0),
) -> bytes:
    """One header block with a right checksum, whatever its fields say."""
    block = bytearray(512)
    block[0 : len(name)] = name
    block[100:108], block[108:116], block[116:124], block[136:148] = mode, uid, b"0000000\0", mtime
    block[124:136] = size if isinstance(size, bytes) else b"%011o\0" % size
    block[156:157] = kind
    block[157 : 157 + len(link)] = link
    block[257:265] = magic
    block[329:337], block[337:345] = (b"%07o\0" % number for number in device)
    return checksummed(block)


def checksummed(block: bytearray) -> bytes:
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


END = bytes(1024)
