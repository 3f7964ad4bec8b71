"""Read-only lines with scrolling: details, inspect, help."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.strip import Strip

from tui import keymap
from tui.widgets.table import Cell
from tui.widgets.tones import TONES, Toned


class TextView(Toned, can_focus=True):
    """Lines of toned spans; only those on screen are drawn. Text must be made plain before it comes here."""

    PREFIX = "text-view"
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"text-view--{tone}" for tone in TONES}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "scroll_down", show=False),
        Binding("up,k", "scroll_up", show=False),
        Binding("left", "scroll_left", show=False),
        Binding("right", "scroll_right", show=False),
        Binding("home,g", "scroll_home", show=False),
        Binding("end,G", "scroll_end", show=False),
        Binding("pageup", "page_up", show=False),
        Binding("pagedown,space", "page_down", show=False),
        *keymap.bindings("detail"),
    ]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines: list[Cell] = []

    @property
    def text(self) -> str:
        return "\n".join("".join(text for text, _ in line).rstrip() for line in self._lines)

    def show(self, lines: Sequence[Cell], *, top: bool = False) -> None:
        """Replace the lines; `top` scrolls back to the first."""
        before, self._lines = self._lines, list(lines)
        if before != self._lines:
            widest = max((sum(len(text) for text, _ in line) for line in lines), default=0)
            size = Size(widest + 1, len(self._lines))
            if size != self.virtual_size:
                self.virtual_size = size
                self.refresh()
            else:  # only what differs is painted
                for y, (old, new) in enumerate(zip(before, self._lines, strict=True)):
                    if old != new:
                        self.refresh_lines(y, 1)
        if top:
            self.scroll_to(0, 0, animate=False, immediate=True)

    def action_copy_text(self) -> None:
        self.app.copy_to_clipboard(self.text)
        self.notify("Copied", timeout=2)

    def render_line(self, y: int) -> Strip:
        left, top = self.scroll_offset
        width, base = self.size.width, self.tone("")
        if top + y >= len(self._lines):
            return Strip.blank(width, base)
        line = self._lines[top + y]
        strip = Strip([Segment(text, self.tone(tone)) for text, tone in ((" ", ""), *line)])
        return strip.crop_extend(left, left + width, base)
