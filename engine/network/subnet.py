"""The subnet of a root's bridge: chosen once, clear of every route and address of the host."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

from engine.errors import NetworkError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3

PREFIX_LENGTH = 16
_LEAST_PREFIX = 5  # wider routes (0.0.0.0/1 of a VPN) stand for "the internet", not for a network in use


def chosen(connection: sqlite3.Connection, root: str, occupied: Iterable[tuple[bytes, int]]) -> int:
    """The network number of this root's /16, kept in the table `network`.

    The one kept from before stays unless the host has begun to use it meanwhile. Call it while the bridge does not
    exist, in a transaction and under the host's lock, so that two roots do not choose the same.

    Raises NetworkError if every candidate is in use.
    """
    taken = [(_number(address), length) for address, length in occupied if length >= _LEAST_PREFIX]
    kept = stored(connection)
    candidates = ([kept] if kept else []) + list(_candidates(root))
    for network in candidates:
        if not any(_overlap(network, other, length) for other, length in taken):
            if network != kept:
                connection.execute("INSERT OR REPLACE INTO network VALUES ('subnet', ?)", (f"{dotted(network)}/16",))
                connection.execute("DELETE FROM addresses")  # of containers whose bridge is gone
            return network
    raise NetworkError(
        "no private subnet is free for the bridge: routes cover 10.0.0.0/8, 172.16.0.0/12 and 192.168.0.0/16",
        hint="remove a route, or use --network host",
    )


def stored(connection: sqlite3.Connection) -> int:
    """The network number kept in the database, 0 if none is."""
    row = connection.execute("SELECT value FROM network WHERE key = 'subnet'").fetchone()
    return number(row[0].partition("/")[0]) if row else 0


def dotted(value: int) -> str:
    """10.1.2.3 for a number."""
    return ".".join(str(part) for part in packed(value))


def number(address: str) -> int:
    """The number of a dotted IPv4 address. Raises ValueError."""
    parts = [int(part) for part in address.split(".")]
    if len(parts) != 4:
        raise ValueError(address)
    return _number(bytes(parts))


def packed(value: int) -> bytes:
    """Network byte order."""
    return struct.pack(">I", value)


def _number(address: bytes) -> int:
    return struct.unpack(">I", address)[0]


def _candidates(root: str) -> Iterator[int]:
    """10.x.0.0 beginning at a place of the root's own, so that two roots seldom meet; then the other private ranges."""
    import hashlib  # only for the first bridge of a root

    start = hashlib.sha256(root.encode()).digest()[0]
    for step in range(256):
        second = (start + step) % 256
        if second >= 16:  # the low ones are what people give their own networks
            yield 10 << 24 | second << 16
    for second in range(31, 17, -1):
        yield 172 << 24 | second << 16
    yield 192 << 24 | 168 << 16


def _overlap(network: int, other: int, length: int) -> bool:
    mask = 0xFFFFFFFF << (32 - min(length, PREFIX_LENGTH)) & 0xFFFFFFFF
    return network & mask == other & mask
