"""A framed rectangle of the main screen, with its name in the frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import events
from textual.containers import Vertical
from textual.content import Content

from tui import phrases

if TYPE_CHECKING:
    from tui.app import Pilothouse
    from tui.state.world import World

CORNERS = 6  # cells of an edge that are no text: corners, a piece of line and a blank on both sides


class Pane(Vertical):
    """Focus shows three times over: a heavy frame, the title in reverse, the cursor's glyph (never colour alone).

    What stands in the frame can be clicked: the words of the upper edge and, in the lower edge, those that name a key.
    """

    app: Pilothouse

    def __init__(self, world: World, *, id: str) -> None:
        super().__init__(id=id)
        self.world = world
        self._frame: tuple[object, ...] = ()
        self._right = ""  # what is shown of it in the upper edge

    # what a pane says of itself -------------------------------------------------------------------

    def heading(self) -> tuple[str, str]:
        """What stands in the upper edge: left, and right. `{id}` stands for the key in force."""
        return "", ""

    def hint(self) -> str:
        """What stands in the lower edge, right: words with two blanks between them.

        `{containers.all}:running` is the key in force and a word for what it does.
        """
        return ""

    def word_clicked(self, place: int) -> None:
        """A click on one of the words in the upper edge, right; the last may be the sign that there are more."""

    def tip(self) -> str:
        """One sentence for the status row while the pane has the focus and nothing else is to be said."""
        return ""

    def enter(self) -> None:
        """Give the focus to the part of the pane that takes keys."""
        for widget in self.query("*"):
            if widget.can_focus and widget.display:
                widget.focus()
                return

    def find(self) -> None:
        """What `/` does here."""

    def back(self) -> bool:
        """What Escape does here; False if there was nothing to clear."""
        return False

    # the frame ------------------------------------------------------------------------------------

    def retitle(self) -> None:
        """Put heading and hint into the frame, the line of the frame going on between left and right."""
        focused = self.has_focus_within
        keys = self.app.preferences.keys
        left, right = (phrases.words(words, keys) for words in self.heading())
        hint = phrases.words(self.hint(), keys)
        frame = (focused, left, right, hint, self.outer_size.width)
        if frame == self._frame:
            return  # a new title would paint the whole pane anew
        self._frame = frame
        width = self.outer_size.width - CORNERS
        if width < 4:
            return
        room = width - len(left) - 2
        right = self._right = fitted(right, room - 2)
        line = "━" if focused else "─"
        edge = "$ph-focus" if focused else "$ph-border"
        fill = width - Content(left).cell_length - 2 - (Content(right).cell_length + 1 if right else 0)
        self.border_title = Content.assemble(
            (f" {left} ", "reverse bold" if focused else "bold"),
            (line * max(0, fill), edge) if right else "",
            (f" {right}", "$ph-muted") if right else "",
        )
        shown = Content.styled(hint, "$ph-muted")
        self.border_subtitle = shown if shown.cell_length <= width else None

    async def on_click(self, event: events.Click) -> None:
        # by the screen: a click on what is inside comes here too, with places of its own
        end = self.region.right - 3  # where both edges end: a blank, a piece of line, a corner
        if event.screen_y == self.region.y:
            place = word_at(self._right, event.screen_x - end + len(self._right))
            if place is not None:
                self.word_clicked(place)
        elif event.screen_y == self.region.bottom - 1:
            template = self.hint()
            shown = phrases.words(template, self.app.preferences.keys)
            place = word_at(shown, event.screen_x - end + len(shown))
            if place is not None and (id := phrases.first_id(template.split("  ")[place])):
                await self._do(id)

    async def _do(self, id: str) -> None:
        """Run the action of a key of this pane, or of the dashboard."""
        for node in (*self.query("*"), *self.ancestors_with_self):
            for bindings in node._bindings.key_to_bindings.values():
                if binding := next((binding for binding in bindings if binding.id == id), None):
                    await self.app.run_action(binding.action, node)
                    return

    def on_descendant_focus(self) -> None:
        self.retitle()

    def on_descendant_blur(self) -> None:
        self.retitle()

    def on_resize(self) -> None:
        self.retitle()


def fitted(words: str, room: int) -> str:
    """As many of the words (two blanks between them) as there is room for, with a sign that there are more."""
    if len(words) <= room:
        return words
    kept = words.split("  ")
    while kept and len("  ".join([*kept, "…"])) > room:
        kept.pop()
    return "  ".join([*kept, "…"]) if kept else ""


def word_at(words: str, x: int) -> int | None:
    """Which of the words (two blanks between them) stands at cell `x`; None for none."""
    start = 0
    for place, word in enumerate(words.split("  ")):
        if start <= x < start + len(word):
            return place
        start += len(word) + 2
    return None
