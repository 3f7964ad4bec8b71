"""The ports of the selected container, or of the machine: where they can be reached, and why not."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import Static

from engine.models import Container, PortMapping, Probe
from tui import keymap, phrases, urls
from tui.operations import command
from tui.panes.detail_pane import DetailPane
from tui.ports import lines as ports
from tui.ports.cells import listener_cell, milliseconds, probe_cell
from tui.ports.diagnosis import address, diagnosis
from tui.ports.lines import Line
from tui.ports.lookout import Lookout, Sought
from tui.ports.prober import Prober
from tui.ports.table import LinkTable, linked
from tui.sanitize import plain
from tui.state.world import World
from tui.widgets.table import Cell, Column, Row, Table, cell

COLUMNS = (
    Column("host", "HOST", least=12, most=44),
    Column("arrow", "→"),
    Column("port", "CONT", least=6),
    Column("probe", "PROBE", least=9, fair=18, most=30),
)
LISTENER = Column("listener", "LISTENER IN CTR", drop=1, least=10, fair=14, most=36)
NOTE = Column("note", "NOTE", least=10, fair=24, most=400)
OWNER = Column("name", "CONTAINER", least=8, fair=12, most=24)
ROOMY = 84  # cells from which on the latency is shown too; the details always have it
FEW = 7  # rows of the pane under which there is no room for a note of its own

_SIGNS = {"host": ("●", "good"), "heard": ("◌", "accent"), "foreign": ("·", "muted")}


class PortsPane(DetailPane):
    TAB = "ports"
    BINDINGS: ClassVar[list[BindingType]] = keymap.bindings("ports")

    def __init__(self, world: World) -> None:
        super().__init__(world, id="ports")
        self.table = LinkTable(COLUMNS)
        self.note = Static("", id="port-note", markup=False)  # of the row under the cursor, where its cell is too short
        self.show_all = False
        self.prober = Prober(world, lambda: self.app.engine_ready(), self._looked_at)
        self._lookout = Lookout(
            world, self.prober, self._sought, is_alone=lambda: self.app.is_alone, looked=self.update_if_shown
        )
        self._made: tuple[str, PortMapping] | None = None  # just published: the cursor goes there when it is listed

    def compose(self) -> ComposeResult:
        yield self.table
        yield self.note

    def on_mount(self) -> None:
        super().on_mount()
        self.world.ports.probing = self.app.preferences.probe
        self.world.watch(self.update_if_shown, "images", "ports")
        self.app.behind(self, "probing ports", self.prober.run)
        self.app.behind(self, "looking at ports", self._lookout.run, self.app.engine_ready)

    def on_show(self) -> None:
        super().on_show()
        self._lookout.again()

    # what there is --------------------------------------------------------------------------------

    def lines(self) -> list[Line]:
        if self.show_all:
            return ports.of_all(self.world)
        container = self.world.container
        return ports.of_container(self.world, container) if container else []

    def current(self) -> Line | None:
        return next((line for line in self.lines() if line.key == self.table.cursor_key), None)

    def _looked_at(self) -> set[str]:
        """Containers with a row of theirs on screen: here, or in the list."""
        seen: set[str] = set()
        rows = self.app.dashboard.containers
        if rows.is_on_screen:
            seen.update(rows.table.visible_keys())
        if self.is_on_screen:
            keys = set(self.table.visible_keys())
            seen.update(line.container.id for line in self.lines() if line.container and line.key in keys)
        return seen

    def _sought(self) -> Sought | None:
        """What to read, while the pane can be seen."""
        if not (self.display and self.is_on_screen):
            return None
        if self.show_all:
            return Sought(tuple(self.world.containers.values()), whole_machine=True)
        return Sought((self.world.container,) if self.world.container is not None else ())

    # showing --------------------------------------------------------------------------------------

    def update(self) -> None:
        lines = self.lines()
        columns = self._columns(lines)
        if columns != self.table.columns:
            self.table.set_columns(columns)
        self.table.show([self._row(line) for line in lines], [] if lines else self._empty())
        self._go_to_made(lines)
        self._tell_note()
        if self.has_focus_within:
            self.refresh_bindings()

    def _go_to_made(self, lines: list[Line]) -> None:
        """The next key is meant for the port that was just published, not for another that stood there before."""
        if self._made is None:
            return
        owner, made = self._made
        for line in lines:
            same = line.mapping and (line.mapping.host_port, line.protocol) == (made.host_port, made.protocol)
            if same and line.live and line.container and line.container.id == owner:
                self.table.select(line.key)
                self._made = None
                return

    def _tell_note(self) -> None:
        line = self.current()
        cut = line is not None and self.size.height >= FEW and not self.table.has_room("note")
        self.note.display = cut
        if cut and line is not None:
            self.note.update(diagnosis(line, self.world)[0])

    def on_resize(self) -> None:
        self.call_after_refresh(self._tell_note)

    def _columns(self, lines: list[Line]) -> tuple[Column, ...]:
        """What gets the room: the listener only if there is one; addresses alone give way to it, reasons do not."""
        listener = (LISTENER,) if any(line.inside is not None for line in lines) else ()
        fine = all(diagnosis(line, self.world)[1] == "title" for line in lines)
        columns = (*COLUMNS, *listener, replace(NOTE, drop=2) if fine else NOTE)
        return (OWNER, *columns) if self.show_all else columns

    def _row(self, line: Line) -> Row:
        container, mapping, live = line.container, line.mapping, line.live
        tone = "" if live or line.kind == "host" else "muted"
        words, said = diagnosis(line, self.world)
        url = address(line, self.world.ports) if live else ""
        if "//" in url and said == "title":
            said = linked(said, url)
        place = cell(_place(line), linked(tone, url) if "//" in url else tone)
        cells: tuple[Cell, ...] = (
            place,
            cell("→" if mapping else "", "muted"),
            cell(f"{line.port}/{line.protocol}" if line.kind != "foreign" else line.protocol, tone),
            probe_cell(line, self.world.ports, latency=self.table.size.width >= ROOMY),
            cell(words, said),
        )
        if LISTENER in self.table.columns:
            cells = (*cells[:-1], listener_cell(line), cells[-1])
        if self.show_all:
            cells = (cell(plain(container.name) if container else "-", tone), *cells)
        sign = ("●", "good") if live else _SIGNS.get(line.kind, ("○", "muted"))
        return Row(line.key, cells, sign)

    def _empty(self) -> list[Cell]:
        if self.show_all:
            words = "Nothing listens on this machine. {app.run} runs a container that does: a port in its form."
            return [cell(""), phrases.spans(words, self.app.preferences.keys, "muted")]
        container = self.world.container
        if container is None:
            words = "No container is selected. {ports.all} shows every port of the machine."
            return [cell(""), phrases.spans(words, self.app.preferences.keys, "muted")]
        if container.options.network == "host":
            return [cell(""), cell("--network host: its ports are the host's own; nothing is mapped.", "muted")]
        if self._can_publish(container):
            how = "{ports.publish} publishes one."
        elif container.options.network == "bridge":
            how = "Once it runs, {ports.publish} publishes one; in the list {containers.rerun} runs it anew."
        else:
            how = f"--network {plain(container.options.network)}: none can be."
        return [
            cell(""),
            cell("No ports are published, and the image exposes none.", "muted"),
            phrases.spans(how, self.app.preferences.keys, "muted"),
        ]

    def heading(self) -> tuple[str, str]:
        left, right = super().heading()
        return ("{app.ports} Ports of this machine" if self.show_all else left), right

    def hint(self) -> str:
        line = self.current()
        url = address(line, self.world.ports) if line is not None and line.live else ""
        other = self._other_view()
        every = other[:1].lower() + other[1:]
        keys = {"open": "open", "copy": "copy URL", "publish": "publish", "probe": "probe", "all": every}
        words = [f"{{ports.{id}}}:{words}" for id, words in keys.items() if self.verb(f"ports.{id}") != ""]
        room = self.outer_size.width - 6 - len(url) - 2
        while words and len(phrases.words("  ".join(words), self.app.preferences.keys)) > room:
            words.pop(-2 if len(words) > 1 else 0)
        return "  ".join([url, *words] if url else words)

    def tip(self) -> str:
        line = self.current()
        words = diagnosis(line, self.world)[0] if line else ""
        publishes = " {ports.publish} publishes a port," if self.verb("ports.publish") != "" else ""
        tip = f"{{ports.open}} opens, {{ports.copy}} copies the address,{publishes}"
        return words or phrases.words(f"{tip} {{ports.all}} shows the whole machine.", self.app.preferences.keys)

    def verb(self, key: str) -> str | None:
        line = self.current()
        live = line is not None and line.live
        if key == "ports.open":
            return None if line is not None and self._is_page(line) else ""
        if key == "ports.copy":
            return None if live or (line is not None and line.outside is not None) else ""
        if key == "ports.details":
            return None if line is not None else ""
        if key == "ports.probe":
            return None if live and line is not None and line.protocol == "tcp" else ""
        if key == "ports.unpublish":
            return None if live else ""
        if key == "ports.publish":
            container = line.container if line is not None and line.container else self.world.container
            return None if container is not None and self._can_publish(container) else ""
        if key == "ports.all":
            return self._other_view()
        return super().verb(key)

    @staticmethod
    def _can_publish(container: Container) -> bool:
        return container.running and container.endpoint is not None and bool(container.endpoint.ip_address)

    def _other_view(self) -> str:
        """What `a` shows instead."""
        if not self.show_all:
            return "Machine"
        return f"Only {plain(self.world.container.name)}" if self.world.container else "One container"

    # keys -----------------------------------------------------------------------------------------

    def on_table_highlighted(self, event: Table.Highlighted) -> None:
        event.stop()
        self._tell_note()
        if self.has_focus_within:
            self.refresh_bindings()
        self.retitle()
        if self.has_focus_within:
            self.app.dashboard.status.show_tip(self.tip())

    def on_table_activated(self, event: Table.Activated) -> None:
        event.stop()
        self.action_details()

    def _reached_by(self, line: Line | None, what: str) -> PortMapping | None:
        """Where the port of this row is reached on the host; None if it is not, and says so."""
        reason = "no port is selected"
        if line is not None:
            if line.live and line.mapping:
                return line.mapping
            if line.outside is not None:
                host = line.outside.address
                return PortMapping(line.port, line.port, "" if host in ("0.0.0.0", "::") else host, line.protocol)
            if line.mapping is None:
                reason = "this port is not published"
            elif line.container is not None and not line.container.running:
                reason = f"{plain(line.container.name)} does not run: nothing answers there"
        self.app.operations.say(f"{reason}: nothing to {what}", failed=True)
        return None

    def _probe_of(self, line: Line) -> Probe | None:
        if line.container is None or line.mapping is None:
            return None
        return self.world.ports.probe(line.container, line.mapping)

    def _is_page(self, line: Line) -> bool:
        if line.outside is not None:
            return line.protocol == "tcp"
        return line.live and line.mapping is not None and urls.is_page(line.mapping, self._probe_of(line))

    def action_open(self) -> None:
        line = self.current()
        mapping = self._reached_by(line, "open")
        if line is None or mapping is None:
            return
        where = urls.found_address(mapping, self._probe_of(line))
        if "//" in where:
            self.app.open_mapping(mapping, where)
        else:
            service = urls.other_service(mapping) or "tcp"
            self.app.copy(where)
            self.app.operations.say(f"{service} is nothing for a browser: copied {where}")

    def action_copy(self) -> None:
        line = self.current()
        if mapping := self._reached_by(line, "copy"):
            self.app.copy(urls.found_address(mapping, self._probe_of(line) if line else None))

    def action_probe(self) -> None:
        line = self.current()
        if line is None or line.container is None or line.mapping is None or not line.live:
            self.app.operations.say("only a published port of a running container can be probed", failed=True)
        elif line.protocol != "tcp":
            self.app.operations.say("udp is not probed: silence would mean nothing", failed=True)
        else:
            self.app.behind(self, "probing a port", self._probe_now, line.container, line.mapping)

    async def _probe_now(self, container: Container, mapping: PortMapping) -> None:
        found = await self.prober.now(container, mapping)
        where = urls.found_address(mapping, found)
        if not found.answers:
            self.app.operations.say(f"{where}: {found.detail or found.kind}", failed=True)
            return
        words = {"http": "HTTP", "tls": "TLS", "tcp": "tcp"}[found.kind] + (f" {found.status}" if found.status else "")
        self.app.operations.say(f"{where} answers: {words} in {milliseconds(found.seconds)}")

    def action_details(self) -> None:
        line = self.current()
        if line is not None:
            from tui.ports.details import PortDetails

            self.app.push_screen(PortDetails(line, self.world))

    def action_free_port(self) -> None:
        from tui.ports.finder import FreePort

        line = self.current()
        start = line.host_port if line is not None and line.host_port else 8080
        self.app.push_screen(FreePort(start, self.app.engine_ready), self.app.copy)

    def action_show_all(self) -> None:
        self.show_all = not self.show_all
        self.update()
        self.retitle()
        self._lookout.again()

    def action_publish(self) -> None:
        line = self.current()
        container = line.container if line and line.container else self.world.container
        if container is None:
            return
        if not container.running:
            self.app.operations.say(
                f"{plain(container.name)} does not run; a port is published while it runs", failed=True
            )
            return
        if not self._can_publish(container):
            network = plain(container.options.network)
            self.app.operations.say(
                f"{plain(container.name)} has no address (--network {network}): no port of it can be published",
                failed=True,
            )
            return
        from tui.dialogs.publish import Publish

        unpublished = line is not None and line.kind in ("exposed", "heard")
        port = f"{line.port}" if line is not None and unpublished else ""

        def publish(mapping: PortMapping | None) -> None:
            if mapping is not None:
                self._publish(container, mapping)

        protocol = line.protocol if line is not None and unpublished else "tcp"
        self.app.push_screen(Publish(container, port, self.app.engine_ready, protocol=protocol), publish)

    def action_unpublish(self) -> None:
        line = self.current()
        if line is None or line.container is None or line.mapping is None or not line.live:
            self.app.operations.say("this port is not published: nothing to take away", failed=True)
        else:
            self._unpublish(line.container, line.mapping)

    def _publish(self, container: Container, mapping: PortMapping) -> None:
        from engine.cli.ports import spell_port

        def undo(made: object) -> None:
            if isinstance(made, PortMapping):
                self._unpublish(container, made)

        def done(made: object) -> str:
            if not isinstance(made, PortMapping):
                return f"published {mapping.container_port}"
            self._made = (container.id, made)
            self.update_if_shown()
            return f"port {made.container_port} of {plain(container.name)} is published at {urls.address(made)}"

        self.app.operations.run(
            command("publish", container.name, spell_port(mapping)),
            lambda engine: engine.publish(container.id, mapping),
            done=done,
            undo=undo,
        )

    def _unpublish(self, container: Container, mapping: PortMapping) -> None:
        from engine.cli.ports import spell_port

        self.app.operations.run(
            command("unpublish", container.name, spell_port(mapping)),
            lambda engine: engine.unpublish(container.id, mapping),
            done=f"port {mapping.host_port} is no longer published for {plain(container.name)}",
            undo=lambda _: self._publish(container, mapping),
        )


def _place(line: Line) -> str:
    """Where it is, or would be, on the host: `0.0.0.0:8080`."""
    if line.outside is not None:
        host, port = line.outside.address, str(line.port)
    elif line.mapping is not None:
        host, port = line.mapping.host_ip or "0.0.0.0", str(line.mapping.host_port or "?")
    else:
        return "-"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
