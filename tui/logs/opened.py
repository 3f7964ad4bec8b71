"""The rows of long lines that are open: made by a thread, as they would hold the event loop for 100 ms."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

from tui.logs.layout import Row

Work = Callable[[], Sequence[Row]]
Apart = Callable[[Work, Callable[[Sequence[Row]], None]], None]
"""Lets a thread do the work, then gives what it made to the second on the event loop, and has all painted anew."""

Key = tuple[int, *tuple[Hashable, ...]]  # a line's position, and all that its rows depend on but the look


class OpenedRows:
    """Until a line's rows are made, those that it had before stand in; at first the folded ones.

    One thread at a time works on a line, however often the terminal is resized meanwhile.
    """

    def __init__(self, apart: Apart) -> None:
        self._apart = apart
        self._age = 0  # rows of another one are out of date
        self._made: dict[int, tuple[int, Key, Sequence[Row]]] = {}  # by the line's position
        self._working: set[int] = set()

    def outdate(self) -> None:
        """The width, the theme or what is searched for changed."""
        self._age += 1

    def close(self) -> None:
        """Another log is shown: its positions mean other lines."""
        self._made.clear()
        self._working = set()
        self.outdate()

    def get(self, key: Key, work: Work, folded: Work) -> Sequence[Row]:
        """The rows by `work`, or what stands in for them while a thread does it."""
        position, age = key[0], self._age
        made = self._made.get(position)
        if made is not None and made[:2] == (age, key):
            return made[2]
        working = self._working
        if position not in working:
            working.add(position)

            def done(rows: Sequence[Row]) -> None:
                working.discard(position)
                if working is self._working:
                    self._made[position] = (age, key, rows)

            self._apart(work, done)
        if made is None:
            made = self._made[position] = (-1, key, folded())
        return made[2]
