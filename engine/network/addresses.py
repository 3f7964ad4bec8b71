"""Which address of the bridge's subnet belongs to which container."""

from __future__ import annotations

from engine.errors import NetworkError
from engine.network import subnet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.state.database import Database

_FIRST, _LAST = 2, (1 << (32 - subnet.PREFIX_LENGTH)) - 2  # .0.0 is the network, .0.1 the gateway, the last broadcast


def claim(database: Database, container_id: str, network: int, netns: str) -> int:
    """Give the container an address, as a number; the one it has, if it has one.

    Addresses go round, so that one just given up is not given to another while connections to it linger.

    Raises NetworkError when the subnet is full.
    """
    with database.transaction() as connection:
        row = connection.execute("SELECT address FROM addresses WHERE container_id = ?", (container_id,)).fetchone()
        if row:
            return subnet.number(row[0])
        last = connection.execute("SELECT value FROM network WHERE key = 'last_address'").fetchone()
        start = int(last[0]) if last else _FIRST - 1
        for step in range(1, _LAST - _FIRST + 2):
            offset = _FIRST + (start - _FIRST + step) % (_LAST - _FIRST + 1)
            address = subnet.dotted(network + offset)
            taken = connection.execute("SELECT 1 FROM addresses WHERE address = ?", (address,)).fetchone()
            if not taken:
                connection.execute("INSERT OR REPLACE INTO network VALUES ('last_address', ?)", (str(offset),))
                connection.execute(
                    "INSERT INTO addresses (address, container_id, netns) VALUES (?, ?, ?)",
                    (address, container_id, netns),
                )
                return network + offset
    raise NetworkError(f"no address is free in {subnet.dotted(network)}/{subnet.PREFIX_LENGTH}")


def release(database: Database, container_id: str) -> None:
    """The address may be given to another. No address: nothing done."""
    with database.transaction() as connection:
        connection.execute("DELETE FROM addresses WHERE container_id = ?", (container_id,))
