"""Port mappings as elements of the nftables maps `ports` and `address_ports`.

Nothing is held while they change. Who takes a mapping away takes it from the map, forgets its row, and takes it from
the map again; who mends the maps looks at them again afterwards. So whichever of the two is last sees what the other
has done.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterable

from engine.network import nftables, subnet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.linux.netlink import Netlink, Request
    from engine.state.database import Database

PORTS, ADDRESS_PORTS = "ports", "address_ports"
_PROTOCOLS = {"tcp": 6, "udp": 17}
_ANY = ("", "0.0.0.0")
_TRIES = 8  # another command may take or put the same at the same moment

Row = tuple[str, int, str, str, int]
"""Host address, host port, protocol, container address and container port."""


def put(table: str, rows: Iterable[Row]) -> list[Request]:
    """The requests that put mappings into force. Those of IPv6 host addresses are the port holder's."""
    requests = []
    for name, wanted in _sorted(rows).items():
        if wanted:
            requests.append(nftables.put_elements(table, name, list(wanted.items())))
    return requests


def take(netfilter: Netlink, table: str, rows: Iterable[Row]) -> None:
    """End those of the mappings which are in force and lead where the row says. Raises OSError."""
    wanted = _sorted(rows)
    for tries_left in reversed(range(_TRIES)):
        requests = []
        for name, elements in wanted.items():
            held = nftables.elements(netfilter, table, name) if elements else {}
            keys = [key for key, value in elements.items() if held.get(key) == value]
            if keys:
                requests.append(nftables.take_elements(table, name, keys))
        if not requests:
            return
        _commit(netfilter, requests, tries_left)


def mend(netfilter: Netlink, table: str, database: Database) -> int:
    """Make the maps hold exactly what is in force; how many elements were wrong. Raises OSError."""
    mended = 0
    for tries_left in reversed(range(_TRIES)):
        requests, wrong = stale(netfilter, table, database)
        if not requests:
            break
        if _commit(netfilter, requests, tries_left):
            mended += wrong
    return mended


def _commit(netfilter: Netlink, requests: list[Request], tries_left: int) -> bool:
    """False: somebody was faster, and nothing is done; one has to look again. Raises OSError."""
    try:
        nftables.commit(netfilter, requests)
    except OSError as error:
        if not tries_left or error.errno not in (errno.ENOENT, errno.EEXIST):
            raise
        return False
    return True


def stale(netfilter: Netlink, table: str, database: Database) -> tuple[list[Request], int]:
    """The requests that make the maps hold exactly what is in force, and how many elements were wrong. Raises OSError.

    The maps are looked at first: a mapping that another command is just publishing is in the database before it is in a
    map, and would else be taken for wrong.
    """
    requests, wrong = [], 0
    there = {name: nftables.elements(netfilter, table, name) for name in (PORTS, ADDRESS_PORTS)}
    for name, wanted in _sorted(in_force(database)).items():
        held = there[name]
        surplus = [key for key, value in held.items() if wanted.get(key) != value]
        missing = [(key, value) for key, value in wanted.items() if held.get(key) != value]
        wrong += len(surplus) + len(missing)
        if surplus:
            requests.append(nftables.take_elements(table, name, surplus))
        if missing:
            requests.append(nftables.put_elements(table, name, missing))
    return requests, wrong


def in_force(database: Database) -> list[Row]:
    """Every mapping of the root whose container has an address."""
    return [
        tuple(row)
        for row in database.query(
            "SELECT host_ip, host_port, protocol, address, container_port"
            " FROM port_mappings JOIN addresses USING (container_id)"
        )
    ]


def address_of(database: Database, container_id: str) -> str:
    """The container's address on the bridge, "" if it has none."""
    rows = database.query("SELECT address FROM addresses WHERE container_id = ?", (container_id,))
    return rows[0][0] if rows else ""


def _sorted(rows: Iterable[Row]) -> dict[str, dict[bytes, bytes]]:
    found: dict[str, dict[bytes, bytes]] = {PORTS: {}, ADDRESS_PORTS: {}}
    for host_ip, host_port, protocol, address, container_port in rows:
        if ":" in host_ip:
            continue
        # each field of a concatenation fills whole words of four bytes
        key = struct.pack(">B3xH2x", _PROTOCOLS[protocol], host_port)
        value = subnet.packed(subnet.number(address)) + struct.pack(">H2x", container_port)
        if host_ip in _ANY:
            found[PORTS][key] = value
        else:
            found[ADDRESS_PORTS][subnet.packed(subnet.number(host_ip)) + key] = value
    return found
