"""Which ports there are to tell of: published, only exposed, only listened on, taken by others on the host."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from engine.models import Container, Listener, PortMapping

if TYPE_CHECKING:
    from tui.state.world import World

EPHEMERAL = 32768  # ip(7), ip_local_port_range: a UDP socket up there is a client's that waits for an answer

Kind = Literal["mapped", "exposed", "heard", "host", "foreign"]


@dataclass(frozen=True, slots=True)
class Line:
    """One row.

    `mapped`: a mapping of a container; `exposed`: by the image, not published; `heard`: listened on, neither exposed
    nor published; `host`: listened on by a container on the host's network; `foreign`: taken by others on the host.
    `inside` is who listens in the container, None if that is not known; `outside` who listens on the host.
    """

    kind: Kind
    port: int
    protocol: str
    container: Container | None = None
    mapping: PortMapping | None = None
    inside: tuple[Listener, ...] | None = None
    outside: Listener | None = None

    @property
    def key(self) -> str:
        owner = self.container.id if self.container else "host"
        mapping, outside = self.mapping, self.outside
        host = f"{mapping.host_ip}:{mapping.host_port}" if mapping else outside.address if outside else ""
        return f"{owner}|{self.kind}|{host}|{self.port}/{self.protocol}"

    @property
    def live(self) -> bool:
        """A mapping in force."""
        return bool(self.container and self.container.running and self.mapping and self.mapping.host_port)

    @property
    def host_port(self) -> int:
        return self.mapping.host_port if self.mapping else self.port if self.outside else 0


def of_container(world: World, container: Container) -> list[Line]:
    """Everything about one container's ports: its mappings, then what is not published."""
    lines = list(_mapped(world, container))
    if container.options.network == "host" and container.running:
        found = world.ports.listeners.get(container.id, ())
        return [Line("host", one.port, one.protocol, container, outside=one) for one in found if _listens(one)]
    told = {(line.port, line.protocol) for line in lines}
    image = next((image for image in world.images if image.id == container.image_id), None)
    for text in image.config.exposed_ports if image else ():
        number, _, protocol = text.partition("/")
        port = (int(number) if number.isdecimal() else 0, protocol or "tcp")
        if port[0] and port not in told:
            told.add(port)
            lines.append(Line("exposed", *port, container, inside=world.ports.inside(container, *port)))
    for one in world.ports.listeners.get(container.id, ()) if container.running else ():
        if _listens(one) and (one.port, one.protocol) not in told:
            told.add((one.port, one.protocol))
            inside = world.ports.inside(container, one.port, one.protocol)
            lines.append(Line("heard", one.port, one.protocol, container, inside=inside))
    return lines


def of_all(world: World) -> list[Line]:
    """Every port of the host that is mapped, wanted or taken: those of containers first, each by number."""
    lines = [line for container in world.containers.values() for line in _mapped(world, container)]
    ours = {
        (mapping.host_port, mapping.protocol)
        for container in world.containers.values()
        if container.running
        for mapping in container.ports
    }
    for one in world.ports.host:
        published = one.container in world.containers and (one.port, one.protocol) in ours
        if _listens(one) and not published:
            lines.append(Line("foreign", one.port, one.protocol, outside=one))
    return sorted(lines, key=lambda line: (line.kind == "foreign", line.host_port, line.protocol))


def _mapped(world: World, container: Container) -> Iterator[Line]:
    for mapping in sorted(container.ports, key=lambda mapping: (mapping.protocol != "tcp", mapping.container_port)):
        port = (mapping.container_port, mapping.protocol)
        inside = world.ports.inside(container, *port) if container.running else None
        yield Line("mapped", *port, container, mapping, inside)


def _listens(one: Listener) -> bool:
    return one.protocol == "tcp" or one.port < EPHEMERAL
