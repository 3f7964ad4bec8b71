"""A text to be read, over the whole screen."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult

from tui.dialogs.dialog import Dialog
from tui.widgets.table import Cell
from tui.widgets.text_view import TextView


class Viewer(Dialog[None]):
    """Lines that were made plain; `note` stands in the frame."""

    def __init__(self, title: str, lines: Sequence[Cell], note: str = "") -> None:
        super().__init__(title if len(title) < 70 else f"…{title[-69:]}", f"{note}  esc close".strip())
        self._lines = lines
        self.add_class("-reader")

    def inside(self) -> ComposeResult:
        view = TextView()
        view.show(self._lines)
        yield view
