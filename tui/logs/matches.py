"""What a search or a filter offers to who shows its matches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from tui.logs.pattern import Pattern


class Places(Protocol):
    """Some of the lines of a log, by their positions."""

    def from_position(self, position: int) -> Iterator[int]:
        """Those at or after `position`, ascending."""
        ...

    def before_position(self, position: int) -> Iterator[int]:
        """Those before `position`, descending."""
        ...


class Matches(Places, Protocol):
    """Positions of matching lines: those found so far, while a worker finds more."""

    @property
    def pattern(self) -> Pattern: ...

    @property
    def count(self) -> int: ...

    def count_before(self, position: int) -> int:
        """How many matches lie before `position`."""
        ...

    def density(self, start: int, end: int, buckets: int) -> list[int]:
        """Matches in each of `buckets` equal parts from `start` to `end`."""
        ...
