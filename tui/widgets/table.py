"""A list with aligned columns, a cursor, marks and a fixed heading, drawn line by line."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import BindingType
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip

from tui import keymap
from tui.widgets.tones import TONES, Toned
from tui.widgets.wrapped import wrapped

Span = tuple[str, str]  # text and the name of a tone
Cell = tuple[Span, ...]

GAP = 2
LEAD = 4  # cells before the first column: cursor, mark, glyph, space
USED = 2.0  # seconds after a key or a movement of the mouse over it: rows are being looked at one by one


def cell(text: str, tone: str = "") -> Cell:
    return ((text, tone),)


@dataclass(frozen=True, slots=True)
class Column:
    """`drop`: 0 never; of the others the highest goes first when the room is short.

    Before a column drops, the others shrink to `fair` cells; after all that may have dropped, to `least`. Of a text
    that is too long the beginning is shown; with `end` its end is, where what tells apart stands there.
    """

    key: str
    title: str
    right: bool = False
    drop: int = 0
    least: int = 0
    fair: int = 60
    most: int = 60
    end: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """`key` names it for ever: the cursor and the marks follow the key, not the place."""

    key: str
    cells: tuple[Cell, ...]
    glyph: Span = (" ", "")


@dataclass(frozen=True, slots=True)
class Placed:
    index: int
    x: int
    width: int


class Table(Toned, can_focus=True):
    """Rows are replaced as a whole by `show`; only the lines that differ are painted again."""

    PREFIX = "table"
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "table--heading",
        "table--cursor",
        "table--cursor-blurred",
        *(f"table--{tone}" for tone in TONES),
    }
    BINDINGS: ClassVar[list[BindingType]] = keymap.bindings("rows")

    @dataclass
    class Highlighted(Message):
        """The cursor rests on another row ("" on none)."""

        table: Table
        key: str

        @property
        def control(self) -> Table:
            return self.table

    @dataclass
    class Activated(Message):
        """A row was double-clicked."""

        table: Table
        key: str

    @dataclass
    class HeadingClicked(Message):
        table: Table
        column: str

    def __init__(self, columns: Sequence[Column], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.columns = tuple(columns)
        self._top = self._heading_lines()
        self.rows: list[Row] = []
        self.marks: set[str] = set()
        self.message: list[Cell] = []
        self.sort_column = ""
        self.sort_down = False
        self._cursor = 0
        self._told = ""
        self._left_from = ""  # the row of the cursor while there are none: a filter may give them back
        self._widths: list[int] = []
        self._placed: tuple[int, list[Placed]] | None = None
        self._painted: dict[int, str] = {}  # which row stands on a line of the screen
        self._pressed = ""  # the row that stood under the mouse when its button went down
        self._used = 0.0

    # what it shows --------------------------------------------------------------------------------

    @property
    def cursor_key(self) -> str:
        return self.rows[self._cursor].key if self.rows else ""

    @property
    def cursor(self) -> int:
        return self._cursor

    @property
    def in_use(self) -> bool:
        """Whether a key or the mouse was at it a moment ago: rows that change places now would be missed."""
        return time.monotonic() < self._used + USED

    def release(self) -> None:
        """Whatever was done with it lately, the rows may change places now."""
        self._used = 0.0

    def show(self, rows: Sequence[Row], message: Sequence[Cell] = (), hidden: Iterable[str] = ()) -> None:
        """Replace the rows. The cursor stays on its row, or at its place if the row went. `message` is for no rows.

        `hidden` are the keys of what is there without a row now: their marks stay.
        """
        key, before, said = self.cursor_key or self._left_from, self.rows, self.message
        in_view = not before or key in self.visible_keys()
        self.rows = list(rows)
        self.message = list(message)
        self._left_from = "" if self.rows else key
        self.marks.intersection_update([*(row.key for row in rows), *hidden])
        place = next((index for index, row in enumerate(self.rows) if row.key == key), None)
        moved = place != self._cursor
        self._cursor = place if place is not None else max(0, min(self._cursor, len(self.rows) - 1))
        widths = self._natural()
        if not self.rows and not before and self.message == said:
            pass  # nothing is still nothing
        elif widths != self._widths or not self.rows or not before or len(before) != len(self.rows):
            self._widths, self._placed = widths, None
            self.virtual_size = Size(0, len(self.rows) + self._top)
            self.refresh()
        elif moved:
            self.refresh()
        else:
            for index, (old, new) in enumerate(zip(before, self.rows, strict=True)):
                if old != new:
                    self._refresh_row(index)
        if in_view and (moved or len(before) != len(self.rows)):
            self.call_after_refresh(self._reveal)  # how far it can scroll is known then
        self._tell()

    def update(self, rows: Sequence[Row]) -> None:
        """New contents for some of the rows, which must be there; their order stays. Columns only get wider."""
        news = {row.key: row for row in rows}
        wider = False
        for index, old in enumerate(self.rows):
            new = news.get(old.key)
            if new is None or new == old:
                continue
            self.rows[index] = new
            for place, (before, after) in enumerate(zip(old.cells, new.cells, strict=True)):
                if before is not after and before != after:
                    width = min(self.columns[place].most, _length(after))
                    if width > self._widths[place]:
                        self._widths[place], wider = width, True
            if not wider:
                self._refresh_row(index)
        if wider:
            self._placed = None
            self.refresh()

    def set_columns(self, columns: Sequence[Column]) -> None:
        """Other columns; rows that fit them must follow at once."""
        self.columns = tuple(columns)
        self._top = self._heading_lines()
        self.rows, self._widths, self._placed = [], [], None

    def _heading_lines(self) -> int:
        return 1 if any(column.title for column in self.columns) else 0

    def select(self, key: str) -> bool:
        """Put the cursor on the row called `key`; False if it is not shown."""
        for index, row in enumerate(self.rows):
            if row.key == key:
                self._go(index)
                return True
        return False

    def visible_keys(self) -> list[str]:
        """The rows on screen now."""
        top = self.scroll_offset.y
        return [row.key for row in self.rows[top : top + max(0, self.size.height - self._top)]]

    def has_room(self, key: str) -> bool:
        """Whether the cell of the current row in the column `key` is shown whole."""
        for placed in self._place(self.size.width):
            if self.rows and self.columns[placed.index].key == key:
                return _length(self.rows[self._cursor].cells[placed.index]) <= placed.width
        return not self.rows

    def chosen(self) -> list[str]:
        """The marked rows that are shown, or the one under the cursor; none if all that are marked are hidden."""
        if self.marks:
            return [row.key for row in self.rows if row.key in self.marks]
        return [self.cursor_key] if self.rows else []

    # moving ---------------------------------------------------------------------------------------

    def action_cursor_down(self) -> None:
        self._go(self._cursor + 1)

    def action_cursor_up(self) -> None:
        self._go(self._cursor - 1)

    def action_cursor_first(self) -> None:
        self._go(0)

    def action_cursor_last(self) -> None:
        self._go(len(self.rows) - 1)

    def action_page_down(self) -> None:
        self._go(self._cursor + max(1, self.size.height - 2))

    def action_page_up(self) -> None:
        self._go(self._cursor - max(1, self.size.height - 2))

    def mark(self) -> None:
        """Mark or unmark the row under the cursor, and go on."""
        if self.rows:
            self.marks ^= {self.cursor_key}
            self._refresh_row(self._cursor)
            self._go(self._cursor + 1)
            self.post_message(self.Highlighted(self, self.cursor_key))

    def mark_all(self) -> None:
        """Mark every row that is shown; none at all, if these are."""
        keys = {row.key for row in self.rows}
        self.marks = set() if keys <= self.marks else self.marks | keys
        self.refresh()
        self.post_message(self.Highlighted(self, self.cursor_key))

    @property
    def hidden_marks(self) -> int:
        """How many marks are on what has no row now."""
        return len(self.marks) - sum(1 for row in self.rows if row.key in self.marks)

    def clear_marks(self) -> bool:
        had = bool(self.marks)
        self.marks.clear()
        self.refresh()
        return had

    def _go(self, index: int) -> None:
        index = max(0, min(index, len(self.rows) - 1))
        if index != self._cursor:
            self._refresh_row(self._cursor)
            self._cursor = index
            self._refresh_row(index)
            self._reveal()
            self._tell()

    def _tell(self) -> None:
        if self.cursor_key != self._told:
            self._told = self.cursor_key
            self.post_message(self.Highlighted(self, self._told))

    def _reveal(self) -> None:
        top, room = self.scroll_offset.y, max(1, self.size.height - self._top)
        if self._cursor < top:
            self.scroll_to(y=self._cursor, animate=False, immediate=True)
        elif self._cursor >= top + room:
            self.scroll_to(y=self._cursor - room + 1, animate=False, immediate=True)

    def _refresh_row(self, index: int) -> None:
        y = index - self.scroll_offset.y + self._top
        if self._top <= y < self.size.height:
            self.refresh_lines(self.scroll_offset.y + y, 1)

    # being used -----------------------------------------------------------------------------------

    def on_key(self) -> None:
        self._used = time.monotonic()

    def on_mouse_move(self) -> None:
        self._used = time.monotonic()

    def on_mouse_down(self, event: events.MouseDown) -> None:
        self._used = time.monotonic()
        offset = event.get_content_offset(self)
        self._pressed = self._painted.get(offset.y, "") if offset is not None else ""

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None:
            return
        if offset.y < self._top:
            for placed in self._place(self.size.width):
                if placed.x <= offset.x < placed.x + placed.width + GAP:
                    self.post_message(self.HeadingClicked(self, self.columns[placed.index].key))
            return
        if self.select(self._pressed) and event.chain == 2:
            self.post_message(self.Activated(self, self.cursor_key))

    # drawing --------------------------------------------------------------------------------------

    def on_resize(self) -> None:
        self._placed = None
        self._reveal()

    def on_focus(self) -> None:
        self._refresh_row(self._cursor)

    def on_blur(self) -> None:
        self._refresh_row(self._cursor)

    def _natural(self) -> list[int]:
        widths = []
        for index, column in enumerate(self.columns):
            widest = max((_length(row.cells[index]) for row in self.rows), default=0)
            heading = cell_len(column.title) + (2 if column.key == self.sort_column else 0)
            widths.append(min(column.most, max(widest, heading, column.least)))
        return widths

    def _place(self, width: int) -> list[Placed]:
        """Where each column stands: the least important drop out, then the widest that may shrink do so."""
        if self._placed is not None and self._placed[0] == width:
            return self._placed[1]
        room = width - LEAD - 1
        widths = dict(enumerate(self._widths or self._natural()))

        def needed() -> int:
            return sum(widths.values()) + GAP * max(0, len(widths) - 1)

        def shrink(limit: Callable[[Column], int]) -> None:
            while needed() > room:
                index = max(widths, key=lambda index: widths[index] - limit(self.columns[index]))
                if widths[index] <= limit(self.columns[index]):
                    return
                widths[index] -= 1

        shrink(lambda column: max(column.fair, column.least))
        while needed() > room and any(self.columns[index].drop for index in widths):
            del widths[max(widths, key=lambda index: self.columns[index].drop)]
        natural = self._widths or self._natural()
        for index in widths:  # what dropped may have left room for those that had shrunk
            widths[index] = min(natural[index], widths[index] + max(0, room - needed()))
        shrink(lambda column: max(3, column.least))
        placed, x = [], LEAD
        for index in sorted(widths):
            placed.append(Placed(index, x, widths[index]))
            x += widths[index] + GAP
        self._placed = (width, placed)
        return placed

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        base = self.tone("")
        if y < self._top:
            return self._heading(width) if self.rows else Strip.blank(width, base)
        index = self.scroll_offset.y + y - self._top
        self._painted[y] = self.rows[index].key if index < len(self.rows) else ""
        if index < len(self.rows):
            return self._row(index, width)
        message = [] if self.rows else [part for line in self.message for part in wrapped(line, width - LEAD)]
        if 0 <= y - self._top < len(message):
            spans = [(" " * (LEAD - 1), ""), *message[y - self._top]]
            return self._strip([Segment(text, self.tone(tone)) for text, tone in spans], width, base)
        return Strip.blank(width, base)

    @staticmethod
    def _strip(segments: list[Segment], width: int, base: Style) -> Strip:
        return Strip(segments).simplify().adjust_cell_length(width, base)  # fewer bytes for a slow line

    def _heading(self, width: int) -> Strip:
        style = self.tone("heading")
        segments = [Segment(" " * LEAD, style)]
        for placed in self._place(width):
            column = self.columns[placed.index]
            title = column.title
            if column.key == self.sort_column:
                title += " ▼" if self.sort_down else " ▲"
            segments.append(Segment(_fit(title, placed.width, column.right) + " " * GAP, style))
        return self._strip(segments, width, style)

    def _row(self, index: int, width: int) -> Strip:
        row, base = self.rows[index], self.tone("")
        current = index == self._cursor
        over = None
        if current:
            over = self.tone("cursor" if self.has_focus else "cursor-blurred")
        marked = row.key in self.marks
        segments = [
            Segment("▸" if current else " ", over or self.tone("title")),
            Segment("✓" if marked else " ", over or self.tone("accent")),
            Segment(row.glyph[0] + " ", over or self.tone(row.glyph[1])),
        ]
        for placed in self._place(width):
            segments.extend(self._cell(row.cells[placed.index], placed, over))
        return self._strip(segments, width, over or base)

    def _cell(self, spans: Cell, placed: Placed, over: Style | None) -> list[Segment]:
        column = self.columns[placed.index]
        used = sum(cell_len(text) for text, _ in spans)
        while used > placed.width and len(spans) > 1:  # the first says the most: it stays whole as long as it can
            used -= cell_len(spans[-1][0])
            spans = spans[:-1]
        if len(spans) == 1:
            text = _fit(spans[0][0], placed.width, column.right, column.end)
            return [Segment(text + " " * GAP, over or self.tone(spans[0][1]))]
        segments = [Segment(text, over or self.tone(tone)) for text, tone in spans]
        blank = Segment(" " * (placed.width - used), over or self.tone(""))
        segments = [blank, *segments] if column.right else [*segments, blank]
        return [*segments, Segment(" " * GAP, over or self.tone(""))]


def _length(spans: Cell) -> int:
    return sum(len(text) if text.isascii() else cell_len(text) for text, _ in spans)


def _fit(text: str, width: int, right: bool, end: bool = False) -> str:
    length = cell_len(text)
    if length > width:
        if end and width > 1:
            tail = set_cell_size(text[::-1], width - 1)[::-1]
            whole = tail[max(0, tail.find("/")) :]  # of a path whole words: `…/busybox`, not `…ary/busybox`
            return _fit("…" + whole, width, right)
        return set_cell_size(text, width - 1) + "…" if width > 1 else text[:width]
    return " " * (width - length) + text if right else text + " " * (width - length)
