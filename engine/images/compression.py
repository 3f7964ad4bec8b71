"""Compressed layers into plain ones, chunk by chunk, in bounded memory; the form is told by the first bytes."""

from __future__ import annotations

from engine.errors import BadImage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
INFLATED_BYTES = 1 << 20  # at most so much at a time, however well it was compressed
MAX_ZSTD_WINDOW = 1 << 27  # bytes; the most that `zstd` itself decompresses without being told to


def decompressed(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The plain form of gzip (any number of members), zstd (any number of frames) or a plain stream.

    As in Docker, what the media type claims is not asked. Raises BadImage when the stream is damaged or ends early.
    """
    first = b""
    for chunk in chunks:
        first += chunk
        if len(first) >= 4:
            break
    replayed = _preceded(first, chunks)
    if first.startswith(GZIP_MAGIC):
        return _gunzipped(replayed)
    if first.startswith(ZSTD_MAGIC) or (first[1:4] == b"\x2a\x4d\x18" and 0x50 <= first[0] <= 0x5F):  # skippable frame
        return _unzstded(replayed)
    return replayed


def _preceded(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from rest


def _gunzipped(chunks: Iterator[bytes]) -> Iterator[bytes]:
    # RFC 1952: "a gzip file consists of a series of members"
    from isal import isal_zlib

    inflater = isal_zlib.decompressobj(31)
    try:
        for chunk in chunks:
            while chunk:
                if inflater.eof:
                    if not chunk.strip(b"\0"):
                        break  # padding, which gzip(1) ignores too
                    inflater = isal_zlib.decompressobj(31)
                data = inflater.decompress(chunk, INFLATED_BYTES)
                if data:
                    yield data
                chunk = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
    except isal_zlib.IsalError as error:  # type: ignore[misc]  # its stub does not say that it is an exception
        raise BadImage(f"a layer is damaged: its gzip data cannot be inflated ({error})") from error
    while not inflater.eof:
        data = inflater.flush()
        if not data:
            raise BadImage("a layer ends in the middle of its gzip data")
        yield data


def _unzstded(chunks: Iterator[bytes]) -> Iterator[bytes]:
    import zstandard

    source = _Readable(chunks)
    decompressor = zstandard.ZstdDecompressor(max_window_size=MAX_ZSTD_WINDOW)
    try:
        with decompressor.stream_reader(source, read_size=INFLATED_BYTES, read_across_frames=True) as reader:  # type: ignore[arg-type]
            while data := reader.read(INFLATED_BYTES):
                yield data
    except zstandard.ZstdError as error:
        raise BadImage(f"a layer is damaged: its zstd data cannot be decompressed ({error})") from error


class _Readable:
    """An iterator of chunks as something with `read`."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""

    def read(self, size: int) -> bytes:
        if not self._rest:
            self._rest = next(self._chunks, b"")
        data, self._rest = self._rest[:size], self._rest[size:]
        return data
