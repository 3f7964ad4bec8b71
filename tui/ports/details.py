"""Everything that is known of one port, and what to do about it."""

from __future__ import annotations

from textual.app import ComposeResult

from engine.cli.ports import spell_port
from engine.models import Listener, Probe
from tui import urls
from tui.dialogs.dialog import Dialog
from tui.operations import command
from tui.ports.cells import milliseconds
from tui.ports.diagnosis import address, diagnosis
from tui.ports.lines import Line
from tui.sanitize import plain
from tui.state.world import World
from tui.widgets.table import Cell, cell
from tui.widgets.text_view import TextView

LABEL = 12  # cells


class PortDetails(Dialog[None]):
    """Follows what is found while it is open."""

    def __init__(self, line: Line, world: World) -> None:
        super().__init__(f"Port {line.port}/{line.protocol}", "↑↓ scroll  esc close")
        self._line = line
        self._world = world
        self._view = TextView()

    def inside(self) -> ComposeResult:
        yield self._view

    def on_mount(self) -> None:
        self._world.watch(self._show, "ports")
        self._show()

    def on_resize(self) -> None:
        self._show()

    def on_unmount(self) -> None:
        self._world.forget(self._show)

    def _show(self) -> None:
        lines = details(self._line, self._world, self.frame_width - 8)
        self._view.styles.height = min(len(lines), max(4, self.app.size.height - 6))
        self._view.show(lines)


def details(line: Line, world: World, width: int) -> list[Cell]:
    """The diagnosis, the addresses, what answered, who listens, the commands that would have done the same."""
    import textwrap

    lines: list[Cell] = []

    def add(label: str, words: str, tone: str = "") -> None:
        for number, part in enumerate(textwrap.wrap(words, max(20, width - LABEL)) or [""]):
            lines.append(((f"{label if number == 0 else '':<{LABEL}}", "muted"), (part, tone)))

    container, mapping = line.container, line.mapping
    words, tone = diagnosis(line, world)
    add("in short", words, tone)
    if container is not None:
        add("container", f"{plain(container.name)}  {container.short_id}")
    if mapping is not None and container is not None and line.live:
        add("address", address(line, world.ports), "title")
        if not urls.is_loopback(mapping):
            add("from afar", urls.tunnel(mapping))
        own = container.endpoint.ip_address if container.endpoint else ""
        add("on bridge", f"{own}:{mapping.container_port}" if own else "-")
        add("probe", *_answer(world.ports.probe(container, mapping), mapping.protocol, world.ports.probing))
        found = world.ports.probe(container, mapping)
        if found is not None and found.server:
            add("server", plain(found.server))
        if found is not None and found.location:
            add("redirects to", f"{plain(found.location)} (not followed)")
    for one in line.inside or ():
        add("listens", _listener(one))
    if line.inside == ():
        add("listens", "nothing inside")
    if line.outside is not None and line.outside.pid:
        add("process", f"{plain(line.outside.process)} (pid {line.outside.pid}, {plain(line.outside.user or 'you')})")
    if mapping is not None and container is not None:
        add("as typed", f"-p {spell_port(mapping)}")
        if line.live:
            add("take away", command("unpublish", container.name, spell_port(mapping)))
    elif container is not None and container.running and line.kind in ("exposed", "heard"):
        suffix = "" if line.protocol == "tcp" else f"/{line.protocol}"
        add("publish", command("publish", container.name, f"{line.port}:{line.port}{suffix}"))
    return lines or [cell("nothing is known", "muted")]


def _answer(found: Probe | None, protocol: str, probing: bool) -> tuple[str, str]:
    if protocol != "tcp":
        return "udp is not probed: silence would mean nothing", "muted"
    if found is None:
        return "not yet" if probing else "switched off; p in the list asks once", "muted"
    if not found.answers:
        return found.detail or found.kind, "bad"
    name = {"http": "HTTP", "tls": "TLS", "tcp": "takes connections"}[found.kind]
    status = f" {found.status}" if found.status else ""
    return f"{name}{status} in {milliseconds(found.seconds)}", "warn" if found.status >= 500 else "good"


def _listener(one: Listener) -> str:
    place = f"[{one.address}]:{one.port}" if ":" in one.address else f"{one.address}:{one.port}"
    return f"{place}  {plain(one.process)} (pid {one.pid})" if one.pid else place
