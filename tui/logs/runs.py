"""Where the runs of a container begin and end in its log: the separators between lines, the places to go to."""

from __future__ import annotations

import json
import time
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from engine.logs.records import stamp
from engine.logs.runs import Run
from tui.format import took
from tui.logs.merged import MergedSource
from tui.logs.source import LogSource

Source = LogSource | MergedSource

_SHOWN = 1000  # of the newest runs: a container that fails and restarts for weeks has more


class Separator(NamedTuple):
    """A row between lines; of merged logs, `origin` says which one it is of."""

    text: str
    origin: int | None = None


@dataclass(frozen=True, slots=True)
class Separators:
    """What stands between lines. `positions` ascend; each row stands before the line that begins at its position."""

    positions: tuple[int, ...] = ()
    rows: tuple[Separator, ...] = ()
    starts: tuple[int, ...] = ()  # where runs begin
    first_number: int = 1  # of the run that `starts[0]` is of; 0 where the runs of several containers mix

    def __bool__(self) -> bool:
        return bool(self.positions)

    @property
    def last(self) -> int:
        return self.positions[-1] if self.positions else -1

    def between(self, begin: int, end: int | None) -> Sequence[Separator]:
        """The rows at positions from `begin` to before `end`."""
        low = bisect_left(self.positions, begin)
        return self.rows[low : bisect_left(self.positions, end) if end is not None else None]

    def moved(self, end: int, position: int) -> Separators:
        """What stood at `end` or after it, before the line at `position` instead: the first that came since."""
        return replace(
            self,
            positions=tuple(position if at >= end else at for at in self.positions),
            starts=tuple(position if at >= end else at for at in self.starts),
        )

    def run_at(self, position: int | None) -> str:
        """`run 3 of 4`, of the newest for None; empty with no more than one, and where runs mix."""
        if len(self.starts) < 2 or not self.first_number:
            return ""
        at = len(self.starts) - 1 if position is None else max(bisect_right(self.starts, position) - 1, 0)
        return f"run {self.first_number + at} of {self.first_number + len(self.starts) - 1}"

    def step(self, position: int, direction: int) -> int | None:
        """Where the next run begins, or this one or the one before; None if there is none."""
        if direction > 0:
            at = bisect_right(self.starts, position)
            return self.starts[at] if at < len(self.starts) else None
        at = bisect_left(self.starts, position) - 1
        return self.starts[at] if at >= 0 else None


def journal_of(directory: str) -> str:
    """The journal that the monitor of this log writes to; empty if there is none to be found."""
    try:
        settings = json.loads((Path(directory).parent / "monitor.json").read_text())
    except (OSError, ValueError):
        return ""
    return str(settings.get("journal", "")) if isinstance(settings, dict) else ""


def place(source: Source, logs: Sequence[Sequence[Run]], names: Sequence[str]) -> Separators:
    """The separators of a log, or of merged ones by time; reads a few blocks for each, so it is for a worker thread.

    What a run wrote is in the files before its end is told: if `source` was refreshed since, the places are final.

    :param logs: the runs of each log in `source`.
    :param names: of its containers, where there are several.
    """
    told: list[tuple[float, Separator, bool]] = []  # when, what, whether a run begins there
    for origin, runs in enumerate(logs):
        who, name = (origin, f"{names[origin].strip()} · ") if names else (None, "")
        for run in runs[-_SHOWN:]:
            if run.started:
                told.append((run.started, Separator(name + _begin(run), who), True))
            if run.ended:
                told.append((run.ended, Separator(name + _end(run), who), False))
    told.sort(key=itemgetter(0))
    positions = [source.time_position(stamp(when)) for when, _, _ in told]
    return Separators(
        tuple(positions),
        tuple(row for _, row, _ in told),
        tuple(at for at, (_, _, begins) in zip(positions, told, strict=True) if begins),
        0 if names else next((run.number for run in logs[0][-_SHOWN:] if run.started), 1),
    )


def _begin(run: Run) -> str:
    return f"run {run.number} · started {_clock(run.started)}" + (f" · image {run.image}" if run.image else "")


def _end(run: Run) -> str:
    how = f"exited {run.exit_code}" + (", out of memory" if run.oom_killed else ", stopped" if run.stopped else "")
    after = f" after {took(run.lasted)}" if run.started else ""
    return f"run {run.number} · {how}{after} · {_clock(run.ended)}"


def _clock(when: float) -> str:
    today = time.strftime("%Y-%m-%d", time.localtime())
    day = time.strftime("%Y-%m-%d", time.localtime(when))
    return ("" if day == today else day + " ") + time.strftime("%H:%M:%S", time.localtime(when))
