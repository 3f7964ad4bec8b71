"""The last hour of a container's readings, as rates: small enough to keep for every container on screen."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from dataclasses import dataclass

from engine.models import Stats

KEPT = 3600  # samples; one a second
_SPARE = 600  # dropped at once, so that dropping costs nothing

HOLE = 3.0  # seconds between two samples from which on nobody looked meanwhile
COUNTS = ("throttled", "oom")
SERIES = ("cpu", "memory", "received", "sent", "read", "written", "throttled", "oom")


@dataclass(frozen=True, slots=True)
class Sample:
    """Rates between two readings; `cpu` in percent of one core, the others in bytes a second (`memory`: bytes)."""

    cpu: float
    memory: int
    received: float
    sent: float
    read: float
    written: float


class History:
    """Samples by time (seconds, CLOCK_MONOTONIC), oldest first, with holes while nobody looked.

    `throttled` and `oom` hold how often each happened since the sample before.
    """

    __slots__ = ("_series", "last", "latest", "times")

    def __init__(self) -> None:
        self.last: Stats | None = None
        self.latest: Sample | None = None
        self.times = array("d")
        self._series = {name: array("f") for name in SERIES}

    def add(self, stats: Stats) -> None:
        """Take a reading in. Counters that went back (a restart) start a new history."""
        before, self.last = self.last, stats
        if before is None or stats.time <= before.time:
            return
        if stats.cpu_seconds < before.cpu_seconds:
            self.clear()
            return
        elapsed = stats.time - before.time

        def rate(new: float, old: float) -> float:
            return max(0.0, new - old) / elapsed

        sample = self.latest = Sample(
            cpu=100 * rate(stats.cpu_seconds, before.cpu_seconds),
            memory=stats.memory,
            received=rate(stats.received, before.received),
            sent=rate(stats.sent, before.sent),
            read=rate(stats.read, before.read),
            written=rate(stats.written, before.written),
        )
        self.times.append(stats.time)
        series = self._series
        series["cpu"].append(sample.cpu)
        series["memory"].append(sample.memory)
        series["received"].append(sample.received)
        series["sent"].append(sample.sent)
        series["read"].append(sample.read)
        series["written"].append(sample.written)
        series["throttled"].append(max(0, stats.throttled_periods - before.throttled_periods))
        series["oom"].append(max(0, stats.oom_kills - before.oom_kills))
        if len(self.times) > KEPT + _SPARE:
            del self.times[:_SPARE]
            for values in series.values():
                del values[:_SPARE]

    def clear(self) -> None:
        self.latest = None
        del self.times[:]
        for values in self._series.values():
            del values[:]

    def peak(self, name: str) -> float:
        return max(self._series[name], default=0.0)

    def window(self, name: str, cells: int, *, step: int = 1, back: int = 0) -> list[float | None]:
        """The largest value in each of `cells` spans of `step` seconds, ending `back` seconds before the last sample.

        None where there is no sample, and none soon after: a sample stands for the seconds since the one before, if
        those are not many. Spans begin at whole multiples of `step`, so that bars stand still until the window moves on
        by one.
        """
        if not self.times:
            return [None] * cells
        last = int((self.times[-1] - back) // step)
        first = last - cells + 1
        found: list[float | None] = [None] * cells
        times, values = self.times, self._series[name]
        begin = bisect_left(times, first * step)
        before = int(times[begin - 1] // step) - first if begin else cells  # the cell of the sample before
        for index in range(begin, len(times)):
            cell, value = int(times[index] // step) - first, values[index]
            if cell > before + 1 and times[index] - times[index - 1] <= HOLE:
                for skipped in range(max(0, before + 1), min(cell, cells)):
                    found[skipped] = 0.0 if name in COUNTS else value
            if cell >= cells:
                break
            there = found[cell]
            found[cell] = value if there is None or value > there else there
            before = cell
        return found

    @property
    def length(self) -> float:
        """Seconds from the first sample to the last."""
        return self.times[-1] - self.times[0] if self.times else 0.0
