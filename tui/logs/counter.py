"""How many lines a log has: what is there counted once in a worker thread, what comes counted as it comes."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from tui.logs.source import Segment, count_lines

_BLOCK = 256 << 10
_AT_ONCE = 8 << 20  # bytes counted on the event loop in one go: about 3 ms


class LineCounter:
    """Counts by file, so that files that are rotated away take their lines with them."""

    def __init__(self, end: int) -> None:
        self.origin = end
        self.appended = 0  # lines that came since this counter was made
        self.complete = False  # what was there before has been counted
        self._older: dict[int, int] = {}
        self._newer: dict[int, int] = {}
        self._at = end

    def total(self, segments: Sequence[Segment]) -> int:
        return sum(self._older.get(segment.base, 0) + self._newer.get(segment.base, 0) for segment in segments)

    def advance(self, segments: Sequence[Segment]) -> bool:
        """Count what came. False if there was too much for once: call again soon."""
        budget = _AT_ONCE
        for segment in segments:
            if segment.end <= self._at:
                continue
            self._at = max(self._at, segment.base)
            while self._at < segment.end and budget > 0:
                data = os.pread(segment.fd, min(_BLOCK, segment.end - self._at), self._at - segment.base)
                whole = data.rfind(b"\n") + 1
                if not whole:
                    break
                lines = count_lines(data[:whole])
                self._newer[segment.base] = self._newer.get(segment.base, 0) + lines
                self.appended += lines
                self._at += whole
                budget -= whole
        return budget > 0

    def count_older(self, segments: Sequence[Segment], cancelled: Callable[[], bool]) -> None:
        """Count what was there at the beginning; for a worker thread."""
        for segment in segments:
            at, end = segment.base, min(segment.end, self.origin)
            while at < end:
                if cancelled():
                    return
                data = os.pread(segment.fd, min(_BLOCK, end - at), at - segment.base)
                whole = data.rfind(b"\n") + 1 or len(data)
                if not whole:
                    break
                self._older[segment.base] = self._older.get(segment.base, 0) + count_lines(data[:whole])
                at += whole
        self.complete = True
