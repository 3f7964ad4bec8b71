"""Published ports: chosen and bound before a container exists, put into force when it has an address."""

from __future__ import annotations

import _socket
import _thread
import errno
from collections.abc import Sequence
from contextlib import ExitStack

from engine.errors import InvalidInput, NetworkError, PermissionNeeded, PortTaken
from engine.linux import netlink, netns
from engine.linux.netlink import Netlink
from engine.models import PortMapping
from engine.network import bridge, holding, nftables, ports_map

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.models import Endpoint
    from engine.settings import Settings
    from engine.state.database import Database

_BACKLOG = 4096
_TRIES = 64  # an ephemeral port must be free for IPv4 and IPv6 alike; a firewall may be reloaded again and again
_LAST_PORT = 65535

_Bound = tuple[_socket.socket, str, int]
"""A bound socket, its protocol and the container's port."""

_reserved: dict[tuple[str, str], list[_Bound]] = {}
_guard = _thread.allocate_lock()


def reserve(
    settings: Settings, database: Database, container_id: str, wanted: Sequence[PortMapping]
) -> tuple[PortMapping, ...]:
    """Take host ports for a container, beside those it has: bound for real and written down, ephemeral ones chosen.

    This process keeps the sockets until `publish` hands them on, or `unpublish` gives them up.

    Raises PortTaken, NetworkError (an address that is not this host's), PermissionNeeded, InvalidInput; then nothing
    is taken.
    """
    taken: list[_Bound] = []
    chosen: list[PortMapping] = []
    try:
        for mapping in dict.fromkeys(wanted):
            host_port, sockets = _bind(settings, database, mapping)
            taken += sockets
            chosen.append(PortMapping(mapping.container_port, host_port, _normal(mapping.host_ip), mapping.protocol))
        _write_down(settings, database, container_id, chosen)
    except BaseException:
        _close(taken)
        raise
    with _guard:
        _reserved.setdefault(_key(settings, container_id), []).extend(taken)
    return tuple(chosen)


def publish(
    settings: Settings,
    database: Database,
    container_id: str,
    endpoint: Endpoint,
    mappings: Sequence[PortMapping],
) -> None:
    """Lead reserved ports to the container, and hand their sockets to its port holder.

    Sockets reserved by another process are bound again. Raises NetworkError, PermissionNeeded, PortTaken.
    """
    if not mappings:
        return
    if not endpoint.ip_address:  # `--network none`: Docker too takes -p for nothing there
        unpublish(settings, database, container_id, mappings)
        return
    with _guard:
        sockets = _reserved.pop(_key(settings, container_id), [])
    try:
        if not sockets:
            for mapping in mappings:
                sockets += _bind(settings, database, mapping)[1]
        rows = [_row(mapping, endpoint.ip_address) for mapping in mappings]
        with Netlink(netlink.NETFILTER) as netfilter:
            _put(settings, database, netfilter, rows)
            _forget_flows(netfilter, mappings)
        holding.start(settings, container_id, endpoint.ip_address, sockets)
    except OSError as error:
        raise _failure(f"cannot publish ports of container {container_id[:12]}", error) from error
    finally:
        _close(sockets)


def hold(
    settings: Settings, database: Database, container_id: str, address: str, mappings: Sequence[PortMapping]
) -> None:
    """Bind published ports again and start a holder for them, when theirs was killed.

    Raises PortTaken if someone has taken one meanwhile (it still leads to the container over IPv4), OSError.
    """
    sockets: list[_Bound] = []
    try:
        for mapping in mappings:
            sockets += _bind(settings, database, mapping)[1]
        holding.start(settings, container_id, address, sockets)
    finally:
        _close(sockets)


def unpublish(
    settings: Settings, database: Database, container_id: str, mappings: Sequence[PortMapping] | None = None
) -> None:
    """Give up ports of the container, by default all: reserved, published, or left by a crash. None: nothing done.

    If some stay, their holder begins anew: connections over IPv6 to those end.

    Raises NetworkError, PermissionNeeded.
    """
    with _guard:
        _close(_reserved.pop(_key(settings, container_id), []))
    held = mappings_of(database, container_id)
    going = held if mappings is None else tuple(mapping for mapping in held if mapping in mappings)
    staying = tuple(mapping for mapping in held if mapping not in going)
    try:
        with (
            ExitStack() as closing
        ):  # closing waits until the kernel has forgotten the elements: the holder ends meanwhile
            address = ports_map.address_of(database, container_id)
            netfilter = closing.enter_context(Netlink(netlink.NETFILTER)) if going and address else None
            rows = [_row(mapping, address) for mapping in going]
            if netfilter is not None:
                ports_map.take(netfilter, settings.nft_table, rows)
                _forget_flows(netfilter, going)
            holding.stop(settings, container_id)
            _forget_rows(database, container_id, going)
            if netfilter is not None:
                ports_map.take(netfilter, settings.nft_table, rows)
            if staying and address:
                hold(settings, database, container_id, address, staying)
    except OSError as error:
        raise _failure(f"cannot unpublish ports of container {container_id[:12]}", error) from error


def mappings_of(database: Database, container_id: str) -> tuple[PortMapping, ...]:
    """The ports a container has taken."""
    rows = database.query(
        "SELECT container_port, host_port, host_ip, protocol FROM port_mappings WHERE container_id = ? ORDER BY rowid",
        (container_id,),
    )
    return tuple(PortMapping(*row) for row in rows)


def is_made_of(made: PortMapping, asked: PortMapping) -> bool:
    """Can `made` be what `reserve` made of `asked`? Raises InvalidInput if that names no address."""
    return asked.host_port in (0, made.host_port) and (
        (asked.container_port, asked.protocol, _normal(asked.host_ip))
        == (made.container_port, made.protocol, _normal(made.host_ip))
    )


def port_holder(settings: Settings, database: Database, host_ip: str, port: int, protocol: str) -> str:
    """Who has a host port: "container web", "nginx (process 123)", or "" if that cannot be told."""
    from engine.network.occupant import occupant

    rows = database.query(
        "SELECT p.host_ip, COALESCE(c.name, substr(p.container_id, 1, 12)) FROM port_mappings p"
        " LEFT JOIN containers c ON c.id = p.container_id WHERE p.host_port = ? AND p.protocol = ?",
        (port, protocol),
    )
    for held_ip, name in rows:
        if _overlap(held_ip, _normal(host_ip)):
            return f"container {name}"
    return occupant(port, protocol)


def free_port(settings: Settings, database: Database, start: int, protocol: str) -> int:
    """The first port from `start` on that is free on all addresses; 0 if there is none."""
    for port in range(max(1, start), _LAST_PORT + 1):
        try:
            _close(_bind_all("", port, protocol, 0))
        except OSError:
            continue
        if not database.query("SELECT 1 FROM port_mappings WHERE host_port = ? AND protocol = ?", (port, protocol)):
            return port
    return 0


def _bind(settings: Settings, database: Database, mapping: PortMapping) -> tuple[int, list[_Bound]]:
    if mapping.protocol not in ("tcp", "udp"):
        raise InvalidInput(f"invalid proto: {mapping.protocol}", hint="ports are published as tcp or udp")
    if not (0 < mapping.container_port <= _LAST_PORT and 0 <= mapping.host_port <= _LAST_PORT):
        raise InvalidInput(f"invalid port: {mapping.host_port}:{mapping.container_port}", hint="ports end at 65535")
    shown = mapping.host_ip or "0.0.0.0"
    for attempt in range(_TRIES):
        try:
            sockets = _bind_all(_normal(mapping.host_ip), mapping.host_port, mapping.protocol, mapping.container_port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise _failure(f"cannot bind {shown}:{mapping.host_port}/{mapping.protocol}", error) from error
            if mapping.host_port == 0 and attempt + 1 < _TRIES:
                continue  # free for IPv4 and not for IPv6
            holder = port_holder(settings, database, mapping.host_ip, mapping.host_port, mapping.protocol)
            free = free_port(settings, database, mapping.host_port + 1, mapping.protocol)
            raise PortTaken(shown, mapping.host_port, mapping.protocol, holder, free) from error
        return sockets[0][0].getsockname()[1], sockets
    raise AssertionError("the last attempt raises")


def _bind_all(host_ip: str, port: int, protocol: str, container_port: int) -> list[_Bound]:
    """The sockets of one mapping: one, or for all addresses one of IPv4 and one of IPv6. Raises OSError."""
    sockets: list[_Bound] = []
    try:
        for address in ("0.0.0.0", "::") if not host_ip else (host_ip,):
            try:
                sockets.append((_bound(address, port, protocol), protocol, container_port))
            except OSError as error:
                if host_ip or address != "::" or error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                    raise  # without IPv6 in the kernel, IPv4 is all there is
            port = port or sockets[0][0].getsockname()[1]
    except BaseException:
        _close(sockets)
        raise
    return sockets


def _bound(address: str, port: int, protocol: str) -> _socket.socket:
    family = _socket.AF_INET6 if ":" in address else _socket.AF_INET
    kind = _socket.SOCK_STREAM if protocol == "tcp" else _socket.SOCK_DGRAM
    socket = _socket.socket(family, kind | _socket.SOCK_CLOEXEC, 0)
    try:
        if family == _socket.AF_INET6:
            socket.setsockopt(_socket.IPPROTO_IPV6, _socket.IPV6_V6ONLY, 1)
        if protocol == "tcp":  # connections that linger in TIME_WAIT do not hold the port; a listener still does
            socket.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
        socket.bind((address, port))
        if protocol == "tcp":
            socket.listen(_BACKLOG)
    except BaseException:
        socket.close()
        raise
    return socket


def _write_down(settings: Settings, database: Database, container_id: str, mappings: Sequence[PortMapping]) -> None:
    with database.transaction() as connection:
        for mapping in mappings:
            key = (mapping.host_ip, mapping.host_port, mapping.protocol)
            row = connection.execute(
                "SELECT container_id FROM port_mappings WHERE host_ip = ? AND host_port = ? AND protocol = ?", key
            ).fetchone()
            if row and row[0] != container_id and netns.pinned(str(settings.run_dir(row[0]) / "netns")):
                # bound by us a moment ago, so its holder was killed: the container still has the port
                raise PortTaken(
                    mapping.host_ip or "0.0.0.0", mapping.host_port, mapping.protocol, f"container {row[0][:12]}"
                )
            connection.execute(
                "INSERT OR REPLACE INTO port_mappings (host_ip, host_port, protocol, container_id, container_port)"
                " VALUES (?, ?, ?, ?, ?)",
                (*key, container_id, mapping.container_port),
            )


def _forget_rows(database: Database, container_id: str, mappings: Sequence[PortMapping]) -> None:
    if mappings:
        with database.transaction() as connection:
            connection.executemany(
                "DELETE FROM port_mappings WHERE container_id = ? AND host_ip = ? AND host_port = ? AND protocol = ?",
                [(container_id, one.host_ip, one.host_port, one.protocol) for one in mappings],
            )


def _put(settings: Settings, database: Database, netfilter: Netlink, rows: list[ports_map.Row]) -> None:
    requests = ports_map.put(settings.nft_table, rows)
    if not requests:
        return
    is_astray = False
    for _ in range(_TRIES):
        try:
            if is_astray:
                ports_map.mend(netfilter, settings.nft_table, database)
            nftables.commit(netfilter, requests)
            return
        except OSError as error:
            if error.errno == errno.ENOENT:  # a firewall was reloaded, just now: the table is gone
                with Netlink(netlink.ROUTE) as rtnl:
                    bridge.ensure(settings, database, rtnl, netfilter)
            elif error.errno == errno.EEXIST:
                is_astray = True  # a port leads to a container that is gone: make the maps what the database says
            else:
                raise
    nftables.commit(netfilter, requests)


def _forget_flows(netfilter: Netlink, mappings: Sequence[PortMapping]) -> None:
    udp = {mapping.host_port for mapping in mappings if mapping.protocol == "udp"}
    if udp:
        from engine.network.conntrack import forget_udp

        forget_udp(netfilter, udp)


def _row(mapping: PortMapping, address: str) -> ports_map.Row:
    return (mapping.host_ip, mapping.host_port, mapping.protocol, address, mapping.container_port)


def _normal(host_ip: str) -> str:
    """All addresses are "" however they were written; IPv6 addresses lose their brackets. Raises InvalidInput."""
    bare = host_ip.strip("[]")
    if bare in ("", "*"):
        return ""
    try:
        family = _socket.AF_INET6 if ":" in bare else _socket.AF_INET
        return _socket.inet_ntop(family, _socket.inet_pton(family, bare))
    except OSError:
        raise InvalidInput(f"invalid IP address: {host_ip}") from None


def _overlap(one: str, other: str) -> bool:
    for first, second in ((one, other), (other, one)):
        if not first or first == second:
            return True
        if first in ("0.0.0.0", "::") and (":" in first) == (":" in second):
            return True
    return False


def _key(settings: Settings, container_id: str) -> tuple[str, str]:
    return (str(settings.root), container_id)


def _close(sockets: Sequence[_Bound]) -> None:
    for socket, _, _ in sockets:
        socket.close()


def _failure(what: str, error: OSError) -> NetworkError | PermissionNeeded:
    if error.errno in (errno.EPERM, errno.EACCES):
        return PermissionNeeded(f"{what}: {error.strerror}", hint="run it as root")
    if error.errno == errno.EADDRNOTAVAIL:
        return NetworkError(f"{what}: cannot assign requested address", hint="name an address of this host")
    return NetworkError(f"{what}: {error.strerror}")
