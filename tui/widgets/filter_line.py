"""The line under a list that is typed into to filter it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input


class FilterLine(Input):
    """Appears at `/` and stays as long as it holds something. Enter keeps the filter, Escape drops it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,enter", "done(True)", show=False),
        Binding("escape", "done(False)", show=False),
    ]

    @dataclass
    class Done(Message):
        keep: bool

    def action_done(self, keep: bool) -> None:
        self.post_message(self.Done(keep))
