"""The scrollbar of the log: where one is, where the matches and the marks are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.segment import Segment
from rich.style import Style

_CELLS = {  # kind -> (component class, glyph)
    "bar": ("bar", "│"),
    "thumb": ("thumb", "┃"),
    "match": ("tick", "┼"),
    "match on thumb": ("tick", "╪"),
    "mark": ("sign", "◆"),
}


class Bar:
    """One column of cells."""

    def __init__(self, base: Style, own: Callable[[str], Style]) -> None:
        self._cells = {kind: Segment(glyph, base + own(f"logs--{name}")) for kind, (name, glyph) in _CELLS.items()}
        self.kinds: list[str] = []  # one for each row; a new list for each layout

    def lay_out(self, height: int, thumb: tuple[int, int], matches: Sequence[int], marks: Sequence[int]) -> None:
        """:param thumb: from which row to before which; nothing if that is (0, 0).
        :param matches: how many there are in each row.
        :param marks: rows.
        """
        first, last = min(thumb[0], height - 1), max(thumb[1], thumb[0] + 1) if any(thumb) else 0
        self.kinds = ["thumb" if first <= y < last else "bar" for y in range(height)]
        for y, count in enumerate(matches[:height]):
            if count:
                self.kinds[y] = "match on thumb" if self.kinds[y] == "thumb" else "match"
        for y in marks:
            self.kinds[min(max(y, 0), height - 1)] = "mark"

    def cell(self, y: int) -> Segment:
        return self._cells[self.kinds[y] if y < len(self.kinds) else "bar"]
