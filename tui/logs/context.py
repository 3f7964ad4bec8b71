"""The lines around those that a filter lets through."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from tui.logs.matches import Matches
from tui.logs.runs import Source
from tui.logs.source import Line

CONTEXTS = (0, 1, 2, 3, 5, 10)  # lines before and after, to choose from


class Around:
    """The matches of a filter and the `count` lines before and after each, as positions."""

    def __init__(self, source: Source, matches: Matches, count: int) -> None:
        self._source = source
        self._matches = matches
        self._count = count

    def from_position(self, position: int) -> Iterator[int]:
        """Lines at or after `position`, ascending."""
        last = next(self._matches.before_position(position), None)  # what follows it may reach to here
        for match in chain(_those(last), self._matches.from_position(position)):
            for line in self._around(match):
                if line.position >= position:
                    yield line.position
                    position = line.position + 1

    def before_position(self, position: int) -> Iterator[int]:
        """Lines before `position`, descending."""
        following = next(self._matches.from_position(position), None)
        for match in chain(_those(following), self._matches.before_position(position)):
            for line in reversed(self._around(match)):
                if line.position < position:
                    yield line.position
                    position = line.position

    def _around(self, match: int) -> list[Line]:
        source, count = self._source, self._count
        return [*source.lines_before(match, count), *source.lines_from(match, count + 1)]


def _those(match: int | None) -> Iterable[int]:
    return () if match is None else (match,)
