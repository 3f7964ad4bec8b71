"""One of a few things, by cursor or by its letter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from tui.dialogs.dialog import Dialog
from tui.widgets.table import Column, Row, Table, cell


@dataclass(frozen=True, slots=True)
class Choice:
    """`value` is the answer; `key` a letter that chooses it at once."""

    value: str
    key: str
    label: str
    note: str = ""


SIGNALS = (
    Choice("SIGKILL", "k", "SIGKILL", "end it now; it cannot clean up"),
    Choice("SIGTERM", "t", "SIGTERM", "ask it to end"),
    Choice("SIGINT", "i", "SIGINT", "as ctrl-C would"),
    Choice("SIGQUIT", "q", "SIGQUIT", "end; many programs dump their state first"),
    Choice("SIGHUP", "h", "SIGHUP", "many servers read their configuration again"),
    Choice("SIGUSR1", "1", "SIGUSR1", "what the program makes of it"),
    Choice("SIGUSR2", "2", "SIGUSR2", "what the program makes of it"),
)


class Choose(Dialog[str]):
    """Answers with the value of the choice."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "take", "Choose", show=False, priority=True)]

    def __init__(self, title: str, choices: Sequence[Choice]) -> None:
        super().__init__(title, "enter choose  esc close")
        self._choices = list(choices)

    def inside(self) -> ComposeResult:
        table = Table((Column("key", ""), Column("label", "", least=8), Column("note", "", drop=1, most=90)))
        table.styles.height = len(self._choices)
        rows = [Row(c.value, (cell(c.key, "title"), cell(c.label), cell(c.note, "muted"))) for c in self._choices]
        table.show(rows)
        yield table

    def on_table_highlighted(self, event: Table.Highlighted) -> None:
        event.stop()

    def on_table_activated(self, event: Table.Activated) -> None:
        self.dismiss(event.key)

    def action_take(self) -> None:
        self.dismiss(self.query_one(Table).cursor_key or None)

    def on_key(self, event: events.Key) -> None:
        for choice in self._choices:
            if event.character == choice.key:
                event.stop()
                event.prevent_default()
                self.dismiss(choice.value)
                return
