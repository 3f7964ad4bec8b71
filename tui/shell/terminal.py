"""The terminal as a widget: a grid drawn line by line, keys and mouse on their way to the program."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len, get_character_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.strip import Strip
from textual.widget import Widget

from tui.shell import keys
from tui.shell.colors import style_of
from tui.shell.lines import LineEditor

if TYPE_CHECKING:
    from tui.shell.grid import Runs
    from tui.shell.session import Session

WHEEL = 3  # lines
_BUTTONS = {1: 0, 2: 1, 3: 2}  # Textual's numbers, xterm's
_REVERSE = Style(reverse=True)
_BRACKETED_PASTE, _FOCUS_REPORTS, _EXTENDED_MOUSE = 2004, 1004, 1006


class Terminal(Widget, can_focus=True):
    """Shows one session. `back` is how many lines above the present the view stands."""

    DEFAULT_CSS = "Terminal { width: 1fr; height: 1fr; }"
    ALLOW_SELECT: ClassVar[bool] = False
    takes_every_key = True

    def __init__(self, session: Session, *, writable: bool = True) -> None:
        super().__init__()
        self.session = session
        self.back = 0
        self._writable = writable
        self._pressed = 3  # the button that is down
        self._strips: dict[int, Strip] = {}
        self._editor: LineEditor | None = None
        if not session.attachment.tty:
            self._editor = LineEditor(session.output, session.send, session.attachment.close_stdin)

    def on_mount(self) -> None:
        self.session.changed = self._changed
        self._changed()

    def on_unmount(self) -> None:
        if self.session.changed == self._changed:  # else another shows it by now
            self.session.changed = lambda: None

    # drawing --------------------------------------------------------------------------------------

    def _changed(self) -> None:
        grid = self.session.grid
        for y in grid.dirty:
            self._strips.pop(y, None)
        grid.dirty.clear()
        self.back = min(self.back, len(grid.history))
        self.refresh()

    def notify_style_update(self) -> None:
        self._strips.clear()
        super().notify_style_update()

    def render_line(self, y: int) -> Strip:
        grid, width, base = self.session.grid, self.size.width, self.rich_style
        row = y - self.back
        if row < 0:
            return self._strip(grid.history[row], width, base)
        if row >= grid.lines:
            return Strip.blank(width, base)
        strip = self._strips.get(row)
        if strip is None or strip.cell_length != width:
            strip = self._strips[row] = self._strip(grid.row(row), width, base)
        cursor = grid.cursor
        if row == cursor.y and not cursor.hidden and not self.session.over and self._writable:
            x = min(cursor.x, width - 1)
            wide = x + 1 < width and grid.buffer[row][x + 1].data == ""
            return _in_reverse(strip, x, x + (2 if wide else 1))
        return strip

    def _strip(self, runs: Runs, width: int, base: Style) -> Strip:
        segments = []
        for text, cell in runs:
            style = base + style_of(cell._replace(data=" "))
            segments += [Segment(piece, style) for piece in _pieces(text)]
        return Strip(segments).adjust_cell_length(width, base)

    # size -----------------------------------------------------------------------------------------

    def on_resize(self, event: events.Resize) -> None:
        if event.size.width and event.size.height:
            self._strips.clear()
            self.session.resize(event.size.width, event.size.height)

    # keys -----------------------------------------------------------------------------------------

    async def on_key(self, event: events.Key) -> None:
        event.stop()
        event.prevent_default()
        self._type(keys.encode(event.key, event.character, application_cursor=self.session.grid.application_cursor))

    async def on_paste(self, event: events.Paste) -> None:
        event.stop()
        self._type(keys.paste(event.text, bracketed=_BRACKETED_PASTE in self.session.grid.private))

    def _type(self, data: bytes) -> None:
        if not data or not self._writable:
            return
        self.scroll_back(-self.back)
        if self._editor is not None:
            self._editor.type(data.decode("utf-8", "replace"))
        else:
            self.session.send(data)

    def scroll_back(self, lines: int) -> None:
        """Look further up into what has left the screen; down with a negative number."""
        back = max(0, min(self.back + lines, len(self.session.grid.history)))
        if back != self.back:
            self.back = back
            self.refresh()

    def on_focus(self) -> None:
        self._tell_focus("I")

    def on_blur(self) -> None:
        self._tell_focus("O")

    def _tell_focus(self, letter: str) -> None:
        if _FOCUS_REPORTS in self.session.grid.private:
            self.session.send(f"\x1b[{letter}".encode())

    # the mouse ------------------------------------------------------------------------------------

    def _report(self, event: events.MouseEvent, button: int, *, pressed: bool = True, moved: bool = False) -> None:
        extended = _EXTENDED_MOUSE in self.session.grid.private
        self._type(keys.mouse(button, event.x, event.y, pressed=pressed, moved=moved, extended=extended))

    def on_mouse_down(self, event: events.MouseDown) -> None:
        if self.session.grid.mouse and event.button in _BUTTONS:
            event.stop()
            self.capture_mouse()
            self._pressed = _BUTTONS[event.button]
            self._report(event, self._pressed)

    def on_mouse_up(self, event: events.MouseUp) -> None:
        self.release_mouse()
        if self._pressed != 3:
            if self.session.grid.mouse >= 1000:
                self._report(event, self._pressed, pressed=False)
            self._pressed = 3

    def on_mouse_move(self, event: events.MouseMove) -> None:
        wanted = self.session.grid.mouse
        if wanted == 1003 or (wanted == 1002 and self._pressed != 3):
            self._report(event, self._pressed, moved=True)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self._wheel(event, 64, "up")

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self._wheel(event, 65, "down")

    def _wheel(self, event: events.MouseEvent, button: int, key: str) -> None:
        event.stop()
        grid = self.session.grid
        if grid.mouse >= 1000:
            self._report(event, button)
        elif grid.alternate:  # a pager without a mouse: arrows, as terminals do
            self._type(keys.encode(key, None, application_cursor=grid.application_cursor) * WHEEL)
        else:
            self.scroll_back(WHEEL if key == "up" else -WHEEL)


def _pieces(text: str) -> list[str]:
    """One piece, if the dashboard counts its cells as the grid did; else a piece per character.

    A terminal joins some characters (a thumb and its colour) that are cells of their own in the grid.
    """
    if text.isascii() or cell_len(text) == sum(map(get_character_cell_size, text)):
        return [text]
    pieces: list[str] = []
    for character in text:
        if pieces and get_character_cell_size(character) == 0:
            pieces[-1] += character
        else:
            pieces.append(character)
    return pieces


def _in_reverse(strip: Strip, start: int, end: int) -> Strip:
    """The cells from `start` to `end` in reverse."""
    before, here, after = strip.divide([start, end, strip.cell_length])
    return Strip.join([before, here.apply_style(_REVERSE), after])
