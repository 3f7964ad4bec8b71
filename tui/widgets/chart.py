"""Bars over time in block characters, several lines high, on a scale that stands still.

Textual's Sparkline stretches whatever it gets from its least to its largest value, so that an idle process looks as
busy as a busy one, and has room neither for a limit nor for marks. Where there is room, plotext draws (widgets.plot);
but its import costs 20 to 50 ms of CPU and a plot 80 cells wide 3 ms, these bars 0.1 ms, and in two or three rows
its lines say less. Hence this, for the few rows that the graphs have beside other panes.
"""

from __future__ import annotations

from collections.abc import Sequence

from tui.widgets.table import Cell

EIGHTHS = " ▁▂▃▄▅▆▇█"


def bars(
    values: Sequence[float | None],
    rows: int,
    ceiling: float,
    *,
    tone: str = "good",
    marks: Sequence[tuple[str, str] | None] = (),
) -> list[Cell]:
    """`rows` lines, the topmost first; a full column stands for `ceiling`.

    A value above nought has at least the lowest block; None, where nothing is known, is a dot on the base line. A mark
    (a character and its tone) stands at the top of its column.
    """
    unit = max(ceiling, 1e-9) / (rows * 8)
    heights = [-1 if value is None else max(1, min(rows * 8, round(value / unit))) for value in values]
    lines: list[Cell] = []
    for row in range(rows):
        base = (rows - 1 - row) * 8
        spans: list[tuple[str, str]] = []
        for column, height in enumerate(heights):
            mark = marks[column] if marks and row == 0 else None
            if mark is not None:
                span = mark
            elif height < 0:
                span = ("·" if base == 0 else " ", "muted")
            else:
                span = (EIGHTHS[max(0, min(8, height - base))], tone)
            if spans and spans[-1][1] == span[1]:
                spans[-1] = (spans[-1][0] + span[0], span[1])
            else:
                spans.append(span)
        lines.append(tuple(spans))
    return lines


def ceiling(peak: float, least: float) -> float:
    """A round number that `peak` fits under: 1, 2 or 5 times a power of ten times `least`."""
    scale = least
    while scale * 10 < peak:
        scale *= 10
    return next(scale * step for step in (1, 2, 5, 10) if peak <= scale * step)


def bytes_ceiling(peak: float, least: float = 1024.0) -> float:
    """The same in powers of two."""
    scale = least
    while scale < peak:
        scale *= 2
    return scale
