"""`-p`: port mappings as typed and as shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from engine.errors import InvalidInput
from engine.models import PortMapping

IsFree = Callable[[str, int, str], bool]  # (host ip, host port, protocol)


def parse_port(text: str, is_free: IsFree | None = None) -> list[PortMapping]:
    """Mappings of `[[ip:][host]:]container[/protocol]`, where host and container may be ranges of ports.

    A range of host ports for one container port means any free one of them: `is_free` decides, without it the first.
    Raises InvalidInput in the words of docker/go-connections.
    """
    address, _, protocol = text.partition("/")
    protocol = protocol or "tcp"
    if protocol.lower() not in ("tcp", "udp"):
        raise InvalidInput(f"invalid proto: {protocol}")
    protocol = protocol.lower()
    host, _, container = address.rpartition(":")
    ip, colon, host_port = host.rpartition(":")
    if not colon:
        ip, host_port = "", host
    if not container:
        raise InvalidInput(f"no port specified: {text}<empty>")
    ip = _address(ip, text)
    first, last = _range(container, "containerPort")
    if not host_port:
        return [PortMapping(port, 0, ip, protocol) for port in range(first, last + 1)]
    host_first, host_last = _range(host_port, "hostPort")
    if host_last - host_first == last - first:
        return [PortMapping(port, host_first + port - first, ip, protocol) for port in range(first, last + 1)]
    if first != last:
        raise InvalidInput(f"invalid ranges specified for container and host Ports: {container} and {host_port}")
    chosen = host_first
    if is_free is not None:
        chosen = next((port for port in range(host_first, host_last + 1) if is_free(ip, port, protocol)), host_first)
    return [PortMapping(first, chosen, ip, protocol)]


def parse_container_port(text: str) -> tuple[int, str]:
    """`80` or `80/udp`, as `pilothouse port` takes it."""
    number, _, protocol = text.partition("/")
    first, last = _range(number, "port")
    if first != last:
        raise InvalidInput(f"invalid port: {number}")
    return first, protocol.lower() or "tcp"


def spell_port(mapping: PortMapping) -> str:
    """The `-p` argument that asks for this mapping."""
    ip = f"[{mapping.host_ip}]" if ":" in mapping.host_ip else mapping.host_ip
    host = str(mapping.host_port) if mapping.host_port else ""
    text = str(mapping.container_port)
    if ip:
        text = f"{ip}:{host}:{text}"
    elif host:
        text = f"{host}:{text}"
    return text if mapping.protocol == "tcp" else f"{text}/{mapping.protocol}"


def host_addresses(mapping: PortMapping) -> tuple[str, ...]:
    """Where a mapping listens, as shown: all addresses are `0.0.0.0` and `[::]`."""
    if not mapping.host_ip:
        return "0.0.0.0", "[::]"
    return (f"[{mapping.host_ip}]" if ":" in mapping.host_ip else mapping.host_ip,)


def shown_ports(published: Sequence[PortMapping], exposed: Iterable[str] = ()) -> str:
    """The PORTS column: `0.0.0.0:8080->80/tcp, [::]:8080->80/tcp, 443/tcp`, neighbours joined to `8000-8001`.

    `exposed` are the image's own ports (`80/tcp`); those that are published as well are shown once.
    """
    taken = {(mapping.container_port, mapping.protocol) for mapping in published}
    # (address, host port or 0, container port, protocol)
    entries: list[tuple[str, int, int, str]] = []
    for text in exposed:
        number, _, kind = text.partition("/")
        key = (int(number) if number.isdigit() else 0, kind or "tcp")
        if key[0] and key not in taken:
            entries.append(("", 0, *key))
    entries += [
        (address, mapping.host_port, mapping.container_port, mapping.protocol)
        for mapping in published
        for address in host_addresses(mapping)
    ]
    entries.sort(key=lambda entry: (entry[3], entry[0], entry[2], entry[1]))
    groups: list[_Group] = []
    for address, host, port, protocol in entries:
        if not (groups and groups[-1].take(address, protocol, host, port)):
            groups.append(_Group(address, protocol, host, port))
    groups.sort(key=lambda group: (group.port, group.protocol, group.address == "[::]"))
    return ", ".join(map(str, groups))


class _Group:
    """Neighbouring ports that are shown as one range."""

    __slots__ = ("address", "host", "host_last", "last", "port", "protocol")

    def __init__(self, address: str, protocol: str, host: int, port: int) -> None:
        self.address, self.protocol = address, protocol
        self.host = self.host_last = host  # 0: not published
        self.port = self.last = port

    def take(self, address: str, protocol: str, host: int, port: int) -> bool:
        """Grow by one mapping if it comes next; whether it did."""
        next_host = self.host_last + 1 if self.host_last else 0
        if (address, protocol, host, port) != (self.address, self.protocol, next_host, self.last + 1):
            return False
        self.host_last, self.last = host, port
        return True

    def __str__(self) -> str:
        inside = f"{self.port}" if self.port == self.last else f"{self.port}-{self.last}"
        if not self.host:
            return f"{inside}/{self.protocol}"
        outside = f"{self.host}" if self.host == self.host_last else f"{self.host}-{self.host_last}"
        return f"{self.address}:{outside}->{inside}/{self.protocol}"


def _range(text: str, what: str) -> tuple[int, int]:
    """First and last of `80` or `80-90`."""
    first, dash, last = text.partition("-")
    bounds = []
    for number in (first, last) if dash else (first,):
        if not (number.isascii() and number.isdigit()) or len(number) > 5 or int(number) > 65535:
            raise InvalidInput(f"invalid {what}: {text}")
        bounds.append(int(number))
    if bounds[0] > bounds[-1] or (what != "hostPort" and bounds[0] == 0):
        raise InvalidInput(f"invalid {what}: {text}")
    return bounds[0], bounds[-1]


def _address(ip: str, text: str) -> str:
    """A host address without brackets; unspecified addresses keep their meaning (one family only)."""
    bare = ip[1:-1] if ip.startswith("[") and ip.endswith("]") else ip
    if not bare:
        return ""
    import socket

    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            return socket.inet_ntop(family, socket.inet_pton(family, bare))
        except OSError:
            continue
    raise InvalidInput(f"invalid IP address: {ip}")
