"""What of a log is to be shown: its lines as far as a filter lets them through, as rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from textual.cache import LRUCache

from tui.logs.context import Around
from tui.logs.layout import FOLD, Look, Row, Standing, rows, rule, time_text, with_rules
from tui.logs.matches import Matches, Places
from tui.logs.opened import Apart, OpenedRows
from tui.logs.runs import Separator, Separators, Source
from tui.logs.source import Line

_CACHED_LINES = 1024
_BATCH = 1000  # lines read at once where all are wanted


@dataclass(frozen=True, slots=True)
class Shown:
    """A row on the screen: the line it is of, and which of the line's rows it is."""

    line: Line
    sub: int
    row: Row


class ShownLines:
    """Walks through a log up and down. Every place is a position of the source: no log is too long."""

    def __init__(self, apart: Apart) -> None:
        self._opened_rows = OpenedRows(apart)
        self.source: Source | None = None
        self.filter: Matches | None = None
        self.context = 0  # lines shown around those of the filter
        self.search: Matches | None = None
        self.current: int | None = None  # the match one stands on
        self.pointed: int | None = None  # the line that keys act on, if it is not the match
        self.marks: list[int] = []  # ascending
        self.opened: set[int] = set()
        self.chosen: tuple[int, int] | None = None  # the first and the last line to be copied
        self.separators = Separators()
        self.batch = 50  # lines read at once: as many as a screen has
        self._cache: LRUCache[tuple[int, int, Standing, str], Sequence[Row]] = LRUCache(_CACHED_LINES)

    def open(self, source: Source | None) -> None:
        self.source = source
        self.filter = self.search = self.current = self.pointed = self.chosen = None
        self.marks = []
        self.opened = set()
        self.separators = Separators()
        self._opened_rows.close()
        self.forget_rows()

    def forget_rows(self) -> None:
        """The rows made so far are void: the width, the theme or what is searched for changed."""
        self._cache.clear()
        self._opened_rows.outdate()

    @property
    def end(self) -> int:
        """A place after the last line."""
        return self.source.end + 1 if self.source is not None else 0

    @property
    def admitted(self) -> Places | None:
        """What the filter lets through: its matches and the lines around them. None: everything."""
        if self.filter is None or self.source is None or not self.context:
            return self.filter
        return Around(self.source, self.filter, self.context)

    # lines ----------------------------------------------------------------------------------------
    def forward(self, position: int) -> Iterator[Line]:
        """Lines to be shown, from the first that begins at or after `position`."""
        source = self.source
        if source is None:
            return
        admitted = self.admitted
        if admitted is not None:
            for place in admitted.from_position(max(position, source.start)):
                line = source.line(place)
                if line is not None:
                    yield line
            return
        while lines := source.lines_from(position, self.batch):
            yield from lines
            position = lines[-1].end

    def backward(self, position: int) -> Iterator[Line]:
        """Lines to be shown that begin before `position`, the nearest first."""
        source = self.source
        if source is None:
            return
        admitted = self.admitted
        if admitted is not None:
            for place in admitted.before_position(position):
                line = source.line(place) if place >= source.start else None
                if line is None:
                    return
                yield line
            return
        while lines := source.lines_before(position, self.batch):
            yield from reversed(lines)
            position = lines[0].position

    def between(self, first: int, last: int) -> Iterator[Line]:
        """The shown lines from `first` to `last`, both included."""
        for line in self.forward(first):
            if line.position > last:
                return
            yield line

    def is_last(self, line: Line) -> bool:
        return next(self.forward(line.end), None) is None

    # rows -----------------------------------------------------------------------------------------
    def rows_from(self, look: Look, position: int, sub: int) -> Iterator[Shown]:
        for line in self.forward(position):
            laid_out = self.rows_of(look, line)
            for number in range(0 if line.position > position else sub, len(laid_out)):
                yield Shown(line, number, laid_out[number])

    def rows_up_to(self, look: Look, end: int, height: int) -> list[Shown]:
        found: list[Shown] = []
        for line in self.backward(end):
            laid_out = self.rows_of(look, line)
            found.extend(Shown(line, number, laid_out[number]) for number in range(len(laid_out) - 1, -1, -1))
            if len(found) >= height:
                break
        return found[:height][::-1]

    def rows_of(self, look: Look, line: Line) -> Sequence[Row]:
        """The rows of a line, with the separators that stand before it, or after it if it is the last."""
        standing, now = self._standing(line), time.time()
        age = time_text(line.stamp, "relative", now) if look.time_mode == "relative" else ""
        key = (line.position, line.end, standing, age)
        work = partial(rows, line, look, self._spans_of(), standing, now)
        if standing.opened and line.length > FOLD:
            folded = partial(rows, line, look, self._spans_of(), standing._replace(opened=False), now)
            found = self._opened_rows.get(key, work, folded)
        else:
            cached = self._cache.get(key)
            found = work() if cached is None else cached
            self._cache[key] = found
        if self.separators:
            before, after = self._separators(line)
            if before or after:
                return with_rules([rule(*row, look) for row in before], found, [rule(*row, look) for row in after])
        return found

    def rules_before(self, line: Line) -> int:
        """How many rows of a line are separators before it."""
        return len(self._separators(line)[0]) if self.separators else 0

    def match_words(self, line: Line) -> str:
        """`◀ match 2/41`, for the match one stands on."""
        if self.search is None or line.position != self.current:
            return ""
        return f"◀ match {self.search.count_before(line.position) + 1:,}/{self.search.count:,}"

    def _separators(self, line: Line) -> tuple[Sequence[Separator], Sequence[Separator]]:
        """What stands before this line, and after it. Hidden lines leave theirs to the next one that is shown."""
        separators = self.separators
        admitted = self.admitted
        if admitted is None:
            before = separators.between(line.position, line.end)
        else:
            earlier = next(admitted.before_position(line.position), -1)
            before = separators.between(earlier + 1, line.position + 1)
        after = separators.between(max(line.end, line.position + 1), None) if separators.last > line.position else []
        if after and not self.is_last(line):
            after = []
        elif after and admitted is not None:
            after = separators.between(line.position + 1, None)
        return before, after

    def _standing(self, line: Line) -> Standing:
        position = line.position
        chosen = self.chosen is not None and self.chosen[0] <= position <= self.chosen[1]
        return Standing(
            current=self.current == position,
            pointed=self.pointed == position,
            marked=position in self.marks,
            chosen=chosen,
            opened=position in self.opened,
            aside=self._is_aside(position),
        )

    def _is_aside(self, position: int) -> bool:
        """Whether the line is only there because of its neighbour."""
        if self.filter is None or not self.context:
            return False
        return next(self.filter.from_position(position), None) != position

    def _spans_of(self) -> Callable[[str], Sequence[tuple[int, int]]]:
        marked = self.search or self.filter
        return marked.pattern.spans if marked is not None else _no_spans


def all_lines(source: Source, admitted: Places | None) -> Iterator[Line]:
    """Every line of the log that is shown, from the first; also for another thread."""
    position = source.start
    if admitted is not None:
        for place in admitted.from_position(position):
            if line := source.line(place):
                yield line
        return
    while lines := source.lines_from(position, _BATCH):
        position = lines[-1].end
        yield from lines


def _no_spans(_: str) -> Sequence[tuple[int, int]]:
    return ()
