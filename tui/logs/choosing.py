"""Lines chosen by keys, to be copied: from where one began to where one has moved."""

from __future__ import annotations

from itertools import islice

from tui.logs.body import LogBody
from tui.logs.selecting import text_of_lines
from tui.logs.source import Line

_COUNTED = 100_000  # lines; more are "100,000+"


class LineChoice:
    """Off until `begin`. The line one has moved to is the one that is pointed at."""

    def __init__(self, body: LogBody) -> None:
        self._lines = body.lines
        self._body = body
        self._anchor: int | None = None
        self._count = 0

    @property
    def active(self) -> bool:
        return self._anchor is not None

    @property
    def words(self) -> str:
        """`3 lines`"""
        more = "+" if self._count >= _COUNTED else ""
        return f"{self._count:,}{more} {'line' if self._count == 1 else 'lines'}"

    def begin(self, line: Line) -> None:
        self._anchor = line.position
        self._go_to(line.position)

    def move(self, delta: int) -> None:
        """Take the line `delta` further down, or up, as the end of the choice."""
        cursor = self._cursor
        if delta > 0:
            found = list(islice(self._lines.forward(cursor), delta + 1))
        else:
            found = list(islice(self._lines.backward(cursor), -delta))
        if found:
            self._go_to(found[-1].position)

    def to_end(self, direction: int) -> None:
        """Up to the last line there is, or back to the first."""
        lines = self._lines
        walk = lines.backward(lines.end) if direction > 0 else lines.forward(0)
        line = next(walk, None)
        if line is not None:
            self._go_to(line.position)

    def take(self) -> tuple[str, int]:
        """The characters of the chosen lines and how many lines they are; the choice is over."""
        assert self._lines.chosen is not None
        taken = text_of_lines(self._lines.between(*self._lines.chosen))
        self.end()
        return taken

    def end(self) -> None:
        self._anchor = self._lines.chosen = None
        self._body.changed()

    def forget(self) -> None:
        """Another log is looked at."""
        self._anchor = None

    @property
    def _cursor(self) -> int:
        assert self._anchor is not None
        return self._lines.pointed if self._lines.pointed is not None else self._anchor

    def _go_to(self, position: int) -> None:
        assert self._anchor is not None
        self._lines.pointed = position
        self._lines.chosen = (min(self._anchor, position), max(self._anchor, position))
        self._count = sum(1 for _ in islice(self._lines.between(*self._lines.chosen), _COUNTED))
        self._body.show_line(position)
