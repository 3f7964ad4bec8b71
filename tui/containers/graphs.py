"""The lines of the Stats tab of a running container: four graphs with their facts, and a line of time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from engine.models import Container
from tui import format as short
from tui.state.history import History
from tui.widgets.chart import bars, bytes_ceiling, ceiling
from tui.widgets.table import Cell, cell

STEPS = (1, 5, 15, 60)  # seconds a column can stand for
SCALE = 7  # cells of the scale at the right
Facts = list[Cell]


@dataclass(frozen=True, slots=True)
class Window:
    """The part of the past that is looked at: `step` seconds a column, its right end `back` seconds ago."""

    step: int = 1
    back: int = 0


@dataclass(frozen=True, slots=True)
class Graph:
    """`series`: one, or two that share the lines, with their `names`. `full`: what a full column stands for."""

    facts: Facts
    series: tuple[str, ...]
    full: float
    label: Callable[[float], str]  # a value in few cells
    limit: float = 0  # 0 for none
    names: tuple[str, ...] = ()
    marks: str = ""  # the series whose every count is marked
    sign: tuple[str, str] = ("", "")


def lines(container: Container, history: History | None, window: Window, width: int, height: int) -> list[Cell]:
    """At most `height` lines of at most `width` cells; as many lines a graph as there is room for."""
    if history is None or history.last is None or history.latest is None:
        return [cell("Measuring…", "muted")]
    rows = max(1, min(10, (height - 1) // 4))
    side = (28 if width >= 64 else 24) if rows > 1 else 34 if width >= 64 else 22
    columns = max(8, width - side - SCALE)
    found: list[Cell] = []
    for graph in graphs(container, history, window, columns):
        marks = _marks(history, graph, window, columns)
        drawn: list[Cell] = []
        if len(graph.series) == 1 or rows == 1:
            values = [history.window(name, columns, step=window.step, back=window.back) for name in graph.series]
            drawn = bars([_sum(each) for each in zip(*values, strict=True)], rows, graph.full, marks=marks)
        else:
            for name, share in zip(graph.series, (rows - rows // 2, rows // 2), strict=True):
                values = [history.window(name, columns, step=window.step, back=window.back)]
                drawn += bars(values[0], share, graph.full, tone="good" if not drawn else "accent")
        facts = _flowing(graph.facts, rows, side)
        for row, bar in enumerate(drawn):
            fact = facts[row] if row < len(facts) else ()
            scale = graph.label(graph.full) if row == 0 else ""
            found.append((*_fitted(fact, side), *bar, (f" {scale:<{SCALE - 1}}", "muted")))
    if len(found) < height:
        found.append(times(container, history, window, columns, width))
    return found[: max(1, height)]


def graphs(container: Container, history: History, window: Window, columns: int) -> list[Graph]:
    """Processor, memory, network and disk, as they were in the window; nothing before there are two readings."""
    last, now = history.last, history.latest
    if last is None or now is None:
        return []

    def top(*series: str) -> float:
        shown = (history.window(name, columns, step=window.step, back=window.back) for name in series)
        return max((value or 0.0 for values in shown for value in values), default=0.0)

    limited = container.options.resources.memory > 0
    cpus = container.options.resources.cpus
    most = 100 * cpus if cpus else ceiling(top("cpu"), 10.0)
    room = float(last.memory_limit) if limited else bytes_ceiling(top("memory") * 1.1, 1 << 20)
    traffic, disk = bytes_ceiling(top("received", "sent")), bytes_ceiling(top("read", "written"))
    share = f"{100 * last.memory / max(1, last.memory_limit):.0f}%"
    limit = f"of {short.size(last.memory_limit)} {share}" if limited else "no limit"
    return [
        Graph(
            [
                _fact("CPU", short.percent(now.cpu), f"of {cpus:g} CPUs" if cpus else ""),
                _alarm("throttled", last.throttled_periods, "warn", "periods"),
                _fact("", "", f"peak {short.percent(history.peak('cpu'))}"),
            ],
            ("cpu",),
            most,
            lambda value: f"{value:.3g}%",
            limit=most if cpus else 0,
            marks="throttled",
            sign=("t", "warn"),
        ),
        Graph(
            [
                _fact("MEM", short.size(now.memory), limit),
                _alarm("killed, OOM", last.oom_kills, "bad"),
                _fact("", "", f"peak {short.size(history.peak('memory'))}"),
            ],
            ("memory",),
            room,
            short.size,
            limit=room if limited else 0,
            marks="oom",
            sign=("✗", "bad"),
        ),
        Graph(
            [
                _fact("NET", f"↓{short.size(now.received)}/s ↑{short.size(now.sent)}/s", ""),
                _fact("", "", f"total ↓{short.size(last.received)} ↑{short.size(last.sent)}"),
            ],
            ("received", "sent"),
            traffic,
            _rate,
            names=("↓", "↑"),
        ),
        Graph(
            [
                _fact("DISK", f"r {short.size(now.read)}/s w {short.size(now.written)}/s", ""),
                _fact("", "", f"total r {short.size(last.read)} w {short.size(last.written)}"),
            ],
            ("read", "written"),
            disk,
            _rate,
            names=("r", "w"),
        ),
    ]


def _rate(value: float) -> str:
    return f"{short.size(value)}/s"


def _fact(name: str, value: str, note: str) -> Cell:
    return ((f"{name:<5}", "title"), (f"{value} " if value else "", ""), (note, "muted"))


def _alarm(name: str, count: int, tone: str, unit: str = "") -> Cell:
    """Something that should not be: told first if it was, last if it was not."""
    words = f"{name} {short.count(count)} {unit}" if count else f"{name} 0"
    return ((" " * 5, ""), (words.rstrip(), tone if count else "muted"))


def _flowing(facts: Facts, rows: int, side: int) -> Facts:
    """The facts for `rows` lines; on a single one, an alarm takes the place of the note if there is cause for it."""
    if rows > 1 or len(facts) < 2:
        return facts
    now, (words, tone) = facts[0][:-1], facts[1][-1]
    if tone not in ("warn", "bad"):
        return facts
    if sum(len(text) for text, _ in now) + len(words) >= side:
        words = words.partition(" ")[0]  # half a number would be a wrong one
    return [(*now, (words, tone))]


def _marks(history: History, graph: Graph, window: Window, columns: int) -> list[tuple[str, str] | None]:
    if not graph.marks:
        return []
    counts = history.window(graph.marks, columns, step=window.step, back=window.back)
    return [graph.sign if count else None for count in counts]


def _sum(values: tuple[float | None, ...]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def times(container: Container, history: History, window: Window, columns: int, width: int) -> Cell:
    """What the columns stand for, and how many processes there are."""
    pids = history.last.pids if history.last is not None else 0
    if window.back:
        end = time.time() - (time.monotonic() - history.times[-1]) - window.back
        span = f"{short.clock(end - columns * window.step)} to {short.clock(end)}, End: now"
    else:
        span = f"last {short.span(columns * window.step)}"
    left = f"PIDS {pids}  restarts {container.restart_count} (policy: {container.options.restart.name})"
    if container.running and container.health:
        streak = f", {container.failing_streak} failed" if container.failing_streak else ""
        left += f"  {container.health}{streak}"
    room = width - len(left) - SCALE - 2
    step = f"{span}  {window.step} s a column"
    right = next((words for words in (f"{step}  ← → + -", step, span) if len(words) <= room), "")
    return ((left[:5], "title"), (left[5:], ""), (" " * max(2, room + 2 - len(right)) + right, "muted"))


def _fitted(spans: Cell, width: int) -> Cell:
    """Cut or filled to `width` cells."""
    left, fitted = width, []
    for text, tone in spans:
        if left <= 0:
            break
        fitted.append((text[: left - 1] if len(text) >= left else text, tone))
        left -= len(fitted[-1][0])
        if len(text) > len(fitted[-1][0]):
            break
    used = sum(len(text) for text, _ in fitted)
    return (*fitted, (" " * (width - used), ""))
