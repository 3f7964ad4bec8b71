"""How much a container logs, from the growth of its log file: one stat a look, and a bounded read where it grew."""

from __future__ import annotations

import os
import time
from collections import deque
from dataclasses import dataclass, field

from tui.logs.levels import level_of

KEPT = 8  # rates, one of each look
LOOK = 64 << 10  # bytes read of one second's growth, and of the end of a log that is seen for the first time
MOST = 3.0  # seconds whose growth is read at once; of one that nobody has looked at for longer only the end


@dataclass(slots=True)
class LogPulse:
    """Lines a second, and errors: lines that say so, in the end of the log as it was found and in what came since.

    `path`: the log file. `partial`: more was written than was looked through, so there may be more errors.
    """

    path: str
    rates: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT))
    errors: int = 0
    partial: bool = False
    _inode: int = 0
    _size: int = -1
    _read: float = 0.0
    _started: float = 0.0

    def look(self, started: float) -> None:
        """Look at the log file now. A container that was `started` anew begins with no errors."""
        now = time.monotonic()
        try:
            there = os.stat(self.path)  # noqa: PTH116 (dozens of files a second: no Path for each)
        except OSError:
            return  # created and never started
        first = self._size < 0
        if started != self._started:
            self.errors, self.partial = 0, False
            self._started = started
        if first:
            growth = there.st_size
        elif there.st_ino != self._inode or there.st_size < self._size:
            growth = there.st_size  # rotated: what the old file still got is not counted
        else:
            growth = there.st_size - self._size
        passed = 1.0 if first else now - self._read
        lines = self._count(there.st_size, growth, started, passed) if growth else 0.0
        if not first:
            self.rates.append(lines / max(0.1, passed))
        self._inode, self._size, self._read = there.st_ino, there.st_size, now

    def _count(self, size: int, growth: int, started: float, passed: float) -> float:
        wanted = min(growth, int(LOOK * min(MOST, max(1.0, passed))))
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return 0.0
        try:
            text = os.pread(fd, wanted, size - wanted)
        finally:
            os.close(fd)
        if growth > wanted and self._size >= 0:
            self.partial = True
        since = _stamp(started).encode()  # lines of an earlier run are not this run's errors
        # "2026-11-24T23:15:39.123456789Z stdout F text"
        self.errors += sum(
            level_of(line.partition(b" F ")[2]) == "E" for line in text.splitlines() if line[:19] >= since
        )
        return text.count(b"\n") * growth / max(1, len(text))


def _stamp(when: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(when))
