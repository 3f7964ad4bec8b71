"""A terminal over the whole dashboard, under one line that says what it is and how to leave."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget

from tui import keymap
from tui.sanitize import plain
from tui.shell.terminal import Terminal

if TYPE_CHECKING:
    from tui.app import Pilothouse
    from tui.shell.session import Session

BAR = 1  # rows above the terminal


class Bar(Widget):
    """What runs here; the title the program gave itself; the key that leads back."""

    app: Pilothouse
    DEFAULT_CSS = "Bar { height: 1; background: $ph-surface; color: $ph-foreground; }"

    def __init__(self, session: Session, note: str) -> None:
        super().__init__()
        self.session = session
        self.note = note

    def render(self) -> Content:
        shown = self.app.keys_of("shell.leave")[0]
        right = f"{shown} back to the dashboard "
        left = Content.assemble(
            (f" {self.session.title} ", "reverse bold"), f" {self.note} ", (plain(self.session.grid.title), "$ph-muted")
        )
        width = self.size.width
        if left.cell_length + len(right) >= width:
            left = left.truncate(max(0, width - len(right) - 1), ellipsis=True)
        return Content.assemble(left, " " * max(1, width - left.cell_length - len(right)), (right, "$ph-muted"))

    def on_click(self) -> None:
        if isinstance(self.screen, ShellScreen):
            self.screen.leave()


class ShellScreen(Screen[None]):
    """Closed by its key, or by the end of what runs in it. The session outlives the screen."""

    app: Pilothouse
    BINDINGS: ClassVar[list[BindingType]] = keymap.bindings("shell", priority=True)

    def __init__(self, session: Session, *, note: str = "", writable: bool = True) -> None:
        super().__init__()
        self.session = session
        self.terminal = Terminal(session, writable=writable)
        self.bar = Bar(session, note)
        self._left = False
        self._title_shown = ""

    def compose(self) -> ComposeResult:
        yield self.bar
        yield self.terminal

    def on_mount(self) -> None:
        self.terminal.focus()
        self.set_interval(0.5, self._follow_title)
        if self.session.over:
            self.leave()

    def _follow_title(self) -> None:
        if self.session.grid.title != self._title_shown:
            self._title_shown = self.session.grid.title
            self.bar.refresh()

    def leave(self) -> None:
        """Back to the dashboard; harmless when it was done already."""
        if not self._left and self.is_mounted:
            self._left = True
            self.dismiss()

    def action_leave(self) -> None:
        self.leave()

    def action_scroll(self, direction: int) -> None:
        self.terminal.scroll_back(direction * max(1, self.terminal.size.height - 1))
