"""The log of the selected container: the log viewer in the frame of a pane."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.models import State
from tui import format as short
from tui import phrases
from tui.panes.detail_pane import DetailPane
from tui.panes.pane import CORNERS
from tui.sanitize import plain
from tui.state.world import World

if TYPE_CHECKING:
    from tui.logs.status import StatusChanged
    from tui.logs.view import LogView


_TIP = (
    "{logs.follow} follows, {logs.search} searches, {logs.filter} filters,"
    " {logs.error} {logs.warn} {logs.info} {logs.debug} levels,"
    " {logs.select} chooses lines, {logs.previous_run} {logs.next_run} runs."
)
_NAMED = 3  # merged containers that the title has room to name


class LogsPane(DetailPane):
    TAB = "logs"

    def __init__(self, world: World) -> None:
        super().__init__(world, id="logs")
        self._view: LogView | None = None
        self._standing: StatusChanged | None = None
        self._new = 0  # lines below, while one has scrolled up

    @property
    def view(self) -> LogView:
        """The viewer; it comes with the first container, so that the first paint need not wait for its import."""
        if self._view is None:
            from tui.logs.view import LogView

            self._view = LogView(keys=self.app.preferences.keys)
            self.mount(self._view)
        return self._view

    @property
    def _ready(self) -> LogView | None:
        """The viewer, once it has been put together."""
        return self._view if self._view is not None and self._view.is_mounted else None

    def enter(self) -> None:
        if self._ready is None:
            super().enter()
        else:
            self._ready.focus_log()

    def find(self) -> None:
        if self._ready is None:
            self.call_after_refresh(self.view.action_search)
        else:
            self._ready.action_search()

    def update(self) -> None:
        container = self.world.container
        if container is None:
            self._standing = None
            if self._ready is not None:
                self._ready.clear("No container is selected.")
            return
        view = self.view
        if not view.is_mounted:
            self.call_after_refresh(self.update)
            return
        directory = self._directory(container.id)
        failed = container.state is State.CREATED and container.error
        ended = short.state(container) if failed or container.state in (State.EXITED, State.DEAD) else ""
        view.show(container.id, plain(container.name), directory, ended)

    def _directory(self, container_id: str) -> str:
        # where the log lies is a rule of the settings: the viewer reads it there, without the engine in between
        return str(self.app.settings.container_dir(container_id) / "log")

    def on_log_view_merge_wanted(self, event: LogView.MergeWanted) -> None:
        event.stop()
        self.merge()

    def merge(self) -> None:
        """Show the logs of the marked containers as one."""
        if self._ready is None:
            self.view.call_after_refresh(self.merge)
            return
        marked = self.app.dashboard.containers.chosen()
        self.view.show_merged([(each.id, plain(each.name), self._directory(each.id)) for each in marked])

    def on_log_view_status_changed(self, event: StatusChanged) -> None:
        event.stop()
        self._standing = event
        self.retitle()
        if event.new != self._new:
            self._new = event.new
            if self.app.dashboard.active is self:
                self.app.dashboard.status.show_tip(self.tip())

    def who(self) -> str:
        names = self._ready.body.names if self._ready is not None else ()
        if not names:
            return super().who()
        return " + ".join(name.strip() for name in names) if len(names) <= _NAMED else f"{len(names)} containers"

    def hint(self) -> str:
        return self._standing.within(self.outer_size.width - CORNERS) if self._standing is not None else ""

    def tip(self) -> str:
        if self._new:
            follow = " or ".join(self.app.keys_of("logs.follow")[:2])
            return f"{self._new:,} new {'line' if self._new == 1 else 'lines'} below. {follow}: follow again."
        return phrases.words(_TIP, self.app.preferences.keys)
