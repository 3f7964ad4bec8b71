"""What a plot of the Stats tab shows: a graph's values, its axes, its limit and its marks, as plain data."""

from __future__ import annotations

import time
from dataclasses import dataclass

from tui import format as short
from tui.containers.graphs import Graph, Window
from tui.state.history import History
from tui.widgets.table import Cell

AXIS = 8  # cells at the left: the labels of the value axis, and its line
ROOMY = 8  # rows from which a plot has a time axis of its own; else only the lowest has
DOT = "•"  # the second of two series: a line would not be told from the first without colours
TICK = 12  # cells a label of the time axis has at the least
STEPS = (10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)  # seconds between two of them


@dataclass(frozen=True, slots=True)
class Picture:
    """Equal pictures look the same, so that one of an idle container need not be drawn again.

    `lines`: one or two series, a value a column, None where nothing is known. `marks`: columns at whose top `sign`
    stands (a character and its tone). `limit`: 0 for none. The ticks are places with their labels.
    """

    width: int
    height: int
    lines: tuple[tuple[float | None, ...], ...]
    full: float
    limit: float
    values: tuple[tuple[float, str], ...]
    times: tuple[tuple[int, str], ...]
    marks: tuple[int, ...]
    sign: tuple[str, str]


def columns(width: int) -> int:
    """How many values a plot of that width has room for."""
    return max(8, width - AXIS)


def picture(graph: Graph, history: History, window: Window, width: int, height: int, *, lowest: bool) -> Picture:
    """A graph on `width` times `height` cells."""
    count = columns(width)

    def values(name: str) -> list[float | None]:
        return history.window(name, count, step=window.step, back=window.back)

    marked = values(graph.marks) if graph.marks else []
    timed = lowest or height >= ROOMY
    rows = height - (2 if timed else 0)
    parts = 4 if rows >= 9 else 2 if rows >= 5 else 1
    return Picture(
        width,
        height,
        tuple(tuple(values(name)) for name in graph.series),
        graph.full,
        graph.limit,
        tuple(
            (graph.full * part / parts, f"{graph.label(graph.full * part / parts):>{AXIS - 2}} ")
            for part in range(parts + 1)
        ),
        _times(history, window, count) if timed else (),
        tuple(column for column, value in enumerate(marked) if value),
        graph.sign,
    )


def _times(history: History, window: Window, count: int) -> tuple[tuple[int, str], ...]:
    """Before now, which stands still; of the past by the clock."""
    wanted = TICK * window.step
    step = next((step for step in STEPS if step >= wanted), STEPS[-1])
    places = range(0, count * window.step, step)
    if not window.back:
        return tuple((count - 1 - ago // window.step, f"-{_ago(ago)}" if ago else "now") for ago in reversed(places))
    end = time.time() - (time.monotonic() - history.times[-1]) - window.back if history.times else time.time()
    first = end - end % step
    found = []
    for ago in places:
        place = count - 1 - round((end - first + ago) / window.step)
        if place >= 0:
            found.append((place, short.clock(first - ago)))
    return tuple(reversed(found))


def _ago(seconds: int) -> str:
    """90 -> 1m30s; short.span would say 1m."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return "".join(f"{part}{unit}" for part, unit in ((hours, "h"), (minutes, "m"), (rest, "s")) if part)


def facts(graph: Graph) -> Cell:
    """All facts of a graph on a line, with what its marks and its dots stand for."""
    first, *others = graph.facts
    found = list(first)
    for fact in others:
        alarming = fact[-1][1] in ("warn", "bad")
        sign = f"{graph.sign[0]} " if alarming and graph.sign[0] else ""
        found += [("   ", ""), *((sign + text.strip(), tone) for text, tone in fact if text.strip())]
    if len(graph.series) > 1:
        one, other = graph.names
        found.append((f"   line {one}  {DOT} {other}", "muted"))
    return tuple(found)
