"""The keys that work here, then those that work everywhere, made from the table of keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.content import Content

from tui import keymap
from tui.dialogs.dialog import Dialog
from tui.sanitize import plain
from tui.widgets.table import Cell, cell
from tui.widgets.text_view import TextView

if TYPE_CHECKING:
    from tui.app import Pilothouse

# where the ID of a pane is not the name of its keys
_KEYS_OF = {"image": "layers", "text": "detail", "shell": "shelltab"}


def places(pane: str) -> tuple[str, ...]:
    """What of the table is heard in a pane, its own keys first."""
    own = _KEYS_OF.get(pane, pane)
    return next((place for place in keymap.PLACES if place[0] == own), ("rows",))


class Help(Dialog[None]):
    """Ends with what the engine warns of on this machine, which the header only counts."""

    app: Pilothouse

    def __init__(self, pane: str) -> None:
        super().__init__("Keys", "↑↓ scroll  esc close")
        self._panes = (*places(pane), "app")
        self._view = TextView()

    def inside(self) -> ComposeResult:
        self._fill()
        yield self._view

    def on_resize(self) -> None:
        self._fill()

    def _fill(self) -> None:
        """Wrap the words to the width of the screen as it is now."""
        width = self.frame_width - 9
        lines = [
            *help_lines(self._panes, width, self.app.preferences.keys),
            *warning_lines(self._warnings(), width),
        ]
        self._view.styles.height = min(len(lines), max(4, self.app.size.height - 4))
        self._view.show(lines)

    def on_mount(self) -> None:
        if self._warnings():
            frame = self.query_one("#dialog")
            frame.border_title = Content.styled(" Keys; warnings of this machine at the end ", "reverse bold")

    def _warnings(self) -> Sequence[str]:
        info = self.app.world.info
        return info.warnings if info is not None else ()


def warning_lines(warnings: Sequence[str], width: int) -> list[Cell]:
    """What the engine warns of, wrapped to `width` cells, after a blank line; nothing for nothing."""
    import textwrap

    lines = [
        cell(f"{'! ' if place == 0 else '  '}{words}", "warn")
        for warning in warnings
        for place, words in enumerate(textwrap.wrap(plain(warning), max(20, width - 2)))
    ]
    return [cell(""), cell("On this machine", "accent"), *lines] if lines else []


def help_lines(panes: tuple[str, ...], width: int, keys_in_force: Mapping[str, tuple[str, ...]]) -> list[Cell]:
    """A heading per pane, then its keys; the words wrapped to `width` cells."""
    import textwrap

    lines: list[Cell] = []
    for pane in panes:
        lines.append(cell(keymap.PANES[pane], "accent"))
        for key in keymap.of(pane):
            keys = " ".join(keymap.display(each) for each in keys_in_force[key.id])
            for number, words in enumerate(textwrap.wrap(key.help, max(8, width - 16))):
                lines.append(((f"  {keys if number == 0 else '':<14}", "title"), (words, "")))
        lines.append(cell(""))
    return lines[:-1]
