"""A layer's plain tar on its way into a directory, with all of it hashed, and what is said when a hash is wrong."""

from __future__ import annotations

from engine.errors import VerificationFailed
from engine.images.tar import TarReader
from engine.images.unpack import Unpacked, unpack

TYPE_CHECKING = False
if TYPE_CHECKING:
    import hashlib
    from collections.abc import Iterator


def unpack_stream(chunks: Iterator[bytes], diff_hash: hashlib._Hash, directory: str) -> Unpacked:
    """Unpack a plain tar stream and hash all of it, its end beyond the last entry included."""

    def hashed() -> Iterator[bytes]:
        for chunk in chunks:
            diff_hash.update(chunk)
            yield chunk

    reader = TarReader(hashed())
    unpacked = unpack(reader, directory)
    reader.drain()
    return unpacked


def wrong_digest(digest: str) -> VerificationFailed:
    """A layer as it was downloaded is not the one that has this digest."""
    return VerificationFailed(
        f"a layer does not have the digest {digest}",
        hint="it was damaged on the way, or the registry has it wrong: pull again, or tell its administrator",
    )


def wrong_diff_id(found: str, wanted: str) -> VerificationFailed:
    """A layer that is as its digest says is not the one of the image's config."""
    return VerificationFailed(
        f"a layer's content has the diff ID {found}, and the image's config wants {wanted}",
        hint="the image is damaged or forged; tell its publisher",
    )
