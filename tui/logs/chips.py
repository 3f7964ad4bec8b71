"""The row of levels: which lines are shown by how grave they say they are, and how many around them."""

from __future__ import annotations

from collections.abc import Callable

from rich.text import Text
from textual import events
from textual.message import Message
from textual.widgets import Static

from tui.logs.levels import LEVELS

CONTEXT = "C"
_HEAD = " Level: "
_IDS = {"E": "error", "W": "warn", "I": "info", "D": "debug"}
_AROUND = (CONTEXT, "Context", "context")


class LevelChips(Static):
    """`Level: [E]rror [W]arn [I]nfo [D]ebug  [C]ontext 0`; those that are on are ticked and in reverse."""

    DEFAULT_CSS = """
    LevelChips { height: 1; display: none; background: $panel; }
    LevelChips.-open { display: block; }
    """

    class Pressed(Message):
        """A chip was clicked: one of a level, or CONTEXT."""

        def __init__(self, level: str) -> None:
            super().__init__()
            self.level = level

    def __init__(self, words: Callable[[str], str]) -> None:
        """:param words: puts the keys in force into a sentence."""
        super().__init__("", markup=False)
        self._names = {
            letter: _named(name, letter, words(f"{{logs.{id}}}"))
            for letter, name, id in (*((letter, name, _IDS[letter]) for letter, name in LEVELS.items()), _AROUND)
        }
        self._edges: list[tuple[int, int, str]] = []  # columns of each chip

    def show(self, chosen: str, context: int, *, visible: bool) -> None:
        """:param chosen: the letters of the levels that are on.
        :param context: lines shown around the others.
        """
        self.set_class(visible, "-open")
        text = Text(_HEAD, style="bold", no_wrap=True, end="")
        self._edges = []
        for letter in LEVELS:
            self._add(text, f"{'✓' if letter in chosen else ' '}{self._names[letter]} ", letter, letter in chosen)
        text.append("  ")
        self._add(text, f" {self._names[CONTEXT]} {context} ", CONTEXT, context > 0)
        self.update(text)

    def _add(self, text: Text, chip: str, letter: str, is_on: bool) -> None:
        self._edges.append((len(text), len(text) + len(chip), letter))
        text.append(chip, "reverse bold" if is_on else "not bold")

    def on_click(self, event: events.Click) -> None:
        for begin, end, letter in self._edges:
            if begin <= event.x < end:
                self.post_message(self.Pressed(letter))


def _named(name: str, letter: str, key: str) -> str:
    """`[E]rror`, or `[x] Error` where the key is another one."""
    return f"[{key}]{name[1:]}" if key == letter else f"[{key}] {name}"
