"""Graphs over time drawn by plotext: a value axis, a time axis, a line for the limit, marks for what went wrong."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from rich.ansi import AnsiDecoder
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual_plotext import PlotextPlot

from tui.containers.graphs import Graph, Window
from tui.containers.pictures import DOT, Picture, columns, facts, picture
from tui.state.history import History
from tui.widgets.table import Cell

if TYPE_CHECKING:
    from tui.app import Pilothouse

Tone = Callable[[str], Style]
Colours = Mapping[str, tuple[int, int, int]]

FINE = "sd" if os.environ.get("TERM") == "linux" else "braille"  # the font of a text console has no braille
# Seconds between two drawings: one takes 2 to 7 ms of CPU a plot (20 for a wild line over 200 columns), and what is
# drawn anew is also written to the terminal anew.
REST = 2.0
COUNT = 4
USED = ("good", "accent", "warn", "bad", "muted")  # tones


class HistoryPlot(PlotextPlot, inherit_css=False):
    """A line of facts, and the plot below.

    PlotextPlot draws in `render`, which would hold the event loop for milliseconds a plot. Here `drawn` may be called
    in a thread; what is rendered are the lines it gave.
    """

    def __init__(self) -> None:
        super().__init__()
        self.shown: tuple[Picture, Colours] | None = None
        self._facts: Cell = ()
        self._lines: list[Strip] = []
        self._tone: Tone = lambda name: Style()

    def tell(self, facts: Cell, tone: Tone) -> None:
        """Put these facts above the plot."""
        self._tone = tone
        if facts != self._facts:
            self._facts = facts
            self.refresh(Region(0, 0, self.size.width, 1))

    def put(self, shown: tuple[Picture, Colours], lines: list[Strip]) -> None:
        """Show what was drawn."""
        before, self._lines, self.shown = self._lines, lines, shown
        if len(before) != len(lines):
            self.refresh()
            return
        for y, (old, new) in enumerate(zip(before, lines, strict=True), 1):
            if old != new:
                self.refresh(Region(0, y, self.size.width, 1))

    def render_line(self, y: int) -> Strip:
        width, base = self.size.width, self.rich_style
        if y == 0:
            return Strip([Segment(text, self._tone(tone)) for text, tone in self._facts]).adjust_cell_length(
                width, base
            )
        if y <= len(self._lines):
            return self._lines[y - 1].adjust_cell_length(width).apply_style(base)
        return Strip.blank(width, base)

    def drawn(self, picture: Picture, colours: Colours, console: Console) -> list[Strip]:
        """The lines of a picture, without a ground."""
        plt = self.plt
        plt.clear_data()
        plt.theme("clear")
        plt.ticks_color(colours["muted"])
        plt.plotsize(picture.width, picture.height)
        plt._set_size(picture.width, picture.height)  # as PlotextPlot.render does, and for its reason
        plt.xaxes(bool(picture.times), False)
        plt.yaxes(True, False)
        plt.xlim(0, len(picture.lines[0]) - 1)
        plt.ylim(0, picture.full)
        plt.xticks([place for place, _ in picture.times], [label for _, label in picture.times])
        plt.yticks([place for place, _ in picture.values], [label for _, label in picture.values])
        if picture.limit:
            plt.hline(picture.limit, color=colours["warn"])
        for name, values in zip(("good", "accent"), picture.lines, strict=False):
            if name == "good":
                for run in _runs(values):
                    plt.plot(*run, marker=FINE, color=colours[name])
            else:
                there = [(column, value) for column, value in enumerate(values) if value]
                plt.scatter([x for x, _ in there], [y for _, y in there], marker=DOT, color=colours[name])
        if picture.marks:
            sign, tone = picture.sign
            plt.scatter(picture.marks, [picture.full] * len(picture.marks), marker=sign, color=colours[tone])
        decoder = AnsiDecoder()
        lines = plt.build().split("\n")[: picture.height]
        return [Strip(decoder.decode_line(line).render(console)) for line in lines]


def _runs(values: Sequence[float | None]) -> list[tuple[list[int], list[float]]]:
    """Columns and values of each stretch without a hole: a line is not drawn across what nobody has seen."""
    found: list[tuple[list[int], list[float]]] = []
    before = False
    for column, value in enumerate(values):
        if value is not None:
            if not before:
                found.append(([], []))
            found[-1][0].append(column)
            found[-1][1].append(value)
        before = value is not None
    return found


class Plots(Vertical):
    """The plots one above the other, drawn in a thread: every REST seconds, at once where the user looks elsewhere."""

    app: Pilothouse

    class Resized(Message):
        """There is another room to fill."""

    def __init__(self, tone: Tone) -> None:
        super().__init__(id="plots")
        self._plots = [HistoryPlot() for _ in range(COUNT)]
        self._tone = tone
        self._look: tuple[object, ...] = ()  # what the user has chosen of what was drawn last
        self._begun = 0.0
        self._wanted: list[Picture] = []
        self._colours: Colours = {}
        self._drawing = False

    def compose(self) -> ComposeResult:
        yield from self._plots

    @property
    def columns(self) -> int:
        """How many values a line has room for."""
        return columns(self._plots[0].size.width)

    def on_resize(self) -> None:
        self.post_message(self.Resized())

    def show(self, whose: str, graphs: Sequence[Graph], history: History, window: Window) -> list[Cell]:
        """The graphs as they are now: their facts, which are returned, at once; what is to be drawn follows."""
        told = [facts(graph) for graph in graphs]
        for plot, line in zip(self._plots, told, strict=True):
            plot.tell(line, self._tone)
        sizes = [(plot.size.width, plot.size.height - 1) for plot in self._plots]
        colours = {name: _rgb(self._tone(name)) for name in USED}
        look = (whose, window, sizes, colours)
        now = time.monotonic()
        if min(map(min, sizes)) < 1 or (look == self._look and now - self._begun < REST - 0.5):
            return told  # readings come at about every full second
        self._look, self._colours = look, colours
        last = self._plots[-1]
        self._wanted = [
            picture(graph, history, window, *size, lowest=plot is last)
            for plot, graph, size in zip(self._plots, graphs, sizes, strict=True)
        ]
        if not self._drawing:
            self._begun = now
            self.app.behind(self, "drawing the graphs", self._draw)
        return told

    async def _draw(self) -> None:
        self._drawing = True
        try:
            wanted: list[Picture] = []
            while wanted is not self._wanted:
                wanted, colours = self._wanted, self._colours
                todo = [each for each in zip(self._plots, wanted, strict=True) if each[0].shown != (each[1], colours)]
                made = await asyncio.to_thread(self._drawn, todo, colours)
                for (plot, shown), lines in zip(todo, made, strict=True):
                    plot.put((shown, colours), lines)
        finally:
            self._drawing = False

    def _drawn(self, todo: list[tuple[HistoryPlot, Picture]], colours: Colours) -> list[list[Strip]]:
        return [plot.drawn(picture, colours, self.app.console) for plot, picture in todo]


def _rgb(style: Style) -> tuple[int, int, int]:
    color = style.color
    return tuple(color.get_truecolor()) if color is not None else (128, 128, 128)  # type: ignore[return-value]
