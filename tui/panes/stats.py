"""How the selected container does: its readings over time while it runs, the card of its end otherwise."""

from __future__ import annotations

import asyncio
import importlib
import time
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message

from engine.errors import EngineError
from engine.models import Container, LogQuery, State
from tui import keymap
from tui.containers import exit_card, graphs
from tui.containers.graphs import STEPS, Window
from tui.panes.detail_pane import DetailPane
from tui.sanitize import plain
from tui.state.world import World
from tui.widgets.table import Cell, cell
from tui.widgets.text_view import TextView

if TYPE_CHECKING:
    from tui.app import Pilothouse
    from tui.state.history import History
    from tui.widgets.plot import Plots

LOOKED_AT = 12  # of which those on stderr, if there are any
PLOTTED = (50, 18)  # cells from which the graphs are plotted with axes, three lines each at the least


class StatsView(TextView, inherit_bindings=False):
    """The text, with the keys that move through time, and those that act on the container."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "scroll_down", show=False),
        Binding("up,k", "scroll_up", show=False),
        Binding("pageup", "page_up", show=False),
        Binding("pagedown,space", "page_down", show=False),
        *keymap.bindings("stats"),
    ]
    app: Pilothouse

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world
        self.window = Window()
        self.above: list[Cell] = []  # what stands above the graphs, where they are plotted
        self.suspect: Container | None = None  # does not run, and what is shown ended because it did not reach it

    @property
    def text(self) -> str:
        facts = ("".join(text for text, _ in line) for line in self.above)
        return "\n".join((*facts, super().text))

    def verb(self, key: str) -> str | None:
        """What the key does now; "" if it does nothing."""
        container = self._world.container
        if not key.startswith("stats."):
            return None
        if container is None:
            return ""
        match key:
            case "stats.toggle" if self.suspect is not None:
                return f"Start {plain(self.suspect.name)}"
            case "stats.again":
                return "Restart" if container.running else "Run again" if container.finished else ""
            case "stats.toggle":
                return "Stop" if container.running or container.state is State.RESTARTING else "Start"
            case "stats.remove" | "stats.logs" | "stats.rerun":
                return None
        return None if container.running else ""

    def _look(self, *, step: int | None = None, back: int | None = None) -> None:
        self.window = Window(self.window.step if step is None else step, self.window.back if back is None else back)
        self.post_message(self.Moved())

    class Moved(Message):
        """Another part of the past is to be shown."""

    def action_older(self) -> None:
        history = self._world.stats.get(self._world.subject)
        most = int(history.length) if history else 0
        self._look(back=min(most, self.window.back + 10 * self.window.step))

    def action_newer(self) -> None:
        self._look(back=max(0, self.window.back - 10 * self.window.step))

    def action_now(self) -> None:
        self._look(back=0)

    def action_closer(self) -> None:
        self._look(step=STEPS[max(0, STEPS.index(self.window.step) - 1)])

    def action_wider(self) -> None:
        self._look(step=STEPS[min(len(STEPS) - 1, STEPS.index(self.window.step) + 1)])

    def action_start_or_stop(self) -> None:
        if self.suspect is not None:
            self.app.dashboard.containers.act_on(self.suspect, "start_or_stop")
        else:
            self._act("start_or_stop")

    def action_again(self) -> None:
        container = self._world.container
        self._act("restart" if container is not None and container.running else "start_or_stop")

    def action_rerun(self) -> None:
        self._act("rerun")

    def action_remove(self) -> None:
        self._act("remove")

    def action_logs(self) -> None:
        self.app.dashboard.go_to_tab("logs")

    def _act(self, action: str) -> None:
        if (container := self._world.container) is not None:
            self.app.dashboard.containers.act_on(container, action)


class StatsPane(DetailPane):
    TAB = "stats"

    def __init__(self, world: World) -> None:
        super().__init__(world, id="stats")
        self.view = StatsView(world)
        self._end = ("", 0.0)  # whose, and when it ended: what the next two are of
        self._words: list[str] = []  # the last ones
        self._starter = ""
        self._whose = ""  # graphs
        self._does: tuple[object, ...] = ()  # what decides what the keys do
        self._plots: Plots | None = None  # made when there is room for them for the first time
        self._fetching = False

    def compose(self) -> ComposeResult:
        yield self.view

    def on_mount(self) -> None:
        super().on_mount()
        self.world.watch(self.update_if_shown, "stats")
        self.world.watch(self.retitle, "log")  # there may be something to undo now, or no longer

    def on_resize(self) -> None:
        super().on_resize()
        self.update_if_shown()

    def on_descendant_focus(self) -> None:
        super().on_descendant_focus()
        self.update_if_shown()

    def on_descendant_blur(self) -> None:
        super().on_descendant_blur()
        self.update_if_shown()

    def on_plots_resized(self) -> None:
        self.update_if_shown()

    def on_stats_view_moved(self, event: StatsView.Moved) -> None:
        event.stop()
        self.update_if_shown()

    def heading(self) -> tuple[str, str]:
        left, right = super().heading()
        container = self.world.container
        if container is None or container.running:
            return left, right
        return exit_card.heading(container, time.time()), right

    def hint(self) -> str:
        container, verb = self.world.container, self.app.operations.undoable
        if not verb or container is None or container.running:
            return ""
        return f"{{app.undo}}:undo last {verb}"

    def update(self) -> None:
        container = self.world.container
        self.view.suspect, self.view.above = None, []
        if self._whose != self.world.subject:
            self._whose = self.world.subject
            self.view.window = Window(self.view.window.step)  # another one is met as it does now, not in the past
        width, height = self.size.width - 2, self.size.height
        history = self.world.stats.get(self.world.subject)
        roomy = self.size.width >= PLOTTED[0] and height >= PLOTTED[1]
        running = container is not None and container.running
        plots = self._ready_plots() if roomy and running and history is not None and history.latest else None
        self.set_class(plots is not None, "-plotted")
        if container is None:
            self.view.show([cell("No container is selected.", "muted")])
        elif plots is not None and history is not None:
            self._plot(plots, container, history)
        elif container.running:
            self.view.show(graphs.lines(container, history, self.view.window, width, height))
        else:
            run = (container.id, container.finished)
            if self._end != run:
                self._end, self._words, self._starter = run, [], ""
                self.app.behind(self, "reading its last words", self._read_end, container)
            words = self._words
            suspects = exit_card.missing(self.world, container, words)
            self.view.suspect = next((one.container for one in suspects if not one.container.running), None)
            keys, focused = self._keys(container), self.has_focus_within
            self.view.show(
                exit_card.lines(container, words, suspects, width, height, keys, starter=self._starter, focused=focused)
            )
        state = (container.id, container.state, container.finished) if container is not None else None
        if (does := (state, self.view.suspect)) != self._does:
            self._does = does
            self.refresh_bindings()

    def _ready_plots(self) -> Plots | None:
        """The plots; None as long as their code, which is not needed before, is being imported."""
        if self._plots is None and not self._fetching:
            self._fetching = True
            self.app.behind(self, "opening the graphs", self._fetch_plots)
        return self._plots

    async def _fetch_plots(self) -> None:
        try:
            module = await asyncio.to_thread(importlib.import_module, "tui.widgets.plot")
            plots = module.Plots(self.view.tone)
            await self.mount(plots, before=self.view)
            self._plots = plots
        finally:
            self._fetching = False
        self.update_if_shown()

    def _plot(self, plots: Plots, container: Container, history: History) -> None:
        window, columns = self.view.window, plots.columns
        found = graphs.graphs(container, history, window, columns)
        self.view.above = plots.show(container.id, found, history, window)
        self.view.show([graphs.times(container, history, window, columns, self.size.width - 2)])

    def _keys(self, container: Container) -> list[tuple[str, str]]:
        def key(id: str) -> str:
            return self.app.keys_of(id)[0]

        suspect = self.view.suspect
        found = [(key("stats.toggle"), f"start {plain(suspect.name)}" if suspect else "start")]
        if container.finished:
            found = [*(found if suspect else ()), (key("stats.again"), "run again")]
        return [
            *found,
            (key("stats.rerun"), "edit and re-run"),
            (key("stats.logs"), "full log"),
            (key("stats.remove"), "remove"),
        ]

    async def _read_end(self, container: Container) -> None:
        """Who began the run, and the last lines of its log; those on stderr, if it wrote there at the end."""
        engine = await self.app.engine_ready()
        try:
            starter = await engine.started_by(container.id)
            found = [line async for line in engine.logs(container.id, LogQuery(tail=LOOKED_AT))]
        except EngineError:
            return  # removed meanwhile
        ended = [line for line in found if line.time >= container.started - 1]
        complaints = [line for line in ended if line.stream == "stderr"]
        words = [line.text.decode(errors="replace") for line in (complaints or ended) if line.text.strip()]
        if self._end == (container.id, container.finished):
            self._words, self._starter = exit_card.spoken(words)[-exit_card.WORDS :], starter
            self.update_if_shown()
