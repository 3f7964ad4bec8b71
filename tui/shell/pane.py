"""The tab Shell: the same terminal as over the whole screen, in the area of the details."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from engine.models import Container
from tui import keymap, phrases
from tui.panes.detail_pane import DetailPane
from tui.sanitize import plain
from tui.shell.opening import is_full_screen, shell_of
from tui.shell.terminal import Terminal
from tui.state.world import World
from tui.widgets.table import Cell, cell
from tui.widgets.text_view import TextView


class ShellPane(DetailPane):
    """Shows the shell that was opened in the selected container, or which keys open one."""

    TAB = "shell"
    BINDINGS: ClassVar[list[BindingType]] = [
        *keymap.bindings("shelltab"),
        *keymap.bindings("shell", priority=True),
    ]

    def __init__(self, world: World) -> None:
        super().__init__(world, id="shell")
        self.words = TextView()
        self.terminal: Terminal | None = None

    def compose(self) -> ComposeResult:
        yield self.words

    def enter(self) -> None:
        (self.terminal or self.words).focus()

    def update(self) -> None:
        container = self.world.container
        session = self.app.shells.get(container.id) if container is not None else None
        if session is not None and (session.over or is_full_screen(self.app, session)):
            session = None
        if self.terminal is not None and session is not self.terminal.session:
            self.let_go()
        if session is None:
            self.words.show(self._invitation(container))
        elif self.terminal is None:
            focused = self.words.has_focus
            self.words.display = False
            self.terminal = Terminal(session)
            self.mount(self.terminal)
            if focused:
                self.call_after_refresh(self.enter)

    def let_go(self) -> None:
        """Show the terminal no more; what runs in it goes on."""
        terminal, self.terminal = self.terminal, None
        self.words.display = True
        if terminal is not None:
            if terminal.has_focus:
                self.words.focus()
            terminal.remove()

    def _invitation(self, container: Container | None) -> list[Cell]:
        keys = self.app.preferences.keys
        if container is None:
            return [cell("No container is selected.", "muted")]
        name = plain(container.name)
        if not container.running:
            words = f"{name} does not run: there is nothing to enter. {{containers.toggle}} in the list starts it."
            return [phrases.spans(words, keys, "muted")]
        words = "{shelltab.open} opens a shell here, {container.shell} over the whole screen; {shell.leave} leaves it."
        return [phrases.spans(words, keys, "muted")]

    def tip(self) -> str:
        leave = phrases.words("{shell.leave}", self.app.preferences.keys)
        return f"All keys are the program's; {leave} leads back to the list." if self.terminal else ""

    def verb(self, key: str) -> str | None:
        container = self.world.container
        if key == "shelltab.open":
            return None if container is not None and container.running and self.terminal is None else ""
        if key.startswith("shell."):
            return None if self.terminal is not None else ""
        return super().verb(key)

    # keys -----------------------------------------------------------------------------------------

    def action_open_here(self) -> None:
        container = self.world.container
        if container is None or not container.running:
            self.app.operations.say("only a running container can be entered", failed=True)
        else:
            self.app.behind(self, "opening a shell", self._open, container)

    async def _open(self, container: Container) -> None:
        if await shell_of(self.app, container) is not None:
            self.update_if_shown()

    def action_leave(self) -> None:
        self.screen.set_focus(None)  # at once: what is typed next is not the program's any more
        self.app.dashboard.enter(self.app.dashboard.containers)

    def action_scroll(self, direction: int) -> None:
        if self.terminal is not None:
            self.terminal.scroll_back(direction * max(1, self.terminal.size.height - 1))
