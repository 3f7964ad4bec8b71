"""What went wrong with which of many: a line for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from tui.dialogs.dialog import Dialog
from tui.widgets.table import Cell
from tui.widgets.text_view import TextView

if TYPE_CHECKING:
    from tui.operations import Outcome

ROOM = 8  # rows of the screen that are not the list's


class Problems(Dialog[None]):
    """Shown after an action on several that did not go well with all of them; `y` copies it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "copy", "Copy", show=False),
        Binding("enter", "close", show=False),
    ]

    def __init__(self, title: str, failed: Sequence[Outcome]) -> None:
        super().__init__(title, "y copy  esc close")
        self._view = TextView()
        self._view.show([line for outcome in failed for line in _lines(outcome)])
        self._count = len(self._view.text.splitlines())
        self.add_class("-problems")

    def inside(self) -> ComposeResult:
        yield self._view

    def on_mount(self) -> None:
        self._view.styles.height = min(self._count, max(3, self.app.size.height - ROOM))

    def action_copy(self) -> None:
        self.app.copy(self._view.text)


def _lines(outcome: Outcome) -> list[Cell]:
    lines: list[Cell] = [(("✗ ", "bad"), (outcome.name, "title"), (f"  {outcome.problem}", ""))]
    return [*lines, ((f"    {outcome.hint}", "muted"),)] if outcome.hint else lines
