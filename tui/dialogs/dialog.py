"""What all dialogs have: a frame with a title, Escape to close, keys that can be clicked."""

from __future__ import annotations

from typing import ClassVar, Generic, TypeVar

from textual import events
from textual.app import ComposeResult
from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen

from tui import keymap
from tui.panes.pane import word_at

Answer = TypeVar("Answer")
WIDTH = 76  # cells of a frame where the screen has them, as in dashboard.tcss


class Dialog(ModalScreen[Answer], Generic[Answer]):
    """Subclasses compose their inside in `inside`; `dismiss(None)` means nothing is to be done.

    A click beside the frame closes it; one on a word of the lower edge is the key that the word begins with.
    """

    app: "Pilothouse"  # type: ignore[name-defined] # noqa: F821, UP037
    AUTO_FOCUS = "*"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "close", "Close", show=False)]

    def __init__(self, title: str, hint: str = "esc close") -> None:
        super().__init__()
        self._title = title
        self._told = Content.styled(hint, "$ph-muted")

    @property
    def frame_width(self) -> int:
        """Cells from edge to edge, of a dialog that has no width of its own."""
        return min(WIDTH, self.app.size.width)

    def inside(self) -> ComposeResult:
        raise NotImplementedError
        yield

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog") as frame:
            frame.border_title = Content.styled(f" {self._title} ", "reverse bold")
            frame.border_subtitle = self._told
            yield from self.inside()

    def on_screen_resume(self) -> None:
        self.app.dashboard.footer.refresh()

    def tell(self, hint: Content) -> None:
        """Put other words into the lower edge: which keys do what now."""
        self._told = hint
        self.query_one("#dialog").border_subtitle = hint
        self.app.dashboard.footer.refresh()

    def keys(self) -> list[tuple[str, str, str]]:
        """The keys that the lower edge names and that work now: Textual's name of each, how it is shown, what it does.

        Textual has no name for several at once, such as `↑↓`.
        """
        found = []
        for words in self._told.plain.split("  "):
            shown, _, label = words.partition(" ")
            key = self._key_of(shown)
            if label and (key or not shown.isascii()):
                found.append((key, keymap.display(key) if key else shown, label))
        return found

    def _key_of(self, shown: str) -> str:
        try:
            key = keymap.read_keys(shown)[0]
        except ValueError:
            return ""  # `frees 3M` names none
        return key if key in self.active_bindings else ""

    async def press(self, key: str) -> None:
        """Do what a key does."""
        if bound := self.active_bindings.get(key):
            await self.app.run_action(bound.binding.action, bound.node)

    def dismiss(self, result: Answer | None = None) -> AwaitComplete:
        # a second Enter or Escape may have been under way, or something has come on top: Textual closes what is on top
        return super().dismiss(result) if self.is_active else AwaitComplete.nothing()

    async def on_click(self, event: events.Click) -> None:
        frame, footer = self.query_one("#dialog"), self.app.dashboard.footer
        if event.screen_offset in frame.region:
            if event.screen_y == frame.region.bottom - 1:
                words = self._told.plain
                place = word_at(words, event.screen_x - (frame.region.right - 3 - len(words)))
                if place is not None:
                    await self.press(self._key_of(words.split("  ")[place].split(" ")[0]))
        elif event.screen_offset in footer.region:
            if (hint := footer.hint_at(event.screen_x)) is not None:
                await self.press(hint.id)
        else:
            self.action_close()

    def action_close(self) -> None:
        self.dismiss(None)
