"""Compressed layers: every form, in any chunks, in bounded memory."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator

import pytest
import zstandard

from engine.errors import BadImage
from engine.images.compression import INFLATED_BYTES, decompressed

DATA = os.urandom(40_000) * 10


def plain(data: bytes, chunk: int = 10_000) -> bytes:
    return b"".join(decompressed(data[at : at + chunk] for at in range(0, len(data), chunk)))


@pytest.mark.parametrize("chunk", [1, 777, 1 << 22])
@pytest.mark.parametrize(
    "compressed",
    [
        gzip.compress(DATA, 1),
        gzip.compress(DATA[:170_000], 9) + gzip.compress(b"") + gzip.compress(DATA[170_000:], 1),
        gzip.compress(DATA, 1) + bytes(1024),
        zstandard.compress(DATA),
        zstandard.compress(DATA[:170_000]) + zstandard.compress(DATA[170_000:]),
        b"\x50\x2a\x4d\x18\x04\0\0\0skip" + zstandard.compress(DATA),
        DATA,
    ],
    ids=["gzip", "gzip members", "gzip and zeros", "zstd", "zstd frames", "zstd after a skippable frame", "none"],
)
def test_every_form_in_any_chunks(compressed: bytes, chunk: int) -> None:
    assert plain(compressed, chunk) == DATA


def test_an_empty_stream_is_an_empty_layer() -> None:
    assert plain(b"") == b""


@pytest.mark.parametrize(
    "bomb", [gzip.compress(bytes(64 << 20), 9), zstandard.compress(bytes(64 << 20), 19)], ids=["gzip", "zstd"]
)
def test_a_bomb_goes_off_in_small_portions(bomb: bytes) -> None:
    def once() -> Iterator[bytes]:
        yield bomb

    total = 0
    for portion in decompressed(once()):
        assert len(portion) <= INFLATED_BYTES
        total += len(portion)
    assert total == 64 << 20


@pytest.mark.parametrize(
    "damaged",
    [
        gzip.compress(DATA, 1)[:-5000],
        gzip.compress(DATA, 1)[:-4],
        gzip.compress(DATA, 1) + b"rubbish",
        gzip.compress(DATA, 1)[:1000] + b"\xff" * 100 + gzip.compress(DATA, 1)[1100:],
        zstandard.compress(DATA)[:4] + b"\xff" * 100 + zstandard.compress(DATA)[104:],
        zstandard.compress(DATA) + b"rubbish",
    ],
    ids=["cut", "cut in the trailer", "trailed", "garbled", "garbled zstd", "trailed zstd"],
)
def test_damage_is_told(damaged: bytes) -> None:
    with pytest.raises(BadImage, match="layer"):
        plain(damaged)


def test_a_zstd_window_of_two_gibibytes_is_refused() -> None:
    """RFC 8878, 3.1.1.1.2: whoever decompresses must have the whole window in memory. Five bytes ask for it here."""
    frame = b"\x28\xb5\x2f\xfd" + b"\x00" + bytes([(31 - 10) << 3]) + b"\x29\x00\x00" + b"hello"
    with pytest.raises(BadImage, match="zstd"):
        list(decompressed(iter([frame])))
    small = frame.replace(bytes([(31 - 10) << 3]), bytes([(20 - 10) << 3]), 1)
    assert b"".join(decompressed(iter([small]))) == b"hello"
