"""From a line of a log to rows of styled cells: time, gutter, colours, matches, wrapping."""

from __future__ import annotations

import re
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise, takewhile
from operator import itemgetter
from typing import NamedTuple, TypeVar, overload

from rich.cells import cell_len, get_character_cell_size
from rich.segment import Segment
from rich.style import Style

from engine.logs.records import seconds
from engine.logs.sanitise import runs
from tui.logs.colours import apply_sgr
from tui.logs.source import Line
from tui.logs.unfold import unfold

TIME_MODES = ("off", "time", "date", "relative")
FOLD = 4 << 10  # characters of a line shown before it is unfolded
UNFOLDED = 128 << 10
TAB = 8
GUTTER = 2  # columns before the text: stderr, and a sign
_JOINER, _AS_EMOJI = "\u200d", "\ufe0f"
_FLAG_LETTER = re.compile("[\U0001f1e6-\U0001f1ff]")
_AT_ONCE = 256  # rows of a line that are made with it
_PIECE = 512  # cells of a row that is not wrapped which are one segment: a paint counts the cells of those it cuts
_MIN_TEXT = 10  # columns the text keeps however wide what stands before it is

SpansOf = Callable[[str], Sequence[tuple[int, int]]]


class Standing(NamedTuple):
    """How a line stands out from the others."""

    current: bool = False  # the match one has gone to
    pointed: bool = False  # the line that keys act on
    marked: bool = False
    chosen: bool = False  # to be copied
    opened: bool = False  # unfolded
    aside: bool = False  # only there because of its neighbour, which the filter lets through


PLAIN = Standing()


@dataclass(frozen=True, slots=True)
class Look:
    """How lines are laid out now."""

    width: int
    wrap: bool
    time_mode: str
    base: Style
    time: Style
    stderr: Style
    fold: Style
    match: Style
    current: Style
    chosen: Style
    aside: Style
    sign: Style
    rule: Style
    open_key: str = "Enter"  # opens a line
    names: tuple[tuple[str, Style], ...] = ()  # of merged logs, as wide as each other
    colourless: bool = False  # a line's own colours would be greys, and red the dimmest of them


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the screen: its cells, and the column where the line's own text begins."""

    segments: list[Segment]
    cells: int
    text_at: int  # column
    is_rule: bool = False  # a separator, of no line's text
    starts: Sequence[int] = ()  # cells before each segment, of a row that is not wrapped: it may have ten thousands

    def within(self, begin: int, end: int) -> slice:
        """The segments that have a cell between two columns; all of a row that is wrapped."""
        if not self.starts:
            return slice(0, len(self.segments))
        return slice(max(bisect_right(self.starts, begin) - 1, 0), bisect_left(self.starts, end))

    @property
    def text(self) -> str:
        return "".join(segment.text for segment in self.segments)


class ManyRows(Sequence[Row]):
    """Rows that are made when they are asked for: an open line may have ten thousand, and a screen shows forty.

    So many objects at once would also make the collector of garbage stop everything for 100 ms.
    """

    def __init__(self, count: int, make: Callable[[int], Row]) -> None:
        self._numbers = range(count)
        self._make = make

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, at: int) -> Row: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Row]: ...
    def __getitem__(self, at: int | slice) -> Row | Sequence[Row]:
        numbers = self._numbers[at]
        return self._make(numbers) if isinstance(numbers, int) else [self._make(number) for number in numbers]


def with_rules(before: Sequence[Row], rows: Sequence[Row], after: Sequence[Row]) -> Sequence[Row]:
    """The rows of a line between those that stand before and after it."""
    count, least = len(rows), len(before)

    def make(number: int) -> Row:
        if number < least:
            return before[number]
        return rows[number - least] if number < least + count else after[number - least - count]

    return ManyRows(least + count + len(after), make)


def rows(line: Line, look: Look, spans_of: SpansOf, standing: Standing, now: float) -> Sequence[Row]:
    """The rows of one line; at least one. `spans_of`: where the characters of a text are to be highlighted."""
    if standing.aside:
        look = replace(look, base=look.base + look.aside)
    if standing.chosen:
        look = replace(look, base=look.base + look.chosen)
    head = _head(line, look, standing, now)
    head_width = sum(segment.cell_length for segment in head)
    limit = UNFOLDED if standing.opened else FOLD
    raw = last_state(line.text)
    text, styles = _styled_text(raw[: 4 * limit])
    if look.colourless:
        styles = [(begin, end, style.without_color) for begin, end, style in styles]
    hidden = len(raw) - len(text[:limit].encode()) if len(text) > limit or len(raw) > 4 * limit else 0
    hidden += line.length - len(line.text)
    tail: list[Segment] = []
    if hidden:
        text = text[:limit]
        key = "" if standing.opened else f", {look.open_key}"
        tail = [Segment(f" … {_size(hidden)} more{key}", look.base + look.fold)]
    spread = unfold(text) if standing.opened and not hidden else []
    width = max(look.width - head_width, _MIN_TEXT)
    paragraphs: list[tuple[str, _Styles, Sequence[tuple[int, int]]]] = []
    cuts: list[tuple[int, int, int]] = []  # number of a paragraph, and the characters of it that stand in a row
    for paragraph, own in [(part, []) for part in spread] or [(text, styles)]:
        expanded, own, spans = _expand_tabs(paragraph, own, spans_of(paragraph))
        ends = _wrap(expanded, width) if look.wrap else [(0, len(expanded))]
        cuts += [(len(paragraphs), begin, end) for begin, end in ends]
        paragraphs.append((expanded, own, spans))

    def make(number: int) -> Row:
        paragraph, begin, end = cuts[number]
        text, styles, spans = paragraphs[paragraph]
        segments = [*head] if not number else _indent(line, look, head_width)
        pieces = [(begin, end)] if look.wrap else _wrap(text, _PIECE)
        for piece in pieces:
            segments += _segments(text, *piece, styles, spans, look, standing.current)
        if number == len(cuts) - 1:
            segments += tail
        *starts, cells = accumulate((segment.cell_length for segment in segments), initial=0)
        return Row(segments, cells, head_width, starts=() if look.wrap else starts)

    many = ManyRows(len(cuts), make)
    return many if len(cuts) > _AT_ONCE else list(many)


def rule(text: str, origin: int | None, look: Look) -> Row:
    """A row between lines, of no line's text: where a run begins or ends, in the colour of its log if it is merged."""
    shown = f"── {text} "
    cells = cell_len(shown)
    fill = "─" * max(look.width - cells, 0)
    style = look.base + look.rule + (look.names[origin][1] if origin is not None else Style.null())
    return Row([Segment(shown + fill, style)], cells + len(fill), 0, is_rule=True)


def can_open(line: Line) -> bool:
    """Whether the line has more to show than it does."""
    return line.length > FOLD or (
        line.text[-1:].strip() in (b"}", b"]", b"") and bool(unfold(plain_text(line)[: FOLD + 1]))
    )


def plain_text(line: Line) -> str:
    """The characters that can be shown: what spans are counted in."""
    return _styled_text(last_state(line.text)[: 4 * UNFOLDED])[0]


def last_state(text: bytes) -> bytes:
    """What carriage returns leave of a line: a progress bar's last state."""
    if b"\r" not in text:
        return text
    text = text.rstrip(b"\r")
    return text[text.rfind(b"\r") + 1 :]


def _head(line: Line, look: Look, standing: Standing, now: float) -> list[Segment]:
    found: list[Segment] = []
    shown = time_text(line.stamp, look.time_mode, now)
    if shown:
        found.append(Segment(shown + " ", look.base + look.time))
    if look.names:
        name, style = look.names[line.origin]
        found.append(Segment(name + " ", look.base + style))
    stream = "┆" if line.stream == b"stderr" else " "
    sign = "◆" if standing.marked else "▸" if standing.pointed else " "
    if sign == " ":
        found.append(Segment(stream + " ", look.base + look.stderr if stream == "┆" else look.base))
    else:
        found += [Segment(stream, look.base + look.stderr), Segment(sign, look.base + look.sign)]
    return found


def _indent(line: Line, look: Look, width: int) -> list[Segment]:
    if line.stream == b"stderr":
        return [Segment(" " * (width - 2), look.base), Segment("┆ ", look.base + look.stderr)]
    return [Segment(" " * width, look.base)]


def time_text(stamp: bytes, mode: str, now: float) -> str:
    """The time column: local time, or the age."""
    if mode == "off":
        return ""
    try:
        when = seconds(stamp)
    except ValueError:
        when = 0.0
    if mode == "relative":
        return f"{_age(now - when):>8}"
    local = time.localtime(when)
    milliseconds = stamp[20:23].decode("ascii", "replace")
    pattern = "%Y-%m-%d %H:%M:%S" if mode == "date" else "%H:%M:%S"
    return time.strftime(pattern, local) + (f".{milliseconds}" if mode == "date" else "")


def _age(age: float) -> str:
    age = max(age, 0.0)
    if age < 60:
        return f"{age:.0f}s ago"
    if age < 3600:
        return f"{age / 60:.0f}m ago"
    if age < 172_800:
        return f"{age / 3600:.0f}h ago"
    return f"{age / 86_400:.0f}d ago"


def _size(count: int) -> str:
    if count < 1000:
        return f"{count} B"
    return f"{count / 1000:.0f} kB" if count < 1_000_000 else f"{count / 1_000_000:.1f} MB"


_Styles = list[tuple[int, int, Style]]


def _styled_text(text: bytes) -> tuple[str, _Styles]:
    """Characters, and the stretches of them that have a colour of their own."""
    parts = runs(text)
    if len(parts) == 1 and not parts[0][0]:
        return parts[0][1], []
    at = 0
    styles: _Styles = []
    style = Style.null()
    for parameters, characters in parts:
        if parameters:
            style = apply_sgr(style, parameters)
        if style:
            styles.append((at, at + len(characters), style))
        at += len(characters)
    return "".join(characters for _, characters in parts), styles


def _expand_tabs(
    text: str, styles: _Styles, spans: Sequence[tuple[int, int]]
) -> tuple[str, _Styles, Sequence[tuple[int, int]]]:
    if "\t" not in text:
        return text, styles, spans
    tabs: list[int] = []  # where they stood
    grown = [0]  # by how many characters the text grew up to there
    expanded = ""
    column = at = 0
    for part in text.split("\t")[:-1]:
        column += cell_len(part)
        spaces = TAB - column % TAB
        column += spaces
        at += len(part) + 1
        tabs.append(at - 1)
        grown.append(grown[-1] + spaces - 1)
        expanded += part + " " * spaces
    expanded += text[at:]

    def moved(place: int) -> int:
        return place + grown[bisect_left(tabs, place)]

    return (
        expanded,
        [(moved(begin), moved(end), style) for begin, end, style in styles],
        [(moved(begin), moved(end)) for begin, end in spans],
    )


def _wrap(text: str, width: int) -> list[tuple[int, int]]:
    """Cuts of at most `width` cells, after a space where one is near enough."""
    if text.isascii():
        if len(text) <= width:
            return [(0, len(text))]
    elif cell_len(text) <= width:
        return [(0, len(text))]
    cuts: list[tuple[int, int]] = []
    begin, length = 0, len(text)
    while begin < length:
        end = _fit(text, begin, width)
        if end < length and text[end] != " ":
            space = text.rfind(" ", begin + (end - begin) // 2, end)
            if space >= 0:
                end = space + 1
        cuts.append((begin, end))
        begin = end
    return cuts


def _fit(text: str, begin: int, width: int) -> int:
    """The end of the longest stretch from `begin` that fits; at least one character."""
    piece = text[begin : begin + width]
    if piece.isascii():
        return begin + len(piece)
    end, left = begin, width
    measured = begin  # the last character that has a width of its own
    while end < len(text):
        character = text[end]
        if character == _JOINER and end > begin:
            end += 2  # what is joined to another adds nothing to its width
            continue
        size = get_character_cell_size(character)
        if character == _AS_EMOJI:
            size = cell_len(text[measured] + character) - cell_len(text[measured])
        left -= size
        if left < 0:
            end = measured if character == _AS_EMOJI else end
            break
        if size and character != _AS_EMOJI:
            measured = end
        end += 1
    return min(max(end - _half_a_flag(text, begin, end), begin + 1), len(text))


def _half_a_flag(text: str, begin: int, end: int) -> int:
    """1 if a cut at `end` would part the two letters of a flag, else 0."""
    if not _FLAG_LETTER.match(text, end):
        return 0
    return sum(1 for _ in takewhile(_FLAG_LETTER.match, reversed(text[begin:end]))) % 2


def _segments(
    text: str,
    begin: int,
    end: int,
    styles: Sequence[tuple[int, int, Style]],
    spans: Sequence[tuple[int, int]],
    look: Look,
    current: bool,
) -> list[Segment]:
    if not styles and not spans:
        return [Segment(text[begin:end], look.base)] if end > begin else []
    styles, spans = _within(styles, begin, end), _within(spans, begin, end)
    edges = {begin, end}
    for first, last, _ in styles:
        edges.update((first, last))
    for first, last in spans:
        edges.update((first, last))
    points = sorted(edge for edge in edges if begin <= edge <= end)
    segments: list[Segment] = []
    match_style = look.current if current else look.match
    at = span_at = 0
    for first, last in pairwise(points):
        while at < len(styles) and styles[at][1] <= first:
            at += 1
        while span_at < len(spans) and spans[span_at][1] <= first:
            span_at += 1
        style = look.base
        if at < len(styles) and styles[at][0] <= first:
            style += styles[at][2]
        if span_at < len(spans) and spans[span_at][0] <= first:
            style += match_style
        segments.append(Segment(text[first:last], style))
    return segments


_Stretch = TypeVar("_Stretch", tuple[int, int, Style], tuple[int, int])


def _within(stretches: Sequence[_Stretch], begin: int, end: int) -> Sequence[_Stretch]:
    """Of stretches that follow one another, those that have a part between two places."""
    first = bisect_right(stretches, begin, key=itemgetter(1))
    return stretches[first : bisect_left(stretches, end, lo=first, key=itemgetter(0))]
