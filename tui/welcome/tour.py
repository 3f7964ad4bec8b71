"""A tour of five sentences, one at a time, in a row above the status; dismissed for good by one key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import events
from textual.content import Content
from textual.widget import Widget

from tui import phrases
from tui.state import memory

if TYPE_CHECKING:
    from tui.app import Pilothouse

KEY = "tour"
DONE = "done"

# {id} stands for the key in force
SENTENCES = (
    "The list is live: {containers.toggle} starts and stops what the cursor is on, and only removing asks first.",
    "The details follow the cursor; {app.next_tab} and {app.previous_tab} go through them, {app.zoom} zooms.",
    "{app.find} finds, in a list and in a log; {list.mark} marks rows, and keys then act on all that are marked.",
    "{app.palette} runs any action by its name, {app.help} tells the keys that work where you are.",
    "What you do here is shown as the command that does the same; {app.quit} closes this, containers go on.",
)


def is_done() -> bool:
    return memory.recall().get(KEY) == DONE


class Tour(Widget):
    """Takes no focus: whatever it talks of can be tried at once."""

    app: Pilothouse

    def __init__(self) -> None:
        super().__init__(id="tour")
        self._place = 0

    def next(self) -> None:
        """The next sentence; after the last one it is over."""
        if self._place + 1 == len(SENTENCES):
            self.end()
        else:
            self._place += 1
            self.refresh(layout=True)

    def end(self) -> None:
        """Over, for good."""
        memory.remember(**{KEY: DONE})
        self.remove()

    def sentence(self) -> str:
        return phrases.words(SENTENCES[self._place], self.app.preferences.keys)

    def render(self) -> Content:
        more, enough = self.app.keys_of("app.tour")[0], self.app.keys_of("app.tour_end")[0]
        last = self._place + 1 == len(SENTENCES)
        return Content.assemble(
            (f" Tour {self._place + 1}/{len(SENTENCES)} ", "reverse bold"),
            f" {self.sentence()}  ",
            (more, "$ph-primary bold"),
            " done" if last else " next",
            *(() if last else ("  ", (enough, "$ph-primary bold"), " no more of this")),
        )

    def on_click(self, event: events.Click) -> None:
        self.next()
