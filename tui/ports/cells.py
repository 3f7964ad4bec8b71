"""Ports in the few cells a column has: what was found by knocking, who listens."""

from __future__ import annotations

from engine.models import Container, PortMapping, Probe, State
from tui import format as short
from tui.ports.diagnosis import is_loopback, is_young
from tui.ports.findings import Findings
from tui.ports.lines import Line
from tui.sanitize import plain
from tui.widgets.table import Cell, Span, cell

_FAILURES = {"refused": "refused", "timeout": "no answer"}


def milliseconds(seconds: float) -> str:
    return f"{max(1, round(seconds * 1000))} ms"


def probe_cell(line: Line, findings: Findings, *, latency: bool = True) -> Cell:
    """`✓ HTTP 200  3 ms`, `✗ refused`, `… starting`."""
    container, mapping = line.container, line.mapping
    if container is None or mapping is None or not container.running:
        return cell("-", "muted")
    if container.state is State.PAUSED:
        return cell("‖ paused", "warn")
    if mapping.protocol == "udp":
        return cell("? udp", "muted")
    found = findings.probe(container, mapping)
    if found is None:
        return cell("…", "muted") if findings.probing else cell("○ off", "muted")
    if not found.answers:
        if is_young(container):
            return cell("… starting", "accent")
        return cell(f"✗ {_FAILURES.get(found.kind) or found.detail or found.kind}", "bad")
    if found.kind == "tcp":
        return cell("✓ tcp", "good")
    name = "TLS" if found.kind == "tls" else "HTTP"
    status = f" {found.status}" if found.status else ""
    sign, tone = ("!", "warn") if found.status >= 500 else ("✓", "good")
    answer = (f"{sign} {name}{status}", tone)
    return (answer, (f"  {milliseconds(found.seconds)}", "muted")) if latency else (answer,)


def listener_cell(line: Line) -> Cell:
    """`0.0.0.0:80 nginx`; the first that can be reached, then how many more."""
    if line.inside is None:
        return cell("")
    if not line.inside:
        return cell("no listener", "bad" if line.live else "muted")
    first = min(line.inside, key=is_loopback)
    place = f"[{first.address}]" if ":" in first.address else first.address
    more = f" +{len(line.inside) - 1}" if len(line.inside) > 1 else ""
    tone = "warn" if is_loopback(first) else ""
    return (f"{place}:{first.port}", tone), (f" {plain(first.process)}{more}", "muted")


def ports_cell(container: Container, findings: Findings, shown: int, tone: str) -> Cell:
    """The PORTS column of the containers: `8080→80 ✓200`, the first mappings and how many more."""
    mappings = sorted(container.ports, key=lambda mapping: mapping.protocol != "tcp")
    if not mappings:
        return cell("-", tone)
    spans: list[Span] = []
    for place, mapping in enumerate(mappings[:shown]):
        spans.append((f"{' ' if place else ''}{short.port(mapping)}", tone))
        sign = _sign(container, mapping, findings)
        if sign[0]:
            spans += [(" ", tone), sign]
    if len(mappings) > shown:
        spans.append((f" +{len(mappings) - shown}", tone))
    return tuple(spans)


def _sign(container: Container, mapping: PortMapping, findings: Findings) -> Span:
    found: Probe | None = findings.probe(container, mapping)
    if found is None or container.state is not State.RUNNING:
        return "", ""
    if not found.answers:
        return ("…", "accent") if is_young(container) else ("✗", "bad")
    if found.status >= 500:
        return f"!{found.status}", "warn"
    return f"✓{found.status or found.kind}", "good"
