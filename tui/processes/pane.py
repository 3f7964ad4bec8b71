"""The processes of the selected container as a tree, read anew every second while it is shown."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from engine.errors import EngineError
from engine.models import Container, Process
from tui import format as short
from tui import keymap
from tui.operations import command
from tui.panes.detail_pane import DetailPane
from tui.sanitize import plain
from tui.state.world import World
from tui.widgets.table import Column, Row, Table, cell

_COLUMNS = (
    Column("pid", "PID", right=True, least=5),
    Column("user", "USER", least=5, fair=8, most=16),
    Column("cpu", "CPU", right=True, drop=1, least=6),
    Column("memory", "MEM", right=True, drop=2, least=5),
    Column("time", "TIME", right=True, drop=3, least=6),
    Column("host", "HOST PID", right=True, drop=4, least=8),
    Column("command", "COMMAND", least=12, fair=20, most=1000),
)
_STATES = {"R": ("▶", "good"), "D": ("◍", "warn"), "T": ("‖", "warn"), "t": ("‖", "warn"), "Z": ("✝", "bad")}


class ProcessesPane(DetailPane):
    TAB = "processes"
    BINDINGS: ClassVar[list[BindingType]] = keymap.bindings("processes")

    def __init__(self, world: World) -> None:
        super().__init__(world, id="processes")
        self.table = Table(_COLUMNS)
        self._processes: dict[str, Process] = {}
        self._used: dict[str, tuple[float, float]] = {}  # seconds of CPU at a time, by process
        self._shares: dict[str, float] = {}
        self._subject = ""
        self._reading = False

    def compose(self) -> ComposeResult:
        yield self.table

    def enter(self) -> None:
        self.table.focus()

    def on_mount(self) -> None:
        super().on_mount()
        self.set_interval(1.0, self.update_if_shown)

    def update(self) -> None:
        container = self.world.container
        if container is None:
            self._show([], "No container is selected.")
        elif not container.running:
            self._show([], f"{plain(container.name)} does not run: it has no processes. s starts it.")
        elif not self._reading or self._subject != container.id:
            self._reading = True
            self._subject = container.id
            self.app.behind(self, "listing processes", self._load, container.id)

    async def _load(self, container_id: str) -> None:
        try:
            processes = await (await self.app.engine_ready()).top(container_id)
        except EngineError as error:  # it ended between the look and the reading
            self._show([], plain(str(error)))
            return
        finally:
            self._reading = False
        if container_id == self.world.subject:
            self._measure(processes)
            self._show(processes, "")

    def _measure(self, processes: Sequence[Process]) -> None:
        """Shares of one CPU since the last look."""
        now = time.monotonic()
        used = {_key(process): (now, process.cpu_seconds) for process in processes}
        self._shares = {
            key: 100 * (seconds - self._used[key][1]) / max(0.001, now - self._used[key][0])
            for key, (_, seconds) in used.items()
            if key in self._used
        }
        self._used = used

    def _show(self, processes: Sequence[Process], message: str) -> None:
        self._processes = {_key(process): process for process in processes}
        self.table.show(
            [self._row(process, branch) for process, branch in branches(processes)], [cell(message, "muted")]
        )
        self.refresh_bindings()
        self.retitle()

    def _row(self, process: Process, branch: str) -> Row:
        key = _key(process)
        share = self._shares.get(key)
        words = " ".join(process.command) or f"[{process.name}]"
        # one span: of two the table drops the second whole where it is too long, and cuts a single one
        text = cell(branch + plain(words), "" if process.command else "muted")
        cells = (
            cell(str(process.inner_pid), "title"),
            cell(plain(process.user)),
            cell(short.percent(share) if share is not None else "-", "" if share else "muted"),
            cell(short.size(process.memory)),
            cell(short.span(process.cpu_seconds) if process.cpu_seconds >= 1 else "-", "muted"),
            cell(str(process.pid), "muted"),
            text,
        )
        return Row(key, cells, _STATES.get(process.state, (" ", "")))

    def hint(self) -> str:
        count, threads = len(self._processes), sum(process.threads for process in self._processes.values())
        return f"{count} {'process' if count == 1 else 'processes'}, {short.plural(threads, 'thread')}" if count else ""

    def on_table_highlighted(self, event: Table.Highlighted) -> None:
        event.stop()
        self.refresh_bindings()

    def on_table_activated(self, event: Table.Activated) -> None:
        event.stop()

    # keys -----------------------------------------------------------------------------------------

    def verb(self, key: str) -> str | None:
        return "" if key.startswith("processes.") and not self._processes else super().verb(key)

    def action_kill(self) -> None:
        process, container = self._processes.get(self.table.cursor_key), self.world.container
        if process is None or container is None:
            return
        from tui.dialogs.choose import SIGNALS, Choose

        what = f"{plain(process.name)} (pid {process.inner_pid}) in {plain(container.name)}"
        end = ": the container ends with it" if process.inner_pid == 1 else ""
        self.app.push_screen(
            Choose(f"Send a signal to {what}{end}", SIGNALS), lambda name: self._send(name, process, container)
        )

    def _send(self, name: str | None, process: Process, container: Container) -> None:
        if not name:
            return
        words = ("exec", container.name, "kill", "-s", name.removeprefix("SIG"), str(process.inner_pid))
        self.app.operations.run(
            command(*words),
            lambda engine: engine.signal_process(container.id, process, name),
            done=f"sent {name} to {plain(process.name)} (pid {process.inner_pid})",
            then=lambda _: self.update_if_shown(),
        )

    def action_copy_command(self) -> None:
        if (process := self._processes.get(self.table.cursor_key)) is not None:
            import shlex

            self.app.copy(shlex.join(process.command) or process.name)


def _key(process: Process) -> str:
    return f"{process.pid}:{process.start_ticks}"


def branches(processes: Sequence[Process]) -> Iterator[tuple[Process, str]]:
    """Parents before their children, each with the lines of the tree that lead to it."""
    here = {process.pid for process in processes}
    children: dict[int, list[Process]] = {}
    for process in processes:
        children.setdefault(process.parent if process.parent in here else 0, []).append(process)
    waiting = [(process, "", "") for process in reversed(children.get(0, []))]
    while waiting:
        process, lead, branch = waiting.pop()
        yield process, lead + branch
        below = {"": "", "├─ ": "│  ", "└─ ": "   "}[branch]
        mine = children.get(process.pid, [])
        last = len(mine) - 1
        waiting += [
            (child, lead + below, "└─ " if place == last else "├─ ") for place, child in reversed(list(enumerate(mine)))
        ]
