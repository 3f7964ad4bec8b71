"""How the log viewer stands, in words for a border."""

from __future__ import annotations

from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size
from textual.message import Message

if TYPE_CHECKING:
    from tui.logs.view import LogView


@dataclass
class StatusChanged(Message, namespace="log_view"):
    """`lines` is None until they have been counted."""

    view: LogView
    mode: str  # FOLLOW, PAUSED, ENDED (exit 0), SELECT 3 lines
    new: int  # lines below that came since one scrolled up
    lines: int | None
    bytes: int
    matches: str  # "2/41", "41 (63%)"; empty without a search
    filter: str  # "&error: 12,034"; empty without a filter
    time_mode: str
    wrap: bool
    stream: str  # empty: both
    run: str  # "run 3 of 4"; empty with no more than one
    merged: int  # how many logs are merged; 0 for none

    @property
    def control(self) -> LogView:
        return self.view

    @property
    def text(self) -> str:
        """One row for a border: `PAUSED  time  wrap  8,113 lines  2.1 MB  ▼ 1,204 new`."""
        return "  ".join(word for word, _ in self._words())

    def within(self, room: int) -> str:
        """The same where there is not room for all: what matters least goes first, how it stands never does."""
        words = self._words()

        def length() -> int:
            return sum(cell_len(word) + 2 for word, _ in words) - 2

        for _, rank in sorted(words, key=itemgetter(1), reverse=True):
            if rank and length() > room:
                words = [word for word in words if word[1] != rank]
        over = length() - room
        if over > 0 and self.filter:
            pattern, colon, count = self.filter.rpartition(": ")
            short = f"{set_cell_size(pattern, max(1, cell_len(pattern) - over - 1))}…{colon}{count}"
            words = [(short if word == self.filter else word, rank) for word, rank in words]
        return "  ".join(word for word, _ in words)

    def _words(self) -> list[tuple[str, int]]:
        """With a rank each: the highest may be done without first, 0 never."""
        number, _, share = self.matches.partition(" ")
        words = (
            (self.mode, 0),
            (f"{self.merged} merged" if self.merged else "", 4),
            (self.run, 5),
            (self.stream, 2),
            ("" if self.time_mode == "off" else self.time_mode, 7),
            ("wrap" if self.wrap else "", 8),
            (self.filter, 0),
            (f"{number} {'match' if number in ('1', '1/1') else 'matches'} {share}".rstrip() if number else "", 3),
            ("" if self.lines is None else f"{self.lines:,} {'line' if self.lines == 1 else 'lines'}", 6),
            (size(self.bytes), 9),
            (f"▼ {self.new:,} new" if self.new else "", 1),
        )
        return [word for word in words if word[0]]


def size(count: int) -> str:
    for unit, amount in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= amount:
            return f"{count / amount:.1f} {unit}"
    return f"{count} B"
