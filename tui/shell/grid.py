"""The cells of a terminal: pyte's screen, with what today's programs expect beyond a VT220.

Added or mended here: the alternate screen, a history, erasing with the colour of the background (terminfo's `bce`),
scrolling by lines, repetition, line drawing characters in UTF-8, colours with colons, one saved cursor instead of an
endless stack, widths of characters as the dashboard's own screen counts them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from copy import copy
from typing import Any

from pyte import charsets, modes
from pyte.screens import Char, Margins, Savepoint, Screen, StaticDefaultDict
from rich.cells import get_character_cell_size

from tui.sanitize import plain
from tui.shell.colors import graphic_rendition

HISTORY = 2000  # lines above the screen
LONGEST_CLUSTER = 8  # code points in one cell: a letter and its marks
LARGEST = 1000  # columns or rows

Line = StaticDefaultDict[int, Char]
Runs = list[tuple[str, Char]]  # text and the cell whose style it has

_APPLICATION_CURSOR = 1
_ALTERNATE = (47, 1047, 1049)
_MOUSE = (9, 1000, 1002, 1003)
_LINE_DRAWING = charsets.VT100_MAP


class _Cells(dict[str, Char]):
    """Cells of one style, made once per character."""

    def __init__(self, style: Char) -> None:
        super().__init__()
        self._style = style

    def __missing__(self, character: str) -> Char:
        if len(self) > 4096:
            self.clear()
        cell = self[character] = self._style._replace(data=character)
        return cell


class Grid(Screen):
    """Acts on what Parser reads. `answer` is called with what the terminal itself says to the program."""

    def __init__(self, columns: int, lines: int, answer: Callable[[str], None] = lambda text: None) -> None:
        self._answer = answer
        self._cells: dict[Char, _Cells] = {}
        self._other: tuple[dict[int, Line], Any] | None = None  # the main screen while the alternate one is shown
        self._last = ""  # the last character drawn, for REP
        self.history: deque[Runs] = deque(maxlen=HISTORY)
        self.private: set[int] = set()  # DEC private modes that are on
        super().__init__(columns, lines)

    # what the widget asks -------------------------------------------------------------------------

    @property
    def alternate(self) -> bool:
        return self._other is not None

    @property
    def application_cursor(self) -> bool:
        return _APPLICATION_CURSOR in self.private

    @property
    def mouse(self) -> int:
        """0 if the program takes no mouse; 9 presses, 1000 and releases, 1002 and drags, 1003 and moves."""
        return max((mode for mode in _MOUSE if mode in self.private), default=0)

    def row(self, y: int) -> Runs:
        return self._runs(self.buffer[y]) if y in self.buffer else []

    def text(self) -> str:
        """What is to be read on the screen."""
        return "\n".join("".join(text for text, _ in self.row(y)).rstrip() for y in range(self.lines))

    def _runs(self, line: Line) -> Runs:
        """Neighbours of one style together; halves of wide characters made blank."""
        runs: Runs = []
        text: list[str] = []
        style: Char | None = None
        last = max((x for x in line), default=-1)
        if line.default.bg != "default":
            last = self.columns - 1
        x = 0
        while x <= min(last, self.columns - 1):
            cell = line[x]
            data, width = cell.data or " ", 1
            if not data.isascii() and get_character_cell_size(data[0]) == 2:
                if x + 1 < self.columns and line[x + 1].data == "":
                    width = 2
                else:
                    data = " "
            if style is None or cell[1:] != style[1:]:
                if style is not None:
                    runs.append(("".join(text), style))
                text, style = [], cell
            text.append(data)
            x += width
        if style is not None:
            runs.append(("".join(text), style))
        return runs

    # drawing --------------------------------------------------------------------------------------

    def draw(self, data: str) -> None:
        charset = self.g1_charset if self.charset else self.g0_charset
        if charset is _LINE_DRAWING:
            data = data.translate(charset)
        if data:
            self._last = data[-1]
        cells = self._styled()
        if data.isascii() and modes.IRM not in self.mode:
            self._draw_narrow(data, cells)
            return
        for character in data:
            width = get_character_cell_size(character)
            if width == 0:
                self._combine(character)
                continue
            if self.cursor.x + width > self.columns and not self._wrap(width):
                continue
            if modes.IRM in self.mode:
                self.insert_characters(width)
            line, x = self.buffer[self.cursor.y], self.cursor.x
            line[x] = cells[character if len(plain(character)) == 1 else "\ufffd"]
            if width == 2:
                line[x + 1] = cells[""]
            self.cursor.x += width
            self.dirty.add(self.cursor.y)

    def _styled(self) -> _Cells:
        attributes = self.cursor.attrs
        cells = self._cells.get(attributes)
        if cells is None:
            if len(self._cells) > 512:  # a program that paints in true colour
                self._cells.clear()
            cells = self._cells[attributes] = _Cells(attributes)
        return cells

    def _draw_narrow(self, data: str, cells: _Cells) -> None:
        position, length = 0, len(data)
        while position < length:
            if self.cursor.x >= self.columns:
                self._wrap(1)
            if modes.DECAWM not in self.mode:  # what does not fit overwrites the last cell
                position = max(position, length - 1) if self.cursor.x == self.columns - 1 else position
            x = self.cursor.x
            count = min(length - position, self.columns - x)
            piece = data[position : position + count]
            self.buffer[self.cursor.y].update(zip(range(x, x + count), map(cells.__getitem__, piece), strict=True))
            self.cursor.x = x + count
            self.dirty.add(self.cursor.y)
            position += count

    def _wrap(self, width: int) -> bool:
        """Make room for a character that does not fit into the line; without wrapping it takes the place of the last.
        False if it is wider than the screen."""
        if modes.DECAWM in self.mode:
            self.carriage_return()
            self.index()
        else:
            self.cursor.x = max(0, self.columns - width)
        return width <= self.columns

    def _combine(self, character: str) -> None:
        """Put a mark onto the character before it."""
        line, x = self.buffer[self.cursor.y], self.cursor.x - 1
        if x > 0 and line[x].data == "":
            x -= 1
        if x < 0 or len(plain(character)) != 1 or "\ufe00" <= character <= "\ufe0f":
            return  # selectors would change the width of what is drawn already
        before = line[x]
        if before.data and len(before.data) < LONGEST_CLUSTER:
            line[x] = before._replace(data=before.data + character)
            self.dirty.add(self.cursor.y)

    # lines ----------------------------------------------------------------------------------------

    def _blank(self) -> Char:
        return Char(" ", bg=self.cursor.attrs.bg)

    def _blank_line(self) -> Line:
        return StaticDefaultDict(self._blank())

    def _region(self) -> Margins:
        return self.margins or Margins(0, self.lines - 1)

    def _shift(self, first: int, last: int, count: int) -> None:
        """Move the lines from `first` to `last` up by `count` (down, if negative); blank ones come after them."""
        kept = [self.buffer.pop(y, None) for y in range(first, last + 1)]
        size = len(kept)
        blanks: list[Line | None] = [self._blank_line() for _ in range(min(abs(count), size))]
        kept = [*kept[len(blanks) :], *blanks] if count > 0 else [*blanks, *kept[: size - len(blanks)]]
        for y, line in zip(range(first, last + 1), kept, strict=True):
            if line is not None:
                self.buffer[y] = line
        self.dirty.update(range(first, last + 1))

    def index(self) -> None:
        bottom = self._region().bottom
        if self.cursor.y == bottom:
            self.scroll_up(1)
        elif self.cursor.y < self.lines - 1:
            self.cursor.y += 1

    def reverse_index(self) -> None:
        top, bottom = self._region()
        if self.cursor.y == top:
            self._shift(top, bottom, -1)
        elif self.cursor.y > 0:
            self.cursor.y -= 1

    def scroll_up(self, count: int) -> None:
        top, bottom = self._region()
        count = min(count, bottom - top + 1)
        if top == 0 and not self.alternate:
            self.history.extend(self.row(y) for y in range(count))
        self._shift(top, bottom, count)

    def scroll_down(self, count: int) -> None:
        self._shift(*self._region(), -count)

    def insert_lines(self, count: int | None = None) -> None:
        top, bottom = self._region()
        if top <= self.cursor.y <= bottom:
            self._shift(self.cursor.y, bottom, -(count or 1))
            self.carriage_return()

    def delete_lines(self, count: int | None = None) -> None:
        top, bottom = self._region()
        if top <= self.cursor.y <= bottom:
            self._shift(self.cursor.y, bottom, count or 1)
            self.carriage_return()

    def erase_in_line(self, how: int = 0, private: bool = False) -> None:
        x, y = min(self.cursor.x, self.columns - 1), self.cursor.y
        if how == 2 or (how == 0 and x == 0):
            self.buffer[y] = self._blank_line()
        elif how in (0, 1):
            blank, line = self._blank(), self.buffer[y]
            for place in range(x, self.columns) if how == 0 else range(x + 1):
                line[place] = blank
        self.dirty.add(y)

    def erase_in_display(self, how: int = 0, *_: Any, **__: Any) -> None:
        if how in (0, 1):
            self.erase_in_line(how)
        if how == 3:
            self.history.clear()
            return
        rows = {0: range(self.cursor.y + 1, self.lines), 1: range(self.cursor.y), 2: range(self.lines)}.get(how, ())
        for y in rows:
            self.buffer[y] = self._blank_line()
        self.dirty.update(rows)

    def erase_characters(self, count: int | None = None) -> None:
        blank, line = self._blank(), self.buffer[self.cursor.y]
        for x in range(self.cursor.x, min(self.cursor.x + (count or 1), self.columns)):
            line[x] = blank
        self.dirty.add(self.cursor.y)

    # the whole screen -----------------------------------------------------------------------------

    def reset(self) -> None:
        self._other = None
        self.savepoints.clear()
        self.private = {7, 25}
        super().reset()
        self.g1_charset = charsets.LAT1_MAP

    def resize(self, lines: int | None = None, columns: int | None = None) -> None:
        """Lines above the cursor go into the history when there is no room for them; nothing is wrapped anew."""
        lines, columns = max(1, min(lines or self.lines, LARGEST)), max(2, min(columns or self.columns, LARGEST))
        if (lines, columns) == (self.lines, self.columns):
            return
        self.margins = None
        if (above := self.cursor.y - lines + 1) > 0:
            self.scroll_up(above)
            self.cursor.y -= above
        for buffer in (self.buffer, self._other[0] if self._other else {}):
            for y in [y for y in buffer if y >= lines]:
                del buffer[y]
            for line in buffer.values():
                for x in [x for x in line if x >= columns]:
                    del line[x]
        self.lines, self.columns = lines, columns
        self.tabstops = set(range(8, columns, 8))
        self.ensure_hbounds()
        self.ensure_vbounds()
        self.dirty.update(range(lines))

    def _show_alternate(self, on: bool) -> None:
        if on and self._other is None:
            self._other = (dict(self.buffer), copy(self.cursor))
            self.buffer.clear()
        elif not on and self._other is not None:
            buffer, cursor = self._other
            self._other = None
            self.buffer.clear()
            self.buffer.update(buffer)
            hidden = self.cursor.hidden
            self.cursor = cursor
            self.cursor.hidden = hidden
            self.ensure_hbounds()
            self.ensure_vbounds()
        self.margins = None
        self.dirty.update(range(self.lines))

    def set_private(self, mode: int, on: bool) -> None:
        """DECSET and DECRST of one mode."""
        (self.private.add if on else self.private.discard)(mode)
        if mode in _ALTERNATE:
            self._show_alternate(on)
        elif mode == 1048:
            self.save_cursor() if on else self.restore_cursor()
        elif mode in (5, 6, 7, 25):  # reverse screen, origin, wrap, cursor: pyte's own
            (self.set_mode if on else self.reset_mode)(mode, private=True)

    def save_cursor(self) -> None:
        self.savepoints[:] = []
        super().save_cursor()

    def restore_cursor(self) -> None:
        """The saved cursor stays saved (DECRC)."""
        saved: list[Savepoint] = [*self.savepoints]
        super().restore_cursor()
        if saved:
            self.savepoints[:] = [saved[0]._replace(cursor=copy(saved[0].cursor))]

    # what Parser tells ----------------------------------------------------------------------------

    def control(self, character: str) -> None:
        match character:
            case "\r":
                self.carriage_return()
            case "\n" | "\v" | "\f":
                self.linefeed()
            case "\b":
                self.backspace()
            case "\t":
                self.tab()
            case "\x0e":
                self.charset = 1
            case "\x0f":
                self.charset = 0

    def escape(self, mark: str, letter: str) -> None:
        if mark in ("(", ")"):
            chosen = _LINE_DRAWING if letter == "0" else charsets.LAT1_MAP
            if mark == "(":
                self.g0_charset = chosen
            else:
                self.g1_charset = chosen
            return
        if mark == "#" and letter == "8":
            self.alignment_display()
        if mark:
            return
        match letter:
            case "7":
                self.save_cursor()
            case "8":
                self.restore_cursor()
            case "D":
                self.index()
            case "E":
                self.carriage_return()
                self.index()
            case "H":
                self.set_tab_stop()
            case "M":
                self.reverse_index()
            case "c":
                self.reset()

    def string(self, kind: str, content: str) -> None:
        """Titles are kept; clipboards, colours and all else a program might ask of the user's terminal are not."""
        number, _, rest = content.partition(";")
        if kind == "]" and number in ("0", "2"):
            self.title = rest[:200]

    def sequence(self, prefix: str, parameters: list[list[int]], between: str, final: str) -> None:
        if final == "m" and not prefix and not between:
            self.cursor.attrs = graphic_rendition(self.cursor.attrs, parameters)
            return
        numbers = [parameter[0] for parameter in parameters]
        first = numbers[0]
        if (prefix, between) == ("?", ""):
            if final in "hl":
                for mode in numbers[:16]:
                    self.set_private(mode, final == "h")
            elif final == "J":
                self.erase_in_display(first)
            elif final == "K":
                self.erase_in_line(first)
        elif (prefix, between, final) == ("?", "$", "p"):
            self._answer(f"\x1b[?{first};{1 if first in self.private else 2}$y")
        elif (prefix, between, final) == (">", "", "c"):
            self._answer("\x1b[>0;276;0c")
        elif (prefix, between, final) == ("", "!", "p"):
            self._soft_reset()
        elif not prefix and not between:
            self._plain_sequence(final, first, numbers)

    def _soft_reset(self) -> None:
        self.margins = None
        self.private.discard(_APPLICATION_CURSOR)
        self.mode.discard(modes.IRM)
        self.cursor.attrs = self.default_char
        self.cursor.hidden = False

    def _plain_sequence(self, final: str, first: int, numbers: list[int]) -> None:
        count = first or 1
        match final:
            case "H" | "f":
                self.cursor_position(first, numbers[1] if len(numbers) > 1 else 1)
            case "r":
                self._set_region(first, numbers[1] if len(numbers) > 1 else 0)
            case "h" | "l":
                for mode in numbers[:16]:
                    if mode in (modes.IRM, modes.LNM):
                        (self.set_mode if final == "h" else self.reset_mode)(mode)
            case "d":
                self.cursor_position(count, self.cursor.x + 1)
            case "b":
                if self._last:
                    self.draw(self._last * min(count, self.columns * self.lines))
            case "c":
                if first == 0:
                    self._answer("\x1b[?62;22c")
            case "n":
                if first == 5:
                    self._answer("\x1b[0n")
                elif first == 6:
                    self._answer(f"\x1b[{self.cursor.y + 1};{min(self.cursor.x, self.columns - 1) + 1}R")
            case "I" | "Z":
                self._tabs(min(count, self.columns), forward=final == "I")
            case "g":
                self.clear_tab_stop(first)
            case "s":
                self.save_cursor()
            case "u":
                self.restore_cursor()
            case "J":
                self.erase_in_display(first)
            case "K":
                self.erase_in_line(first)
            case _:
                if (act := _COUNTED.get(final)) is not None:
                    act(self, count)

    def _set_region(self, top: int, bottom: int) -> None:
        bottom = min(bottom or self.lines, self.lines)
        top = max(top, 1)
        if top < bottom:
            self.margins = None if (top, bottom) == (1, self.lines) else Margins(top - 1, bottom - 1)
            self.cursor_position()

    def _tabs(self, count: int, *, forward: bool) -> None:
        for _ in range(count):
            if forward:
                self.tab()
            else:
                self.cursor.x = max((stop for stop in self.tabstops if stop < self.cursor.x), default=0)


_COUNTED: dict[str, Callable[[Grid, int], None]] = {
    "@": Grid.insert_characters,
    "A": Grid.cursor_up,
    "B": Grid.cursor_down,
    "C": Grid.cursor_forward,
    "D": Grid.cursor_back,
    "E": Grid.cursor_down1,
    "F": Grid.cursor_up1,
    "G": Grid.cursor_to_column,
    "L": Grid.insert_lines,
    "M": Grid.delete_lines,
    "P": Grid.delete_characters,
    "S": Grid.scroll_up,
    "T": Grid.scroll_down,
    "X": Grid.erase_characters,
    "`": Grid.cursor_to_column,
    "a": Grid.cursor_forward,
    "e": Grid.cursor_down,
}
