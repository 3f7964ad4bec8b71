"""What was measured, printed, as JSON and as Markdown: our figure, its ratio to each peer's, the goal, the floor."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

OWN = "pilothouse"
PEERS = ("docker", "podman")


@dataclass
class Row:
    """`figures` by program, in `unit`; `goal` is a ratio for every peer unless `absolute`; `more`: more is better.

    `floors`: in the same unit, what the least that could do the same needs.
    """

    what: str
    figures: dict[str, float]
    unit: str = "ms"
    goal: dict[str, float] | float | None = None
    absolute: bool = False
    more: bool = False
    floors: dict[str, float] = field(default_factory=dict)

    @property
    def ratios(self) -> dict[str, float]:
        own = self.figures.get(OWN, 0.0)
        return {name: own / value for name, value in self.figures.items() if name != OWN and value}

    @property
    def is_met(self) -> bool | None:
        """None if there is no goal, or nobody to compare with."""
        found = {OWN: self.figures[OWN]} if self.absolute else self.ratios
        pairs = [(value, goal) for name, value in found.items() if (goal := self._goal_for(name)) is not None]
        if not pairs:
            return None
        return all(value >= goal if self.more else value <= goal for value, goal in pairs)

    def _goal_for(self, name: str) -> float | None:
        return self.goal.get(name) if isinstance(self.goal, dict) else self.goal

    @property
    def goal_text(self) -> str:
        """Such as "≤ 0.3 ×" or "≤ 0.22 docker, 0.2 podman: no"; empty for none."""
        if self.goal is None:
            return ""
        if isinstance(self.goal, dict):
            bounds = ", ".join(f"{value:g} {name}" for name, value in self.goal.items())
        else:
            bounds = f"{self.goal:g} {self.unit if self.absolute else '×'}"
        verdict = {True: "", False: ": no", None: ""}[self.is_met]
        return f"{'≥' if self.more else '≤'} {bounds}{verdict}"

    @property
    def floor_text(self) -> str:
        return "; ".join(f"{what} {_short(value)}" for what, value in self.floors.items())

    def __str__(self) -> str:
        others = "  ".join(
            f"{ratio:5.2f} × {name} ({_short(self.figures[name])})" for name, ratio in self.ratios.items()
        )
        notes = "".join(f"  [{text}]" for text in (self.goal_text, self.floor_text) if text)
        return f"{self.what:<56} {_short(self.figures.get(OWN, 0)):>9} {self.unit:<8} {others}{notes}"

    def markdown(self) -> str:
        ratios = [f"{self.ratios[name]:.2f}" if name in self.ratios else "" for name in PEERS]
        own = f"{_short(self.figures.get(OWN, 0))} {self.unit}"
        return _line(self.what, own, *ratios, self.goal_text, self.floor_text)


@dataclass
class Growth:
    """Milliseconds of one thing while there are more and more of another (`of`, in the plural)."""

    what: str
    of: str
    counts: list[int]
    times: list[float]

    @property
    def slope(self) -> float:
        """Microseconds for each one more, by linear regression."""
        return statistics.linear_regression(self.counts, self.times).slope * 1000

    @property
    def slope_text(self) -> str:
        return f"{self.slope:.2f} µs for each of the {self.of}"

    def __str__(self) -> str:
        steps = ", ".join(f"{count:,}: {_short(time)}" for count, time in zip(self.counts, self.times, strict=True))
        return f"{self.what:<40} by {self.of:<10} {steps} ms; slope {self.slope_text}"

    def markdown(self) -> str:
        counts, times = ", ".join(f"{count:,}" for count in self.counts), ", ".join(map(_short, self.times))
        return _line(self.what, f"{self.of}: {counts}", f"{times} ms", self.slope_text)


@dataclass
class Table:
    """Grows row by row, printed as it does."""

    rows: list[Row] = field(default_factory=list)
    growths: list[Growth] = field(default_factory=list)
    machine: dict[str, Any] = field(default_factory=lambda: _machine())

    def add(self, what: str, figures: dict[str, float], **more: Any) -> None:
        row = Row(what, figures, **more)
        self.rows.append(row)
        print(row, flush=True)

    def milliseconds(
        self,
        what: str,
        medians: dict[str, float],
        goal: Any = None,
        floors: dict[str, float] | None = None,
        **more: Any,
    ) -> None:
        """A row of times that are given in seconds."""
        self.add(what, _thousandfold(medians), goal=goal, floors=_thousandfold(floors or {}), **more)

    def grows(self, what: str, of: str, counts: tuple[int, ...], times: list[float]) -> None:
        """A row of times in seconds, one for each count."""
        growth = Growth(what, of, list(counts), [seconds * 1000 for seconds in times])
        self.growths.append(growth)
        print(growth, flush=True)

    def write_json(self, path: Path) -> None:
        rows = [asdict(row) | {"ratios": row.ratios, "met": row.is_met} for row in self.rows]
        growths = [asdict(growth) | {"slope_us": growth.slope} for growth in self.growths]
        path.write_text(json.dumps({"machine": self.machine, "rows": rows, "growths": growths}, indent=1) + "\n")

    @classmethod
    def read_json(cls, path: Path) -> Self:
        """The table that `write_json` has written; what is computed is computed anew."""
        kept = json.loads(path.read_text())
        rows = [Row(**{name: row[name] for name in row if name not in ("ratios", "met")}) for row in kept["rows"]]
        growths = [Growth(*(row[name] for name in ("what", "of", "counts", "times"))) for row in kept["growths"]]
        return cls(rows, growths, kept["machine"])

    def markdown(self) -> str:
        """What README shows."""
        machine = self.machine
        lines = [
            f"{machine['cpus']} cores of {machine['processor']}, Linux {machine['kernel']}, Python {machine['python']},"
            f" {machine['time'][:10]}. Medians of runs in turns. A ratio is ours to theirs.",
            "",
            *_head("what", "Pilothouse", *(f"{name} ×" for name in PEERS), "goal", "floor, in the same unit"),
            *(row.markdown() for row in self.rows),
        ]
        if self.growths:
            lines += ["", *_head("how it grows", "with", "times", "slope"), *(row.markdown() for row in self.growths)]
        return "\n".join(lines) + "\n"


def _machine() -> dict[str, Any]:
    return {
        "cpus": os.cpu_count(),
        "processor": _processor(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load": os.getloadavg()[0],
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _thousandfold(values: dict[str, float]) -> dict[str, float]:
    return {name: value * 1000 for name, value in values.items()}


def _short(value: float) -> str:
    """Three digits that count, or all before the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _head(*names: str) -> tuple[str, str]:
    return _line(*names), "| --- " * len(names) + "|"


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
