"""A line of styled text, broken at spaces where it is too long."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rich.cells import cell_len

if TYPE_CHECKING:
    from tui.widgets.table import Cell

_WORD = re.compile(r"\s*\S+|\s+")


def wrapped(line: Cell, width: int) -> list[Cell]:
    """As many lines as it needs; a word that is wider than `width` is left as it is."""
    lines: list[list[tuple[str, str]]] = [[]]
    used = 0
    for text, tone in line:
        for word in _WORD.findall(text):
            if used and word[0].isspace() and used + cell_len(word.rstrip()) > width:
                lines.append([])
                used, word = 0, word.lstrip()
            lines[-1].append((word, tone))
            used += cell_len(word)
    return [tuple(parts) for parts in lines]
