"""A detail pane with an outline and the line under it that searches it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult

from tui.inspect.outline import Outline
from tui.panes.detail_pane import DetailPane
from tui.state.world import World
from tui.widgets.table import Column, Table

if TYPE_CHECKING:
    from textual.widgets import Input

    from tui.widgets.filter_line import FilterLine


class OutlinePane(DetailPane):
    """Subclasses plant the tree in `update`."""

    def __init__(self, world: World, *, id: str, columns: tuple[Column, ...], opened: set[str]) -> None:
        super().__init__(world, id=id)
        self.outline = Outline(columns, opened=opened)
        self._filter_line: FilterLine | None = None

    def compose(self) -> ComposeResult:
        yield self.outline

    def enter(self) -> None:
        self.outline.focus()

    def find(self) -> None:
        if self._filter_line is None:
            from tui.widgets.filter_line import FilterLine

            self._filter_line = FilterLine(
                self.outline.search, placeholder="names and values   Enter keep   Esc clear", compact=True, id="filter"
            )
            self.mount(self._filter_line)
        self._filter_line.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.outline.look_for(event.value)
        self.retitle()

    def on_filter_line_done(self, event: FilterLine.Done) -> None:
        event.stop()
        self._close(keep=event.keep)

    def _close(self, *, keep: bool) -> None:
        if (not keep or not self.outline.search) and self._filter_line is not None:
            self._filter_line.remove()
            self._filter_line = None
            self.outline.look_for("")
            self.retitle()
        self.outline.focus()

    def back(self) -> bool:
        if self._filter_line is None:
            return False
        self._close(keep=False)
        return True

    def on_table_highlighted(self, event: Table.Highlighted) -> None:
        event.stop()
        self.refresh_bindings()
        self.retitle()
        if self.has_focus_within:
            self.app.dashboard.status.show_tip(self.tip())

    def hint(self) -> str:
        outline = self.outline
        if outline.search:
            return f"{outline.fitting} of {outline.total}"
        return "{app.find}:search  {tree.all}:unfold all" if outline.total else ""
