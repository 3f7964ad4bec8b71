"""The dialog in which the columns of the list of containers are chosen and put in order."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from tui.containers import columns
from tui.dialogs.dialog import Dialog
from tui.widgets.table import Column, Row, Table, cell


class ChooseColumns(Dialog[tuple[str, ...]]):
    """Answers with the keys of the columns, in order."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "take", "Keep", show=False, priority=True),
        Binding("space", "show_or_hide", "Show or hide", show=False, priority=True),
        Binding("shift+up,K", "move(-1)", "Up", show=False),
        Binding("shift+down,J", "move(1)", "Down", show=False),
        Binding("0", "default", "Default", show=False),
    ]

    def __init__(self, chosen: tuple[str, ...]) -> None:
        super().__init__("Columns", "space show or hide  J K move  0 as it was made  enter keep  esc cancel")
        self._order = [*chosen, *(key for key in columns.BY_KEY if key not in chosen)]
        self._chosen = set(chosen)

    def inside(self) -> ComposeResult:
        table = Table((Column("tick", ""), Column("title", "", least=8), Column("help", "", drop=1, most=60)))
        table.styles.height = len(self._order)
        table.show(self._rows())
        yield table

    def _rows(self) -> list[Row]:
        rows = []
        for key in self._order:
            offer = columns.BY_KEY[key]
            tick = "[x]" if key in self._chosen else "[ ]"
            note = f"{offer.help} (always shown)" if offer.fixed else offer.help
            rows.append(
                Row(key, (cell(tick, "muted" if offer.fixed else ""), cell(offer.column.title), cell(note, "muted")))
            )
        return rows

    def on_table_highlighted(self, event: Table.Highlighted) -> None:
        event.stop()

    def on_table_activated(self, event: Table.Activated) -> None:
        event.stop()
        self.action_show_or_hide()

    def action_show_or_hide(self) -> None:
        table = self.query_one(Table)
        key = table.cursor_key
        if not columns.BY_KEY[key].fixed:
            self._chosen ^= {key}
            table.update(self._rows())

    def action_move(self, step: int) -> None:
        table = self.query_one(Table)
        place = self._order.index(table.cursor_key)
        other = place + step
        if 0 <= other < len(self._order):
            self._order[place], self._order[other] = self._order[other], self._order[place]
            table.show(self._rows())

    def action_default(self) -> None:
        self._chosen = set(columns.DEFAULT)
        self._order = list(columns.BY_KEY)
        self.query_one(Table).show(self._rows())

    def action_take(self) -> None:
        self.dismiss(tuple(key for key in self._order if key in self._chosen))
