"""Env and Events of the selected container, and what is known of the selected image: text that scrolls."""

from __future__ import annotations

import time
from collections.abc import Sequence

from textual.app import ComposeResult

from engine.errors import EngineError
from engine.models import Event
from tui import format as short
from tui.panes.detail_pane import DetailPane
from tui.sanitize import plain
from tui.state.world import World
from tui.widgets.table import Cell, cell
from tui.widgets.text_view import TextView


class TextPane(DetailPane):
    """The tabs that are text: which one is shown is the dashboard's choice."""

    def __init__(self, world: World) -> None:
        super().__init__(world, id="text")
        self.view = TextView()
        self._document: dict[str, object] = {}
        self._shown = ("", "")  # container id and tab

    @property
    def tab(self) -> str:
        chosen = self.app.dashboard.tab
        return chosen if chosen in ("env", "events") else "env"

    def compose(self) -> ComposeResult:
        yield self.view

    def on_mount(self) -> None:
        super().on_mount()
        self.world.watch(self.update_if_shown, "events")

    def update(self) -> None:
        container = self.world.container
        if container is None:
            self._paint([cell("No container is selected.", "muted")])
        elif self.tab == "events":
            self.app.behind(self, "reading the events", self._load_events, container.id)
        else:
            self.app.behind(self, "reading the environment", self._load, container.id)

    async def _load(self, container_id: str) -> None:
        try:
            document = await (await self.app.engine_ready()).inspect_container(container_id)
        except EngineError as error:
            self._paint([cell(plain(str(error)), "bad")])
            return
        if (self.world.subject, self.tab) == (container_id, "env"):
            self._paint(env_lines(document))

    async def _load_events(self, container_id: str) -> None:
        try:
            found = await (await self.app.engine_ready()).past_events(container_id)
        except EngineError as error:
            self._paint([cell(plain(str(error)), "bad")])
            return
        if (self.world.subject, self.tab) == (container_id, "events"):
            self._paint(event_lines(found))

    def _paint(self, lines: list[Cell]) -> None:
        shown = (self.world.subject, self.tab)
        self.view.show(lines, top=shown != self._shown)
        self._shown = shown


def event_lines(events: Sequence[Event]) -> list[Cell]:
    """The newest first, each with what is its own: name and image are the same in all."""
    if not events:
        return [cell("No event of it is kept any more.", "muted")]
    today = time.strftime("%Y-%m-%d")
    widest = max(len(event.action) for event in events)
    lines: list[Cell] = []
    for event in reversed(events):
        day = time.strftime("%Y-%m-%d", time.localtime(event.time))
        own = (f"{key}={value}" for key, value in event.attributes.items() if key not in ("name", "image"))
        lines.append(
            (
                (f"{'' if day == today else f'{day} '}{short.clock(event.time)}  ", "muted"),
                (f"{plain(event.action):<{widest}}  ", "bad" if event.action in ("oom", "die") else "title"),
                (plain(" ".join(own)), ""),
            )
        )
    return lines


def env_lines(document: dict[str, object]) -> list[Cell]:
    """NAME=value, the names aligned."""
    configuration = document.get("Config")
    variables = configuration.get("Env") if isinstance(configuration, dict) else None
    pairs = [str(variable).partition("=") for variable in variables or ()]
    if not pairs:
        return [cell("Its environment is empty.", "muted")]
    widest = min(28, max(len(name) for name, _, _ in pairs))
    return [((f"{plain(name):<{widest}}  ", "title"), (plain(value), "")) for name, _, value in pairs]
