"""Digests of documents: names of what is fetched and kept, `algorithm:hexadecimal`."""

from __future__ import annotations

SMALL = 256 << 10  # bytes up to which loading OpenSSL, 3 ms, takes longer than it saves


def digest(content: bytes, algorithm: str = "sha256") -> str:
    """Raises: ValueError for an algorithm this Python does not know."""
    if algorithm == "sha256" and len(content) <= SMALL:
        try:
            from _sha256 import sha256  # what hashlib has without OpenSSL
        except ImportError:
            pass
        else:
            return f"sha256:{sha256(content).hexdigest()}"
    import hashlib

    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


def has_digest(content: bytes, expected: str) -> bool:
    """Whether `expected`, of whatever algorithm it names, is the digest of the content."""
    return digest(content, expected.partition(":")[0]) == expected
