"""What went wrong with which of many: a line for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from tui.dialogs.dialog import Dialog
from tui.widgets.table import Cell
from tui.widgets.text_view import TextView
from tui.widgets.wrapped import wrapped

if TYPE_CHECKING:
    from tui.operations import Outcome

ROOM = 8  # rows of the screen that are not the list's
FRAME = 9  # cells of its width that are not the list's: frame, margins, a scrollbar
INDENT = " " * 4  # before what goes on below


class Problems(Dialog[None]):
    """Shown after an action on several that did not go well with all of them; `y` copies it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "copy", "Copy", show=False),
        Binding("enter", "close", show=False),
    ]

    def __init__(self, title: str, failed: Sequence[Outcome]) -> None:
        super().__init__(title, "y copy  esc close")
        self._view = TextView()
        self._failed = failed
        self.add_class("-problems")

    def inside(self) -> ComposeResult:
        self._fill()
        yield self._view

    def on_resize(self) -> None:
        self._fill()

    def _fill(self) -> None:
        """Wrap the lines to the width of the screen as it is now."""
        width = self.frame_width - FRAME
        lines = [row for outcome in self._failed for line in _lines(outcome) for row in _hung(line, width)]
        self._view.styles.height = min(len(lines), max(3, self.app.size.height - ROOM))
        self._view.show(lines)

    def action_copy(self) -> None:
        lines = [line for outcome in self._failed for line in _lines(outcome)]
        self.app.copy("\n".join("".join(text for text, _ in line) for line in lines))


def _lines(outcome: Outcome) -> list[Cell]:
    lines: list[Cell] = [(("✗ ", "bad"), (outcome.name, "title"), (f"  {outcome.problem}", ""))]
    return [*lines, ((f"{INDENT}{outcome.hint}", "muted"),)] if outcome.hint else lines


def _hung(line: Cell, width: int) -> list[Cell]:
    first, *more = wrapped(line, width - len(INDENT))
    return [first, *(((INDENT, ""), *row) for row in more)]
