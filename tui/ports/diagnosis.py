"""Why a port can or cannot be reached, in words."""

from __future__ import annotations

import ipaddress
import time

from engine.models import Container, Listener, PortMapping, Probe
from tui import urls
from tui.ports.findings import YOUNG, Findings
from tui.ports.lines import Line
from tui.sanitize import plain
from tui.state.world import World

Said = tuple[str, str]  # words and a tone

LOOPBACK_ONLY = "listens on {} inside only, so it cannot be reached from outside: bind 0.0.0.0"


def diagnosis(line: Line, world: World) -> Said:
    """What is to be said of the port; of one that can be reached, its address."""
    container, mapping = line.container, line.mapping
    if line.kind == "foreign":
        return _foreign(line), "muted"
    if container is None:
        return "", ""
    if line.kind == "host":
        return "--network host: this port is the host's own", "muted"
    if mapping is None:
        return _unpublished(line)
    if not container.running:
        return _at_rest(container, mapping, world)
    if container.options.network == "none":
        return "--network none: nothing can reach it", "warn"
    probe = world.ports.probe(container, mapping)
    if probe is not None and probe.answers:
        return _answering(mapping, probe)
    return _unreached(line, container, mapping, probe, world.ports)


def is_young(container: Container) -> bool:
    return container.running and time.time() - container.started < YOUNG


def address(line: Line, findings: Findings) -> str:
    """The URL of a mapping, by https if that is what answered; host:port for what is no page; "" if it has none."""
    if line.mapping is None or not line.mapping.host_port:
        return ""
    probe = findings.probe(line.container, line.mapping) if line.container else None
    return urls.found_address(line.mapping, probe)


def _answering(mapping: PortMapping, probe: Probe) -> Said:
    where = urls.found_address(mapping, probe)
    if probe.status >= 500:
        return f"{where} answers with an error of its own: its log may tell why (l)", "warn"
    return where, "title"


def _unreached(line: Line, container: Container, mapping: PortMapping, probe: Probe | None, findings: Findings) -> Said:
    port = f"{line.port}/{line.protocol}"
    inside = line.inside
    if inside is None:
        return urls.address(mapping), "title"
    if not inside:
        if is_young(container):
            return f"nothing listens on {port} yet", "muted"
        return f"nothing listens on {port} inside{_elsewhere(line, container, findings)}", "bad"
    if all(is_loopback(one) for one in inside):
        return LOOPBACK_ONLY.format(inside[0].address), "bad"
    if probe is None:
        return urls.address(mapping), "title"
    own = container.endpoint.ip_address if container.endpoint else ""
    if not any(_any_address(one) or one.address == own for one in inside):
        return f"listens on {inside[0].address} inside, which is not the container's address: bind 0.0.0.0", "bad"
    if probe.kind == "timeout":
        return "listens, but does not answer: is it busy, or does a firewall stand between?", "bad"
    return f"listens, but the connection failed ({probe.detail or probe.kind})", "bad"


def _elsewhere(line: Line, container: Container, findings: Findings) -> str:
    """Where the program listens instead: the usual mistake is the wrong container port."""
    mapped = {(mapping.container_port, mapping.protocol) for mapping in container.ports}
    for one in findings.listeners.get(container.id, ()):
        if one.protocol == line.protocol == "tcp" and (one.port, "tcp") not in mapped:
            return f"; {plain(one.process) or 'it'} listens on {one.port}"
    return ""


def _unpublished(line: Line) -> Said:
    inside = line.inside
    if line.kind == "heard":
        if inside and all(is_loopback(one) for one in inside):
            return f"listens on {inside[0].address} inside only: for the container itself", "muted"
        return "listening, but neither exposed nor mapped   +: publish it", "accent"
    if inside and all(is_loopback(one) for one in inside):
        return f"exposed, not mapped; {LOOPBACK_ONLY.format(inside[0].address)}", "warn"
    if inside:
        return "listening and exposed, not mapped   +: publish it", "accent"
    if line.container is None or not line.container.running:
        return "exposed, not mapped", "muted"  # and cannot be, before it runs
    nothing = "; nothing listens there" if inside is not None else ""
    return f"exposed, not mapped{nothing}   +: publish it", "muted"


def _at_rest(container: Container, mapping: PortMapping, world: World) -> Said:
    port = mapping.host_port
    held = world.ports.held.get((container.id, mapping))
    if held is not None and held.by:
        instead = f"; {held.free} is free" if held.free else ""
        return f"✗ {port} taken by {plain(held.by)}: will clash on start{instead}", "bad"
    rival = rival_of(container, mapping, world)
    if rival is not None:
        return f"! {port} taken by container {plain(rival.name)} too (stopped, will clash on start)", "warn"
    return "the container does not run", "muted"


def rival_of(container: Container, mapping: PortMapping, world: World) -> Container | None:
    """Another container at rest that wants the same port of the host."""
    if not mapping.host_port:
        return None
    for other in world.containers.values():
        if other.id == container.id or other.running:
            continue
        for one in other.ports:
            if (one.host_port, one.protocol) == (mapping.host_port, mapping.protocol) and (
                one.host_ip == mapping.host_ip or not one.host_ip or not mapping.host_ip
            ):
                return other
    return None


def _foreign(line: Line) -> str:
    one = line.outside
    if one is None:
        return ""
    if one.container:
        return f"container {plain(one.container[:12])} of the engine in {plain(one.root)}"
    if not one.pid:
        return f"taken; the process cannot be seen (user: {plain(one.user)})"
    return f"taken by {plain(one.process)} (pid {one.pid}, {plain(one.user)})"


def is_loopback(one: Listener) -> bool:
    return ipaddress.ip_address(one.address).is_loopback


def _any_address(one: Listener) -> bool:
    return ipaddress.ip_address(one.address).is_unspecified
