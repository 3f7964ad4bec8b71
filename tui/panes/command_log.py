"""What was done, as the command lines that would have done the same: the dashboard teaches the command line."""

from __future__ import annotations

import textwrap
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.strip import Strip

from tui import format as short
from tui.panes.pane import Pane
from tui.state.world import Entry, World
from tui.widgets.table import Cell, cell
from tui.widgets.text_view import TextView

if TYPE_CHECKING:
    from tui.app import Pilothouse

INDENT = 12  # cells: the time, the sign
SIGNS = {"running": ("… ", "accent"), "ok": ("✓ ", "good"), "failed": ("✗ ", "bad"), "cancelled": ("■ ", "warn")}


class CommandLogPane(Pane):
    def __init__(self, world: World) -> None:
        super().__init__(world, id="commands")
        self.view = CommandLines()

    def compose(self) -> ComposeResult:
        yield self.view

    def on_mount(self) -> None:
        self.world.watch(self.update, "log")
        self.update()

    def update(self) -> None:
        self.view.put([entry for entry in self.world.log if entry.command])
        self.retitle()

    def heading(self) -> tuple[str, str]:
        return "Command log", ""

    def hint(self) -> str:
        return "{detail.copy}:copy line"

    def tip(self) -> str:
        return "Every action, as the command line that would have done the same."


class CommandLines(TextView):
    """The entries with a cursor on one of them; long ones are wrapped. On the newest it goes along with what comes."""

    app: Pilothouse

    COMPONENT_CLASSES: ClassVar[set[str]] = {*TextView.COMPONENT_CLASSES, "text-view--cursor"}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", show=False),
        Binding("up,k", "move(-1)", show=False),
        Binding("home,g", "move(-500)", show=False),
        Binding("end,G", "move(500)", show=False),
        Binding("pageup", "move(-4)", show=False),
        Binding("pagedown,space", "move(4)", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._entries: list[Entry] = []
        self._starts: list[int] = []  # the first line of each
        self._chosen: Entry | None = None  # None: the newest

    def put(self, entries: list[Entry]) -> None:
        """Show these, the oldest first."""
        self._entries = entries
        self._fold()

    def _fold(self) -> None:
        lines: list[Cell] = []
        self._starts = []
        for entry in self._entries:
            self._starts.append(len(lines))
            lines += entry_lines(entry, self.size.width - 2)
        self.show(lines or [cell("Nothing yet. Every action appears here as a command line.", "muted")])
        self._reveal()

    def on_resize(self) -> None:
        self._fold()

    def on_focus(self, event: events.Focus) -> None:
        self.refresh()

    def on_blur(self, event: events.Blur) -> None:
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        y = event.y + self.scroll_offset.y
        self._choose(sum(1 for start in self._starts if start <= y) - 1)

    @property
    def _place(self) -> int:
        newest = len(self._entries) - 1
        if self._chosen is None:
            return newest  # below: the oldest fall out of the log
        return next((place for place, entry in enumerate(self._entries) if entry is self._chosen), newest)

    def _lines_of(self, place: int) -> range:
        ends = [*self._starts[1:], len(self._lines)]
        return range(self._starts[place], ends[place]) if self._starts else range(0)

    def action_move(self, step: int) -> None:
        self._choose(max(0, min(len(self._entries) - 1, self._place + step)))

    def _choose(self, place: int) -> None:
        newest = place >= len(self._entries) - 1
        self._chosen = None if newest or place < 0 else self._entries[place]
        self._reveal()
        self.refresh()

    def _reveal(self) -> None:
        shown = self._lines_of(self._place)
        if self._chosen is None or not shown:
            self.scroll_end(animate=False)
        elif shown.start < self.scroll_offset.y:
            self.scroll_to(y=shown.start, animate=False)
        elif shown.stop > self.scroll_offset.y + self.size.height:
            self.scroll_to(y=shown.stop - self.size.height, animate=False)

    def action_copy_text(self) -> None:
        """The command line; nothing else of it belongs into a shell."""
        if self._entries:
            self.app.copy(self._entries[self._place].command)

    def render_line(self, y: int) -> Strip:
        top, width = self.scroll_offset.y, self.size.width
        chosen = self._lines_of(self._place)
        if not self.has_focus or top + y not in chosen:
            return super().render_line(y)
        sign, style = "▸" if top + y == chosen.start else " ", self.tone("cursor")
        segments = [Segment(sign, style), *(Segment(text, style) for text, _ in self._lines[top + y])]
        return Strip(segments).crop_extend(0, width, style)


def entry_lines(entry: Entry, width: int) -> list[Cell]:
    """The command and how long it took; under it, if it did not go well, why."""
    room = max(20, width - INDENT)
    head: Cell = ((f"{short.clock(entry.started)}  ", "muted"), SIGNS[entry.state])
    blank = ((" " * INDENT, ""),)
    lines: list[Cell] = [
        (*(blank if place else head), (part, "")) for place, part in enumerate(folded(entry.command, room))
    ]
    if entry.state == "running":
        return lines
    _add(lines, short.took(entry.took), "muted", room)
    if entry.state == "ok":
        return lines
    tone = "bad" if entry.state == "failed" else "muted"
    lines += [(*blank, (part, tone)) for part in folded(entry.sentence, room)]
    if entry.hint:
        _add(lines, entry.hint, "muted", room)
    return lines


def _add(lines: list[Cell], text: str, tone: str, room: int) -> None:
    """Behind the last line if there is room, else in lines of its own."""
    used = sum(len(part) for part, _ in lines[-1]) - INDENT
    if used + 2 + len(text) <= room:
        lines[-1] = (*lines[-1], (f"  {text}", tone))
    else:
        lines += [((" " * INDENT, ""), (part, tone)) for part in folded(text, room)]


@lru_cache(maxsize=2048)  # the log is folded anew with every entry
def folded(text: str, room: int) -> tuple[str, ...]:
    """Lines of at most `room` characters, broken at blanks."""
    return tuple(textwrap.wrap(text, room, break_on_hyphens=False)) or ("",)
