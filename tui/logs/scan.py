"""Which lines of a log match a pattern: found block by block in a worker thread, outwards from where one looks."""

from __future__ import annotations

import os
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from engine.logs.records import is_record
from engine.runtime.logfile import PIECE_BYTES
from tui.logs.blocks import BlockSearch
from tui.logs.lineage import earlier_in
from tui.logs.pattern import Pattern
from tui.logs.pool import POOL, Result
from tui.logs.source import Extent, Segment, record_text

# The interpreter's lock is held while one block is searched; the user's keys wait no longer than that.
BLOCK = 128 << 10
_RECORD = PIECE_BYTES + 64  # bytes a record has at most
_FIRST_UNIT = 256 << 10
_UNIT = 4 << 20  # bytes given to a process at once
HERE = 1 << 20  # bytes searched in this process before another takes over


@dataclass(frozen=True, slots=True)
class Found:
    """What the search of one block gave."""

    forward: bool
    bound: int  # up to where that direction is searched now
    start: int  # position of the block
    offsets: array[int]  # matches, from `start`
    searched: int = 0  # bytes


class _Side:
    """Blocks found in one direction; only ever appended to, so that the other thread may read meanwhile."""

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.keys: list[int] = []  # sign * start of the block: ascending on both sides
        self.blocks: list[tuple[int, array[int]]] = []  # start, offsets of matches from it
        self.count = 0

    def add(self, start: int, offsets: array[int]) -> None:
        if offsets:
            self.blocks.append((start, offsets))
            self.keys.append(self.sign * start)
            self.count += len(offsets)


class Scan:
    """The matches of `pattern` in [low, high), growing to both ends of the log, then with it.

    Positions are those of LogSource. `run` belongs to a worker thread, everything else to the event loop.
    """

    def __init__(self, pattern: Pattern, origin: int) -> None:
        self.pattern = pattern
        self._block_search = BlockSearch(pattern)
        self.low = self.high = origin
        self._lower = self._upper = origin  # bounds of the units taken: lines begin at or after them
        self._up = _Side(-1)
        self._down = _Side(1)

    @property
    def count(self) -> int:
        return self._up.count + self._down.count

    def done(self, start: int, end: int) -> bool:
        return self.low <= start and self.high >= end

    def share(self, start: int, end: int) -> float:
        """How much of the log has been searched, 0 to 1."""
        if end <= start:
            return 1.0
        return max(0.0, min(1.0, (min(self.high, end) - max(self.low, start)) / (end - start)))

    def run(self, segments: Sequence[Segment], cancelled: Callable[[], bool], progress: Callable[[], None]) -> None:
        """Search what is not searched yet, outwards; what is much, in processes of their own.

        Searching holds the interpreter's lock, so in a thread a gigabyte would make the keys wait.
        """
        if self.pattern.risky or self._search_here(segments, cancelled, progress, HERE):
            self._search_apart(segments, cancelled, progress)
        if not self.pattern.risky:
            self._search_here(segments, cancelled, progress)

    def _search_apart(
        self, segments: Sequence[Segment], cancelled: Callable[[], bool], progress: Callable[[], None]
    ) -> None:
        """Search in other processes, from the bounds outwards."""
        if cancelled() or not segments:
            return
        extent = Extent(segments)
        top = extent.end
        self._lower, self._upper = self.low, self.high
        if not self.pattern.risky:  # the last lines may not be over: they are left to who sees them grow
            top = max(self.high, extent.line_at(top - HERE)) if top - HERE > self.high else self.high
        order: dict[tuple[int, int], Result | None] = {}  # units given out, in their order
        results = POOL.search(self.pattern.query, segments, self._units(segments, top, order), cancelled)
        try:
            for result in results:
                order[result.unit] = result
                if not cancelled() and self._take_in_order(order):
                    progress()
        except OSError:
            return  # without the processes the rest is searched here, more slowly
        finally:
            results.close()

    def _units(
        self, segments: Sequence[Segment], top: int, order: dict[tuple[int, int], Result | None]
    ) -> Iterator[tuple[int, int]]:
        """What is to be searched, by turns below and above; small parts first, so that the first matches come soon."""
        low, high, size = self.low, self.high, _FIRST_UNIT
        while True:
            below = next((each for each in reversed(segments) if each.base < low), None)
            if below is not None:
                unit = (max(min(low, below.end) - size, below.base), low)
                low = unit[0]
                order[unit] = None
                yield unit
            above = next((each for each in segments if each.end > high), None)
            if above is not None and high < top:
                unit = (high, min(high + size, above.end, top))
                high = unit[1]
                order[unit] = None
                yield unit
            elif below is None:
                return
            size = min(size * 2, _UNIT)

    def _take_in_order(self, order: dict[tuple[int, int], Result | None]) -> bool:
        """Take the results that lie next to what has been searched. Whether there were any."""
        taken = [unit for unit in order if self._take_unit(unit, order[unit])]
        for unit in taken:
            del order[unit]
        return bool(taken)

    def _take_unit(self, unit: tuple[int, int], result: Result | None) -> bool:
        if result is None:
            return False
        if unit[0] == self._upper:
            self.take(Found(True, result.high, result.low, result.offsets))
            self._upper = unit[1]
        elif unit[1] == self._lower:
            self.take(Found(False, result.low, result.low, result.offsets))
            self._lower = unit[0]
        else:
            return False
        return True

    def _search_here(
        self,
        segments: Sequence[Segment],
        cancelled: Callable[[], bool],
        progress: Callable[[], None],
        limit: int | None = None,
    ) -> bool:
        """Search in this process; True if there is more than `limit` bytes to search."""
        searched = 0
        for found in self.steps(segments):
            self.take(found)
            progress()
            searched += found.searched
            if cancelled() or (limit is not None and searched >= limit):
                return True
        return False

    def steps(self, segments: Sequence[Segment]) -> Iterator[Found]:
        """Search block by block, in both directions by turns; each result is to be given to `take`."""
        while True:
            on = self._search_on(segments)
            if on is not None:
                yield on
            back = self._search_back(segments)
            if back is not None:
                yield back
            if on is None and back is None:
                return

    def take(self, found: Found) -> None:
        """Add the matches of one block, and move the bound."""
        if found.forward:
            self._down.add(found.start, found.offsets)
            self.high = found.bound
        else:
            self._up.add(found.start, found.offsets)
            self.low = found.bound

    def from_position(self, position: int) -> Iterator[int]:
        """Matches at or after `position`, ascending."""
        up, down = self._up, self._down
        # The blocks of `_up` run backwards: those from the one that holds `position` to the first in the list.
        for number in range(min(bisect_left(up.keys, -position), len(up.blocks) - 1), -1, -1):
            yield from self._block_from(up.blocks[number], position)
        for number in range(max(bisect_right(down.keys, position) - 1, 0), len(down.keys)):
            yield from self._block_from(down.blocks[number], position)

    def before_position(self, position: int) -> Iterator[int]:
        """Matches before `position`, descending."""
        up, down = self._up, self._down
        for number in range(bisect_left(down.keys, position) - 1, -1, -1):
            yield from self._block_before(down.blocks[number], position)
        for number in range(bisect_right(up.keys, -position), len(up.keys)):
            yield from self._block_before(up.blocks[number], position)

    def count_before(self, position: int) -> int:
        """How many matches found so far lie before `position`."""
        total = 0
        for side in (self._up, self._down):
            for start, offsets in side.blocks[:]:
                if start < position:
                    total += bisect_left(offsets, position - start)
        return total

    def blocks(self) -> Iterator[tuple[int, int]]:
        """Where there are matches: (position, how many)."""
        for side in (self._up, self._down):
            for start, offsets in side.blocks[:]:
                yield start, len(offsets)

    def density(self, start: int, end: int, buckets: int) -> list[int]:
        """Matches in each of `buckets` equal parts from `start` to `end`."""
        marks = [0] * buckets
        span = max(end - start, 1)
        for side in (self._up, self._down):
            for block, offsets in side.blocks[:]:
                at = 0
                while at < len(offsets):
                    bucket = min(max((block + offsets[at] - start) * buckets // span, 0), buckets - 1)
                    edge = start - (-(bucket + 1) * span // buckets)  # the first position of the next one
                    upto = bisect_left(offsets, edge - block, at) if bucket < buckets - 1 else len(offsets)
                    marks[bucket] += upto - at
                    at = upto
        return marks

    def _search_on(self, segments: Sequence[Segment]) -> Found | None:
        segment = next((each for each in segments if each.end > self.high), None)
        if segment is None:
            return None
        begin = max(self.high, segment.base)
        data = os.pread(segment.fd, min(BLOCK, segment.end - begin), begin - segment.base)
        whole = data.rfind(b"\n") + 1
        if not whole:
            if segment is segments[-1] and len(data) < BLOCK:
                return None  # a record that is being written
            whole = len(data)
        elif begin + whole < segments[-1].end:
            whole = self._without_open_line(data[:whole])
        if not whole:
            return self._one_line(segments, begin)
        return Found(True, begin + whole, begin, self._matches(segments, data[:whole], begin), whole)

    def _search_back(self, segments: Sequence[Segment]) -> Found | None:
        segment = next((each for each in reversed(segments) if each.base < self.low), None)
        if segment is None:
            return None
        end = min(self.low, segment.end)
        begin = max(end - BLOCK, segment.base)
        # A little more, so that the record before the block is seen too: its line may go on in the block.
        window = max(begin - _RECORD, segment.base)
        data = os.pread(segment.fd, end - window, window - segment.base)
        if begin > segment.base:
            cut = data.find(b"\n", begin - window) + 1
            before = data.rfind(b"\n", 0, max(cut - 1, 0)) + 1
            if data[before + 38 : before + 39] == b"P":
                begin = Extent(segments).line_at(window + min(cut, len(data) - 1))
                if begin + 2 * BLOCK < end or begin < segment.base:
                    after = self._end_of_line(segments, begin)
                    if not segment.base < after < end:
                        return self._one_line(segments, begin, forward=False)
                    begin = after  # the lines that stand after the long one first
                data = os.pread(segment.fd, end - begin, begin - segment.base)
            elif cut < len(data):
                begin = window + cut
                data = data[cut:]
            else:
                begin, data = window + before, data[before:]
        return Found(False, begin, begin, self._matches(segments, data, begin), end - begin)

    def _one_line(self, segments: Sequence[Segment], begin: int, *, forward: bool = True) -> Found | None:
        """Search a line that is longer than a block."""
        line = next(iter(Extent(segments).lines_from(begin, 1)), None)
        end = line.end if line is not None else begin + BLOCK
        accepted = line is not None and self.pattern.accepts(
            line.stamp + b" " + line.stream + b" F " + line.text,
            partial(earlier_in(Extent(segments), begin), line.stream),
        )
        bound = end if forward else begin
        return Found(forward, bound, begin, array("I", [0] if accepted else []), end - begin)

    def _end_of_line(self, segments: Sequence[Segment], begin: int) -> int:
        line = next(iter(Extent(segments).lines_from(begin, 1)), None)
        return line.end if line is not None else begin + BLOCK

    def _without_open_line(self, data: bytes) -> int:
        """The length of `data` without a last line that goes on after it."""
        end = len(data)
        while True:
            start = data.rfind(b"\n", 0, max(end - 1, 0)) + 1
            if data[start + 38 : start + 39] != b"P":
                return end
            end = start
            if not end:
                return 0

    def _matches(self, segments: Sequence[Segment], data: bytes, begin: int) -> array[int]:
        extent = Extent(segments)
        earlier = earlier_in(extent, begin)
        if b" P " not in data:
            return self._block_search.search(data, len(data), earlier)
        # There may be lines in pieces: each is searched as a whole.
        found = array("I")
        group: list[tuple[int, bytes]] = []
        levels: dict[bytes, str] = {}  # of the last line of each stream
        at = begin
        for record in [*data.split(b"\n")[:-1], b""]:
            if group and not extent.joins(group[-1], (at, record)):
                first = group[0][1]
                joined = first
                if len(group) > 1:
                    joined = first[:38] + b"F " + b"".join(record_text(piece) for _, piece in group)
                if is_record(first):
                    stream = first[31:37]

                    def before(stream: bytes = stream) -> str:
                        return levels[stream] if stream in levels else earlier(stream)

                    if self.pattern.accepts(joined, before):
                        found.append(group[0][0] - begin)
                    if self.pattern.query.levels:
                        levels[stream] = self.pattern.level(joined, before)
                group.clear()
            group.append((at, record))
            at += len(record) + 1
        return found

    def _block_from(self, block: tuple[int, array[int]], position: int) -> Iterator[int]:
        start, offsets = block
        for offset in offsets[bisect_left(offsets, max(position - start, 0)) :]:
            yield start + offset

    def _block_before(self, block: tuple[int, array[int]], position: int) -> Iterator[int]:
        start, offsets = block
        for offset in reversed(offsets[: bisect_left(offsets, max(position - start, 0))]):
            yield start + offset
