"""A lean streaming tar reader: entries and their data out of an iterable of byte chunks, copying as little as it can.

Reads ustar, pax, GNU long names, base-256 numbers and all sparse forms (pax 0.0, 0.1, 1.0 and old GNU).
Sources: POSIX.1-2008 pax(1), "ustar Interchange Format" and "pax Extended Header"; GNU tar manual, "Tar Internals".
"""

from __future__ import annotations

import struct
from zlib import adler32

from engine.errors import BadImage

TYPE_CHECKING = False
if TYPE_CHECKING:  # spelled so that a worker process need not import typing
    from collections.abc import Iterable, Iterator

FILE, HARD_LINK, SYMLINK, CHARACTER, BLOCK, DIRECTORY, FIFO = b"0", b"1", b"2", b"3", b"4", b"5", b"6"

BLOCK_BYTES = 512
MAX_EXTENDED_HEADER = 1 << 20  # bytes; what Go's archive/tar accepts, so that no usable image is refused
MAX_SPARSE_SEGMENTS = 1 << 18
MAX_NUMBER = (1 << 63) - 1

# name, mode, uid, gid, size, mtime, checksum, type, link name, magic, (version, owner names), device numbers, prefix
_HEADER = struct.Struct("100s8s8s8s12s12s8sc100s6s66x8s8s155s12x")
_ZEROS = bytes(BLOCK_BYTES)
_DATALESS = (HARD_LINK, SYMLINK, CHARACTER, BLOCK, DIRECTORY, FIFO)
_KNOWN = frozenset(_DATALESS)
_NANO = 1_000_000_000
_XATTR = b"SCHILY.xattr."


class Entry:
    """One member of the archive. `name` and `link` are bytes as stored: nothing has been made safe yet."""

    __slots__ = (
        *("name", "kind", "mode", "uid", "gid", "size", "mtime"),
        *("link", "device", "xattrs", "sparse", "real_size"),
    )

    name: bytes
    kind: bytes  # one of the constants above
    mode: int  # permission bits, setuid, setgid and sticky included
    uid: int
    gid: int
    size: int  # bytes of data in the archive
    mtime: int  # nanoseconds since the epoch
    link: bytes
    device: tuple[int, int]  # major, minor
    xattrs: dict[bytes, bytes] | None
    sparse: list[tuple[int, int]] | None  # (offset, length) of what the data in the archive fills; None: not sparse
    real_size: int  # bytes of the file once written, holes included


class TarReader:
    """Iterate for the entries; `body()` gives the data of the latest one, and what is not asked for is skipped.

    Raises BadImage for everything that is no well-formed tar. `source` is read to its end (`drain`) only on request.
    """

    def __init__(self, source: Iterable[bytes]) -> None:
        self._source = iter(source)
        self._chunk = b""
        self._view = memoryview(b"")
        self._at = 0
        self._end = 0
        self._left = 0  # unread bytes of the current entry's data
        self._padding = 0  # and of the fill up to the next block

    def __iter__(self) -> Iterator[Entry]:
        return self

    def __next__(self) -> Entry:
        pax: dict[bytes, bytes] = {}
        pax_sparse: list[tuple[int, int]] = []
        long_name = long_link = None
        while True:
            if self._left or self._padding:
                self._skip(self._left + self._padding)
                self._left = self._padding = 0
            start = self._at
            if start + BLOCK_BYTES <= self._end:
                chunk = self._chunk
                self._at += BLOCK_BYTES
            else:
                chunk, start = self._take_block(), 0
            fields = _HEADER.unpack_from(chunk, start)
            if fields[6][:1] in (b"\0", b"") and chunk[start : start + BLOCK_BYTES] == _ZEROS:
                raise StopIteration
            _verify(chunk, start, fields[6])
            kind = fields[7]
            if kind in b"xLKgXNV":
                size = _number(fields[4])
                if kind in b"gV":  # a global header is for archivers, not for files: image builders write none
                    self._begin_data(size)
                    continue
                data = self._extended(size)
                if kind == b"L":
                    long_name = data.partition(b"\0")[0]
                elif kind == b"K":
                    long_link = data.partition(b"\0")[0]
                elif kind in b"xX":
                    pax, pax_sparse = _parse_pax(data)
                else:
                    raise BadImage("a layer uses a tar extension of the 1980s (type N)")
                continue
            entry = self._entry(fields, chunk, start)
            if long_name is not None:
                entry.name = long_name
            if long_link is not None:
                entry.link = long_link
            if pax:
                _apply_pax(entry, pax)
            # V7 archives have no type for directories: the name ends in a slash. POSIX: the same for old readers.
            if entry.kind == FILE and entry.name.endswith(b"/"):
                entry.kind = DIRECTORY
            if entry.kind in _KNOWN:
                entry.size = 0  # "nothing is stored for them", whatever the size says
            entry.real_size = entry.size
            self._begin_data(entry.size)
            if kind == b"S":
                self._old_gnu_sparse(entry, chunk, start)
            elif pax and entry.kind == FILE:
                self._pax_sparse(entry, pax, pax_sparse)
            return entry

    def body(self) -> Iterator[memoryview]:
        """The data of the latest entry, in pieces that are only valid until the next step of the iteration."""
        while self._left:
            if self._at == self._end:
                self._fill()
            take = min(self._left, self._end - self._at)
            start = self._at
            self._at += take
            self._left -= take
            yield self._view[start : start + take]

    def drain(self) -> None:
        """Read the rest of the source, so that whoever hashes it has seen all of it."""
        self._left = self._padding = 0
        self._at = self._end
        for _ in self._source:
            pass

    # reading --------------------------------------------------------------------------------------
    def _begin_data(self, size: int) -> None:
        self._left = size
        self._padding = -size % BLOCK_BYTES

    def _fill(self) -> None:
        for chunk in self._source:
            if chunk:
                self._chunk, self._view, self._at, self._end = chunk, memoryview(chunk), 0, len(chunk)
                return
        raise BadImage("a layer ends in the middle of a file")

    def _skip(self, count: int) -> None:
        while count > self._end - self._at:
            count -= self._end - self._at
            self._fill()
        self._at += count

    def _take(self, count: int) -> bytes:
        """The next bytes as a copy; for headers, which are small."""
        parts = []
        while count:
            if self._at == self._end:
                self._fill()
            part = self._chunk[self._at : self._at + count]
            self._at += len(part)
            count -= len(part)
            parts.append(part)
        return b"".join(parts)

    def _take_block(self) -> bytes:
        if self._at == self._end:
            try:
                self._fill()
            except BadImage:
                raise StopIteration from None  # no zero blocks at the end: common, and harmless
        return self._take(BLOCK_BYTES)

    def _extended(self, size: int) -> bytes:
        if size > MAX_EXTENDED_HEADER:
            raise BadImage(f"a layer has an extended header of {size} bytes; {MAX_EXTENDED_HEADER} are allowed")
        self._begin_data(size)
        data = self._take(size)
        self._left = 0
        return data

    # one header -----------------------------------------------------------------------------------
    def _entry(self, fields: tuple[bytes, ...], chunk: bytes, start: int) -> Entry:
        name, mode, uid, gid, size, mtime, _, kind, link, magic, major, minor, prefix = fields
        entry = Entry()
        entry.name = name.partition(b"\0")[0]
        if magic == b"ustar\0" and prefix[0]:
            if chunk[start + 508 : start + 512] == b"tar\0":  # Schily's star: two times behind a shorter prefix
                prefix = prefix[:131]
            entry.name = prefix.partition(b"\0")[0] + b"/" + entry.name
        entry.mode = _number(mode) & 0o7777
        entry.uid = _number(uid)
        entry.gid = _number(gid)
        entry.size = _number(size)
        entry.mtime = _number(mtime, negative=True) * _NANO
        entry.link = link.partition(b"\0")[0] if link[0] else b""
        entry.device = (_number(major), _number(minor)) if kind in b"34" else (0, 0)
        entry.xattrs = entry.sparse = None
        if kind in b"\x0007S":
            kind = FILE
        elif kind not in _KNOWN:
            raise BadImage(f"a layer holds an entry of an unknown kind ({kind!r})")
        entry.kind = kind
        if entry.uid > 0xFFFFFFFE or entry.gid > 0xFFFFFFFE:
            raise BadImage(f"a layer names an owner beyond the kernel's range ({entry.uid}:{entry.gid})")
        return entry

    def _old_gnu_sparse(self, entry: Entry, chunk: bytes, start: int) -> None:
        """GNU tar, "Old GNU Format": four segments in the header, then blocks of twenty-one each."""
        block = chunk[start : start + BLOCK_BYTES]
        segments: list[tuple[int, int]] = []
        at, count, more = 386, 4, block[482]
        entry.real_size = _number(block[483:495])
        while True:
            for position in range(at, at + 24 * count, 24):
                if not block[position]:
                    break
                middle = position + 12
                segments.append((_number(block[position:middle]), _number(block[middle : middle + 12])))
            if not more:
                break
            if len(segments) > MAX_SPARSE_SEGMENTS:
                raise BadImage("a layer holds a sparse file of too many segments")
            block = self._take(BLOCK_BYTES)  # these blocks are not counted in the size
            at, count, more = 0, 21, block[504]
        entry.sparse = _checked_segments(segments, entry)

    def _pax_sparse(self, entry: Entry, pax: dict[bytes, bytes], segments: list[tuple[int, int]]) -> None:
        """GNU tar manual, "Storing Sparse Files": versions 0.0 and 0.1 in the records, 1.0 ahead of the data."""
        major, minor = pax.get(b"GNU.sparse.major"), pax.get(b"GNU.sparse.minor")
        if major is not None or minor is not None:
            if (major, minor) != (b"1", b"0"):
                raise BadImage("a layer holds a sparse file of an unknown version")
            segments = self._sparse_map(entry)
        elif b"GNU.sparse.map" in pax:
            numbers = [_decimal(word) for word in pax[b"GNU.sparse.map"].split(b",")] if pax[b"GNU.sparse.map"] else []
            if len(numbers) % 2:
                raise BadImage("a layer holds a sparse file with half a segment")
            segments = list(zip(numbers[::2], numbers[1::2], strict=True))
        elif b"GNU.sparse.size" not in pax:
            return
        if name := pax.get(b"GNU.sparse.name"):
            entry.name = name
        size = pax.get(b"GNU.sparse.realsize") or pax.get(b"GNU.sparse.size")
        if size is None:
            raise BadImage("a layer holds a sparse file without its size")
        entry.real_size = _decimal(size)
        entry.sparse = _checked_segments(segments, entry)

    def _sparse_map(self, entry: Entry) -> list[tuple[int, int]]:
        lines: list[bytes] = []
        rest = b""
        wanted = 1
        while len(lines) < wanted:
            if self._left < BLOCK_BYTES:
                raise BadImage("a layer holds a sparse file whose map does not end")
            rest += self._take(BLOCK_BYTES)
            self._left -= BLOCK_BYTES
            entry.size -= BLOCK_BYTES
            *complete, rest = rest.split(b"\n")
            lines += complete
            if lines and wanted == 1:
                count = _decimal(lines[0])
                if count > MAX_SPARSE_SEGMENTS:
                    raise BadImage("a layer holds a sparse file of too many segments")
                wanted = 1 + 2 * count
            if len(lines) < wanted and len(rest) > 20:  # else what is left is the fill of the last block
                raise BadImage("a layer holds a sparse file with a damaged map")
        numbers = [_decimal(line) for line in lines[1:wanted]]
        return list(zip(numbers[::2], numbers[1::2], strict=True))


def _verify(chunk: bytes, start: int, stored: bytes) -> None:
    """Check a header's sum, taken with the sum's own field as spaces."""
    # adler32's low half is 1 + the sum of the bytes modulo 65521, twenty times as fast as sum(); the largest possible
    # sum wraps once, so a damaged header has to miss by exactly 65521 to go unnoticed.
    value = adler32(chunk[start + 156 : start + BLOCK_BYTES], adler32(chunk[start : start + 148])) & 0xFFFF
    try:
        expected = _number(stored)
    except BadImage:
        raise BadImage("a layer is no tar archive, or a damaged one: a header has no checksum") from None
    if (value - 1 + 8 * 0x20 - expected) % 65521 == 0:
        return
    # Some old archivers summed signed characters.
    block = chunk[start : start + 148] + b" " * 8 + chunk[start + 156 : start + BLOCK_BYTES]
    if sum(byte - 256 if byte > 127 else byte for byte in block) != expected:
        raise BadImage("a layer is no tar archive, or a damaged one: a header has a wrong checksum")


def _number(field: bytes, *, negative: bool = False) -> int:
    """Octal digits, or GNU's base-256 with the top bit as its mark. Only times may be negative."""
    try:
        value = int(field.rstrip(b"\0 "), 8)  # the usual spelling
    except ValueError:
        if field[0] & 0x80:
            value = int.from_bytes(field, "big")
            bits = 8 * len(field)
            if field[0] & 0x40:  # two's complement; the mark is the sign's copy
                value -= 1 << bits
            else:
                value -= 1 << (bits - 1)
        else:
            digits = field.lstrip(b"\0 ").partition(b"\0")[0].strip(b" ")
            try:
                value = int(digits, 8) if digits else 0
            except ValueError:
                raise BadImage(f"a layer's tar header holds a number that is none ({field!r})") from None
    if not (-MAX_NUMBER if negative else 0) <= value <= MAX_NUMBER:
        raise BadImage(f"a layer's tar header holds a number out of range ({value})")
    return value


def _parse_pax(data: bytes) -> tuple[dict[bytes, bytes], list[tuple[int, int]]]:
    """The records `length key=value\\n`; and the segments of sparse version 0.0, whose keys repeat."""
    records: dict[bytes, bytes] = {}
    segments: list[tuple[int, int]] = []
    at, end = 0, len(data)
    offset = -1
    while at < end:
        space = data.find(b" ", at, at + 20)
        digits = data[at:space] if space > 0 else b""
        if not digits.isdigit():
            if not data[at:].strip(b"\0"):
                break  # padding that some archivers count in
            raise BadImage("a layer has a damaged extended header")
        stop = at + int(digits)
        equals = data.find(b"=", space, stop)
        if stop > end or equals < 0 or data[stop - 1] != 0x0A:
            raise BadImage("a layer has a damaged extended header")
        key, value = data[space + 1 : equals], data[equals + 1 : stop - 1]
        at = stop
        if key == b"GNU.sparse.offset":
            offset = _decimal(value)
        elif key == b"GNU.sparse.numbytes":
            if offset < 0 or len(segments) >= MAX_SPARSE_SEGMENTS:
                raise BadImage("a layer holds a sparse file with a damaged map")
            segments.append((offset, _decimal(value)))
            offset = -1
        else:
            records[key] = value
    return records, segments


def _apply_pax(entry: Entry, pax: dict[bytes, bytes]) -> None:
    """Lay the records over the header. An empty value means "as the header says" (pax(1), "pax Header Block")."""
    for key, value in pax.items():
        if key.startswith(_XATTR):
            if entry.xattrs is None:
                entry.xattrs = {}
            entry.xattrs[key[len(_XATTR) :]] = value
        elif not value:
            continue
        elif key == b"path":
            entry.name = _text(value)
        elif key == b"linkpath":
            entry.link = _text(value)
        elif key == b"size":
            entry.size = _decimal(value)
        elif key == b"uid":
            entry.uid = _owner(value)
        elif key == b"gid":
            entry.gid = _owner(value)
        elif key == b"mtime":
            entry.mtime = _time(value)


def _text(value: bytes) -> bytes:
    if b"\0" in value:
        raise BadImage("a layer holds a name with a zero byte in it")
    return value


def _decimal(value: bytes) -> int:
    if value.isdigit() and len(value) <= 19 and (number := int(value)) <= MAX_NUMBER:
        return number
    raise BadImage(f"a layer's extended header holds a number that is none ({value[:40]!r})")


def _owner(value: bytes) -> int:
    number = _decimal(value)
    if number > 0xFFFFFFFE:
        raise BadImage(f"a layer names an owner beyond the kernel's range ({number})")
    return number


def _time(value: bytes) -> int:
    """Seconds with a fraction, as nanoseconds; digits beyond are cut off."""
    whole, _, fraction = value.partition(b".")
    negative = whole.startswith(b"-")
    digits = whole[1:] if negative else whole
    if not digits.isdigit() or len(digits) > 18 or (fraction and not fraction.isdigit()):
        raise BadImage(f"a layer's extended header holds a time that is none ({value[:40]!r})")
    nanoseconds = int(digits) * _NANO + int(fraction[:9].ljust(9, b"0"))
    return -nanoseconds if negative else nanoseconds


def _checked_segments(segments: list[tuple[int, int]], entry: Entry) -> list[tuple[int, int]]:
    """Segments must rise, stay within the file and take up exactly the data there is."""
    end = total = 0
    for offset, length in segments:
        if offset < end or offset + length > entry.real_size:
            raise BadImage("a layer holds a sparse file whose segments overlap or leave it")
        end = offset + length
        total += length
    if total != entry.size:
        raise BadImage("a layer holds a sparse file whose segments do not fit its data")
    return segments
