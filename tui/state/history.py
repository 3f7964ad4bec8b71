"""The last hour of a container's readings, as rates: small enough to keep for every container on screen."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from dataclasses import dataclass

from engine.models import Stats

KEPT = 3600  # samples; one a second
_SPARE = 600  # dropped at once, so that dropping costs nothing

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

        None where there is no sample. Spans begin at whole multiples of `step`, so that bars stand still until the
        window moves on by one.
        """
        if not self.times:
            return [None] * cells
        last = int((self.times[-1] - back) // step)
        first = last - cells + 1
        found: list[float | None] = [None] * cells
        values = self._series[name]
        for index in range(bisect_left(self.times, first * step), len(self.times)):
            cell = int(self.times[index] // step) - first
            if cell >= cells:
                break
            value, there = values[index], found[cell]
            found[cell] = value if there is None or value > there else there
        if step == 1:
            # readings a little more than a second apart skip a second now and then: that is no hole
            for cell in range(1, cells - 1):
                if found[cell] is None and found[cell + 1] is not None:
                    found[cell] = found[cell - 1]
        return found

    @property
    def length(self) -> float:
        """Seconds from the first sample to the last."""
        return self.times[-1] - self.times[0] if self.times else 0.0
