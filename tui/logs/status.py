"""How the log viewer stands, in words for a border."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

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
        parts = [
            self.mode,
            f"{self.merged} merged" if self.merged else "",
            self.run,
            self.stream,
            "" if self.time_mode == "off" else self.time_mode,
            "wrap" if self.wrap else "",
        ]
        if self.filter:
            parts.append(self.filter)
        if self.matches:
            number, _, share = self.matches.partition(" ")
            parts.append(f"{number} {'match' if number in ('1', '1/1') else 'matches'} {share}".rstrip())
        if self.lines is not None:
            parts.append(f"{self.lines:,} {'line' if self.lines == 1 else 'lines'}")
        parts.append(size(self.bytes))
        if self.new:
            parts.append(f"▼ {self.new:,} new")
        return "  ".join(part for part in parts if part)


def size(count: int) -> str:
    for unit, amount in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= amount:
            return f"{count / amount:.1f} {unit}"
    return f"{count} B"
