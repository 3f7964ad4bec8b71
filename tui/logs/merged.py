"""Several containers' logs as one, in the order of time.

A position is made of the time of a line, of which log it is from, and of its place there; so positions order as the
lines do, and every log is read where it lies. It relies on clocks that are not set back.
"""

from __future__ import annotations

import select
from collections.abc import Iterator, Sequence
from dataclasses import replace
from heapq import merge
from itertools import islice

from engine.logs.records import nanoseconds, stamp_of
from tui.logs.pattern import Pattern
from tui.logs.scan import Scan
from tui.logs.source import Line, LogSource, Segment

_PLACE_BITS = 56
_ORIGIN_BITS = 8
_REMEMBERED = 256
MOST = 1 << _ORIGIN_BITS  # logs


class MergedSource:
    """As LogSource, over several of them. Closing it closes them."""

    def __init__(self, parts: Sequence[LogSource]) -> None:
        self.parts = tuple(parts)
        self._cursors: dict[int, tuple[int, ...]] = {}  # position -> the place in each log; also of other threads
        self._ready = select.epoll()
        for part in self.parts:
            self._ready.register(part, select.EPOLLIN)
        self._measure()

    def fileno(self) -> int:
        return self._ready.fileno()

    def close(self) -> None:
        self._ready.close()
        for part in self.parts:
            part.close()

    @property
    def segments(self) -> tuple[Segment, ...]:
        return tuple(segment for part in self.parts for segment in part.segments)

    @property
    def length(self) -> int:
        return sum(part.length for part in self.parts)

    @property
    def truncated(self) -> int:
        return sum(part.truncated for part in self.parts)

    @property
    def watched(self) -> bool:
        return all(part.watched for part in self.parts)

    def refresh(self) -> None:
        before, truncated = [(part.start, part.end) for part in self.parts], self.truncated
        for part in self.parts:
            part.refresh()
        if self.truncated != truncated:
            self._cursors = {}
        if before != [(part.start, part.end) for part in self.parts]:
            self._measure()

    def _measure(self) -> None:
        """Find where the first line begins and the last one ends."""
        firsts, lasts = [], []
        for origin, part in enumerate(self.parts):
            if first := part.lines_from(part.start, 1):
                firsts.append(self._position(first[0].stamp, origin, first[0].position))
            if last := part.lines_before(part.end, 1):
                lasts.append(self._position(last[0].stamp, origin, part.end))
        self.start, self.end = min(firsts, default=0), max(lasts, default=0)

    # positions ------------------------------------------------------------------------------------
    @staticmethod
    def _position(stamp: bytes, origin: int, place: int) -> int:
        return (((nanoseconds(stamp) << _ORIGIN_BITS) | origin) << _PLACE_BITS) | place

    def position_of(self, origin: int, place: int) -> int:
        """The position of the line at `place` in one of the logs."""
        return self._position(self.parts[origin].stamp_at(place), origin, place)

    def places(self, position: int) -> tuple[int, ...]:
        """Where in each log the lines at or after `position` begin."""
        found = self._cursors.get(position)
        if found is None:
            when, own, place = _taken_apart(position)
            found = tuple(
                place
                if origin == own and place
                else part.start
                if position <= self.start
                else part.end + 1
                if position > self.end
                # Of lines of the same time, those of the earlier logs come first.
                else part.time_position(stamp_of(when + (origin < own)))
                for origin, part in enumerate(self.parts)
            )
            if position <= self.end:
                self._remember(position, found)
        return found

    def _remember(self, position: int, places: tuple[int, ...]) -> None:
        if len(self._cursors) >= _REMEMBERED:
            self._cursors = {}
        self._cursors[position] = places

    # lines ----------------------------------------------------------------------------------------
    def lines_from(self, position: int, count: int) -> list[Line]:
        places = list(self.places(position))
        walks = [self._walk(origin, place, count) for origin, place in enumerate(places)]
        lines = list(islice(merge(*walks, key=_by_position), count))
        if lines:
            for line in lines:
                places[line.origin] = _taken_apart(line.end)[2]
            self._remember(lines[-1].end, tuple(places))  # where reading is likely to go on
        return lines

    def lines_before(self, position: int, count: int) -> list[Line]:
        walks = [self._walk_back(origin, place, count) for origin, place in enumerate(self.places(position))]
        return list(islice(merge(*walks, key=_by_position, reverse=True), count))[::-1]

    def line(self, position: int) -> Line | None:
        _, origin, place = _taken_apart(position)
        line = self.parts[origin].line(place) if origin < len(self.parts) else None
        return self._merged(line, origin) if line is not None else None

    def line_at(self, position: int) -> int:
        """Where the first line at or after `position` begins, or the last line."""
        found = self.lines_from(position, 1) or self.lines_before(self.end + 1, 1)
        return found[0].position if found else position

    def time_position(self, stamp: bytes) -> int:
        places = [(origin, part.time_position(stamp), part.end) for origin, part in enumerate(self.parts)]
        return min((self.position_of(origin, place) for origin, place, end in places if place < end), default=self.end)

    def _merged(self, line: Line, origin: int) -> Line:
        position = self._position(line.stamp, origin, line.position)
        return replace(line, position=position, end=self._position(line.stamp, origin, line.end), origin=origin)

    def _walk(self, origin: int, place: int, count: int) -> Iterator[Line]:
        while lines := self.parts[origin].lines_from(place, count):
            for line in lines:
                yield self._merged(line, origin)
            place = lines[-1].end

    def _walk_back(self, origin: int, place: int, count: int) -> Iterator[Line]:
        while lines := self.parts[origin].lines_before(place, count):
            for line in reversed(lines):
                yield self._merged(line, origin)
            place = lines[0].position


def open_logs(directories: Sequence[str]) -> LogSource | MergedSource:
    """The logs in these directories, as one if there are several. Raises EngineError if one cannot be read."""
    sources: list[LogSource] = []
    try:
        for directory in directories:
            sources.append(LogSource(directory))
    except BaseException:
        for source in sources:
            source.close()
        raise
    return sources[0] if len(sources) == 1 else MergedSource(sources)


class MergedMatches:
    """The matches of one pattern in several logs, in the order of time."""

    def __init__(self, source: MergedSource, scans: Sequence[Scan]) -> None:
        self.scans = tuple(scans)
        self._source = source
        self._times: dict[tuple[int, int], int] = {}  # of blocks of matches

    @property
    def pattern(self) -> Pattern:
        return self.scans[0].pattern

    @property
    def count(self) -> int:
        return sum(scan.count for scan in self.scans)

    def from_position(self, position: int) -> Iterator[int]:
        places = self._source.places(position)
        return merge(
            *(
                self._positions(origin, scan.from_position(place))
                for origin, (scan, place) in enumerate(zip(self.scans, places, strict=True))
            )
        )

    def before_position(self, position: int) -> Iterator[int]:
        places = self._source.places(position)
        return merge(
            *(
                self._positions(origin, scan.before_position(place))
                for origin, (scan, place) in enumerate(zip(self.scans, places, strict=True))
            ),
            reverse=True,
        )

    def count_before(self, position: int) -> int:
        places = self._source.places(position)
        return sum(scan.count_before(place) for scan, place in zip(self.scans, places, strict=True))

    def density(self, start: int, end: int, buckets: int) -> list[int]:
        marks = [0] * buckets
        span = max(end - start, 1)
        for origin, scan in enumerate(self.scans):
            for place, count in scan.blocks():
                position = self._times.get((origin, place))
                if position is None:
                    position = self._times[origin, place] = self._source.position_of(origin, place)
                marks[min(max((position - start) * buckets // span, 0), buckets - 1)] += count
        return marks

    def _positions(self, origin: int, places: Iterator[int]) -> Iterator[int]:
        for place in places:
            yield self._source.position_of(origin, place)


def _by_position(line: Line) -> int:
    return line.position


def _taken_apart(position: int) -> tuple[int, int, int]:
    """Time in nanoseconds, which log, place in it."""
    return (
        position >> (_PLACE_BITS + _ORIGIN_BITS),
        (position >> _PLACE_BITS) & (MOST - 1),
        position & ((1 << _PLACE_BITS) - 1),
    )
