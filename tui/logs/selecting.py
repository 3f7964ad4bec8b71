"""What is copied of the rows on the screen: the text between two points, or whole lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.segment import Segment
from rich.style import Style
from textual.selection import Selection

from engine.logs.sanitise import plain
from tui.logs.layout import GUTTER, Row, last_state
from tui.logs.source import Line

SUB_ROWS = 1 << 16  # rows a line can have in a selection's coordinates
COPY_LIMIT = 4 << 20  # characters


def text_of_lines(lines: Iterable[Line]) -> tuple[str, int]:
    """The characters of these lines, as far as a clipboard may take them, and how many lines they are."""
    parts: list[str] = []
    length = 0
    for line in lines:
        if length > COPY_LIMIT:
            break
        parts.append(plain(last_state(line.text)))
        length += len(parts[-1])
    return "\n".join(parts), len(parts)


def text_of_rows(line: Line, rows: Sequence[Row], selection: Selection) -> str | None:
    """The selected characters of one line; None if there is none of it. Separators are of no line."""
    taken: list[str] = []
    first = True
    found = False
    for number, row in enumerate(rows):
        text = row.text
        if row.is_rule:
            continue
        span = selection.get_span(line.position * SUB_ROWS + number)
        if span is not None:
            found = True
            begin, end = span[0], len(text) if span[1] < 0 else span[1]
            # Neither the gutter nor the indent of a wrapped row is the line's.
            if first:
                taken.append(text[begin : min(end, row.text_at - GUTTER)])
            taken.append(text[max(begin, row.text_at) : end])
        first = False
    return "".join(taken) if found else None


def selected(segments: list[Segment], span: tuple[int, int], style: Style) -> list[Segment]:
    """These segments with the characters in `span` in another style; an end of -1 is the end of the row."""
    begin, end = span
    found: list[Segment] = []
    at = 0
    for text, own, _ in segments:
        low = min(max(begin - at, 0), len(text))
        high = len(text) if end < 0 else min(max(end - at, low), len(text))
        for part, chosen in ((text[:low], False), (text[low:high], True), (text[high:], False)):
            if part:
                found.append(Segment(part, (own or Style.null()) + style if chosen else own))
        at += len(text)
    return found
