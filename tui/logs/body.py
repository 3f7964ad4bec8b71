"""The viewport of the log viewer: the rows that are on the screen, composed from the log for each paint."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from itertools import islice
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip

from tui.logs.bar import Bar
from tui.logs.layout import Look, Row
from tui.logs.looks import CLASSES, CSS, look_of
from tui.logs.selecting import COPY_LIMIT, SUB_ROWS, selected, text_of_rows
from tui.logs.shown import Shown, ShownLines, Source
from tui.logs.source import Line

WHEEL_ROWS = 3


class LogBody(ScrollView, can_focus=True):
    """A window on a log. Where it stands is a position of the log, so that no log is too long.

    It scrolls by itself: Textual's own scrolling would lay the screen out anew for every line that comes.
    """

    ALLOW_SELECT = True
    COMPONENT_CLASSES: ClassVar[set[str]] = CLASSES
    DEFAULT_CSS = CSS

    class Moved(Message):
        """The place in the log changed by the user's hand."""

    def __init__(self, open_key: str) -> None:
        """:param open_key: opens a line, as it is written on a keyboard."""
        super().__init__()
        self.open_key = open_key
        self.lines = ShownLines(self._lay_out_apart)
        self.following = True
        self.wrap = True
        self.time_mode = "time"
        self.note = ""  # shown when there are no lines
        self.names: tuple[str, ...] = ()  # of merged logs
        self._top = 0
        self._top_sub = 0
        self._left = 0
        self._shown: list[Shown] = []
        self._stale = True
        self._look: Look | None = None
        self._bar: Bar | None = None
        self._dragging = False
        self._selection: Selection | None = None  # as of the last paint

    # what is looked at ----------------------------------------------------------------------------
    @property
    def source(self) -> Source | None:
        return self.lines.source

    def open(self, source: Source | None, note: str = "", names: tuple[str, ...] = ()) -> None:
        """Look at another log, at its end."""
        self.note = note
        self.names = names
        self.lines.open(source)
        self.following = True
        self._left = 0
        self.changed(everything=True)

    def changed(self, *, everything: bool = False) -> None:
        """The log, or how it is to be shown, changed: paint anew. `everything`: rows made before are void."""
        if everything:
            self._look = None
            self.lines.forget_rows()
        self._stale = True
        self.refresh()

    def found_more(self) -> None:
        """A search went on: paint what that changes, which for most of a long one is a cell of the bar."""
        before, cells = self._shown, self._bar.kinds if self._bar is not None else []
        self._stale = True
        self._lay_out()
        if self._bar is None or self._shown != before or self.lines.current is not None:
            self.refresh()
            return
        column = self.size.width - 1
        changed = [y for y, kind in enumerate(self._bar.kinds) if y >= len(cells) or cells[y] != kind]
        if changed:
            self.refresh(Region(column, changed[0], 1, changed[-1] - changed[0] + 1))

    @property
    def visible_lines(self) -> list[Line]:
        self._lay_out()
        return list({shown.line.position: shown.line for shown in self._shown}.values())

    @property
    def top_position(self) -> int:
        self._lay_out()
        return self._shown[0].line.position if self._shown else 0

    def line_at_row(self, y: int) -> Line | None:
        self._lay_out()
        return self._shown[y].line if 0 <= y < len(self._shown) else None

    # moving ---------------------------------------------------------------------------------------
    def follow(self) -> None:
        self.following = True
        self._moved()

    def pause(self) -> None:
        """Stay where one is, whatever comes."""
        if self.following:
            self._lay_out()
            self.following = False
            self._stand_at(self._shown[0] if self._shown else None)

    def first(self) -> None:
        self.go_to(self.source.start if self.source else 0)

    def go_to(self, position: int, *, above: int = 0) -> None:
        """Put the line at `position` on top, or `above` rows below it."""
        self.following = False
        self._top, self._top_sub = position, 0
        if above:
            self.move(-above)
        self._moved()

    def show_line(self, position: int) -> None:
        """Bring a line onto the screen, and stay there."""
        rows = [y for y, shown in enumerate(self._laid_out()) if shown.line.position == position]
        if not rows or (rows[0] == 0 and self._shown[0].sub):
            self.go_to(position, above=self.size.height // 3)
        else:
            self.pause()
            self.changed()

    def move(self, delta: int) -> None:
        """Scroll by rows. Down past the end is to follow again."""
        self.pause()
        if not self._shown:
            return
        look = self._current_look()
        if delta < 0:
            wanted = -delta - self._top_sub
            if wanted <= 0:
                self._top_sub += delta
            else:
                self._top_sub = 0
                for line in self.lines.backward(self._top):
                    count = len(self.lines.rows_of(look, line))
                    self._top = line.position
                    wanted -= count
                    if wanted <= 0:
                        self._top_sub = -wanted
                        break
        else:
            ahead = list(islice(self.lines.rows_from(look, self._top, self._top_sub), delta + self.size.height + 1))
            if len(ahead) <= delta + self.size.height:
                self.following = True
            else:
                self._top, self._top_sub = ahead[delta].line.position, ahead[delta].sub
        self._moved()

    def page(self, direction: int) -> None:
        self.move(direction * max(self.size.height - 1, 1))

    def sideways(self, delta: int) -> None:
        if not self.wrap:
            self._left = max(self._left + delta, 0)
            self.refresh()

    def toggle_wrap(self) -> None:
        self.wrap = not self.wrap
        self._left = self._top_sub = 0
        self.changed(everything=True)

    def _moved(self) -> None:
        self.changed()
        self.post_message(self.Moved())

    def _stand_at(self, shown: Shown | None) -> None:
        if shown is not None:
            self._top, self._top_sub = shown.line.position, shown.sub

    # painting -------------------------------------------------------------------------------------
    def _laid_out(self) -> list[Shown]:
        self._lay_out()
        return self._shown

    def _lay_out(self) -> None:
        """Find the rows that are on the screen."""
        if not self._stale:
            return
        self._stale = False
        height = self.size.height
        self._shown = []
        self._selection = self.text_selection
        if self.source is None or height <= 0:
            return
        look = self._current_look()
        self.lines.batch = height + 1
        if not self.following:
            self._shown = list(islice(self.lines.rows_from(look, self._top, self._top_sub), height))
        if self.following or len(self._shown) < height:
            self._shown = self.lines.rows_up_to(look, self.lines.end, height)
        if self.following or (self._shown and self._shown[0].line.position != self._top):
            self._stand_at(self._shown[0] if self._shown else None)
        self._lay_out_bar(self.source, height)

    def _lay_out_apart(self, work: Callable[[], Sequence[Row]], done: Callable[[Sequence[Row]], None]) -> None:
        """Let a thread make rows; `done` is not called any more once the body is taken away."""

        async def lay_out() -> None:
            done(await asyncio.to_thread(work))
            self.changed()

        self.run_worker(lay_out(), group="rows")

    def _lay_out_bar(self, source: Source, height: int) -> None:
        assert self._bar is not None
        lines = self.lines
        matches = lines.search or lines.filter
        span = max(source.end - source.start, 1)
        first = last = 0
        if self._shown and not (self.following and len(self._shown) < height):
            first = (self._shown[0].line.position - source.start) * height // span
            last = height if self.following else (self._shown[-1].line.end - source.start) * height // span
        self._bar.lay_out(
            height,
            (first, last),
            matches.density(source.start, source.end, height) if matches is not None else [],
            [(mark - source.start) * height // span for mark in lines.marks],
        )

    def _current_look(self) -> Look:
        width = max(self.size.width - 1, 1)
        if self._look is None or self._look.width != width:
            self.lines.forget_rows()

            self._look = look_of(self, width)
            self._bar = Bar(self._look.base, lambda name: self.get_component_rich_style(name, partial=True))
        return self._look

    def render_line(self, y: int) -> Strip:
        look = self._current_look()
        self._lay_out()
        if y < len(self._shown):
            segments = self._segments(self._shown[y], look)
        elif y == 0 and self.note:
            note = Strip([Segment(self.note, look.base + look.fold)])
            segments = list(note.crop_extend(0, look.width, look.base))
        else:
            segments = [Segment(" " * look.width, look.base)]
        assert self._bar is not None
        # One strip a row and paint: making strips is what a flood of lines costs.
        return Strip([*segments, self._bar.cell(y)], look.width + 1)

    def _segments(self, shown: Shown, look: Look) -> list[Segment]:
        """The cells of a row, exactly as wide as the screen, each knowing its place for the mouse."""
        row, left = shown.row, 0 if shown.row.is_rule else self._left
        window = row.within(left, left + look.width)
        segments, cells = row.segments[window], row.cells
        column = sum(len(segment.text) for segment in row.segments[: window.start])
        key = shown.line.position * SUB_ROWS + shown.sub
        span = self._selection.get_span(key) if self._selection is not None and not shown.row.is_rule else None
        if span is not None:
            end = span[1] if span[1] < 0 else max(span[1] - column, 0)
            segments = selected(
                segments, (span[0] - column, end), self.screen.get_component_rich_style("screen--selection")
            )
        placed: list[Segment] = []
        for text, style, _ in segments:
            placed.append(Segment(text, (style or look.base) + Style.from_meta({"offset": (column, key)})))
            column += len(text)
        if left or cells > look.width:
            left -= row.starts[window.start] if row.starts and window.start < len(row.starts) else 0
            return list(Strip(placed).crop_extend(left, left + look.width, look.base))
        if cells < look.width:
            placed += self._margin(shown, look, look.width - cells)
        return placed

    def _margin(self, shown: Shown, look: Look, width: int) -> list[Segment]:
        """What is right of a row: for the match one stands on, which one it is."""
        words = self.lines.match_words(shown.line) if shown.sub == self.lines.rules_before(shown.line) else ""
        if not words or len(words) + 3 > width:
            return [Segment(" " * width, look.base)]
        return [Segment(" " * (width - len(words) - 1), look.base), Segment(words + " ", look.base + look.sign)]

    # Textual's events -----------------------------------------------------------------------------
    def on_resize(self, event: events.Resize) -> None:
        self.changed(everything=True)

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self.changed(everything=True)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        event.prevent_default()
        self.move(WHEEL_ROWS)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        event.prevent_default()
        self.move(-WHEEL_ROWS)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        if event.x >= self.size.width - 1:
            event.stop()
            self._dragging = True
            self.capture_mouse()
            self._drag_to(event.y)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if self._dragging:
            self._drag_to(event.y)

    def on_mouse_up(self, event: events.MouseUp) -> None:
        if self._dragging:
            self._dragging = False
            self.release_mouse()
            self.screen.clear_selection()

    def on_click(self, event: events.Click) -> None:
        """A click points at a line: Enter then opens it."""
        line = self.line_at_row(event.y) if event.x < self.size.width - 1 else None
        if line is not None:
            self.lines.pointed = line.position
            self.changed()

    def _drag_to(self, y: int) -> None:
        source, height = self.source, self.size.height
        if source is None:
            return
        if y >= height - 1:
            self.follow()
            return
        self.go_to(source.line_at(source.start + (source.end - source.start) * max(y, 0) // max(height - 1, 1)))

    # selection ------------------------------------------------------------------------------------
    def selection_updated(self, selection: Selection | None) -> None:
        if selection is not None and not self._dragging:
            self.pause()  # what one points at must not run away
        self.changed()

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        if self.source is None:
            return None
        begin = selection.start.y // SUB_ROWS if selection.start is not None else self.top_position
        end = selection.end.y // SUB_ROWS if selection.end is not None else self.lines.end
        look = self._current_look()
        parts: list[str] = []
        length = 0
        for line in self.lines.between(begin, end):
            text = text_of_rows(line, self.lines.rows_of(look, line), selection)
            if length > COPY_LIMIT:
                break
            if text is not None:
                parts.append(text)
                length += len(text)
        return "\n".join(parts), "\n"
