"""Choosing a theme: the dashboard behind the list wears the one under the cursor."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.timer import Timer

from engine.errors import InvalidInput
from tui import theming
from tui.dialogs.dialog import Dialog
from tui.panes.list_pane import REST
from tui.sanitize import plain
from tui.state import memory
from tui.widgets.table import Column, Row, Table, cell


class ThemePicker(Dialog[None]):
    """Enter keeps it for the next time too; Escape goes back. A theme with a mistake shows where it is."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "keep", show=False, priority=True)]

    def __init__(self) -> None:
        super().__init__("Theme", "enter keep  esc back")
        self._before = ""
        self._palettes: dict[str, theming.Palette] = {}
        self._resting: Timer | None = None

    def inside(self) -> ComposeResult:
        self._before = self.app.theme
        rows = []
        for name, path in theming.paths().items():
            try:
                palette = theming.read(path)
            except InvalidInput as error:
                words = plain(str(error).removeprefix(f"{path.parent}/"))
                rows.append(Row(name, (cell(name, "bad"), cell(words, "bad")), ("✗", "bad")))
                continue
            self._palettes[name] = palette
            rows.append(
                Row(name, (cell(name), cell(plain(palette.title), "muted")), ("●", "good" if palette.dark else "warn"))
            )
        table = Table((Column("name", "THEME", most=24), Column("title", "", most=120)))
        table.styles.height = len(rows) + 1
        table.show(rows)
        table.select(self._before)
        yield table

    def on_table_highlighted(self, event: Table.Highlighted) -> None:
        event.stop()
        if self._resting is not None:
            self._resting.stop()
        # every style is computed anew: not for a row the cursor only passes
        self._resting = self.set_timer(REST, self._preview)

    def _preview(self) -> None:
        palette = self._palettes.get(self.query_one(Table).cursor_key)
        if palette is not None and palette.name != self.app.theme and self.is_active:
            self.app.wear(palette)

    def on_table_activated(self) -> None:
        self.action_keep()

    def action_keep(self) -> None:
        key = self.query_one(Table).cursor_key
        if key not in self._palettes:
            return
        self.app.wear(self._palettes[key])
        kept = memory.remember_theme(key, self.app.preferences.theme)
        self.app.operations.say(
            f"theme {key}" + ("" if kept else f"; it cannot be remembered: {memory.path()} is not writable")
        )
        self.dismiss(None)

    def action_close(self) -> None:
        if self._before in self._palettes:
            self.app.wear(self._palettes[self._before])
        self.dismiss(None)
