"""Which records of a block match a query: found over the whole block at once, not line by line."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator

from engine.logs.records import TEXT_AT, is_record
from tui.logs.lineage import Earlier, Lineage, unknown
from tui.logs.literals import Word, required
from tui.logs.needle import Block
from tui.logs.pattern import Pattern

_LINE_END = re.compile(rb"\n")
_COLOUR = re.compile(rb"\x1b\[[0-9;:]*m")
# What must be read line by line: control sequences; carriage returns, but not those that end a line.
_ODD = re.compile(rb"\x1b|\r(?!\r*\n)")
_NOT_ASCII = re.compile(rb"[\x80-\xff]")
# What must see where a line begins or ends cannot be looked for in a block as a whole.
_ANCHORED = re.compile(r"(?<!\[)\^|\$|\\[AZ]|\(\?<|\\[bBsDWS]|\[\^")
_STREAM_AT = 31

_Memory = bytes | bytearray


class BlockSearch:
    """A pattern made ready for blocks of whole records, each of which is a line of its own."""

    def __init__(self, pattern: Pattern) -> None:
        query = pattern.query
        self._pattern = pattern
        self._query = query
        self._stream = query.stream.encode()
        self._is_literal = not query.regex or not re.search(r"[\\.^$*+?{}\[\]|()]", query.text)
        self._needles: tuple[tuple[bytes, int | None], ...] = ()
        self._expression: re.Pattern[bytes] | None = None
        self._line: re.Pattern[bytes] | None = None  # for lines of ASCII: their characters are their bytes
        if not query.text:
            return
        flags = re.IGNORECASE if query.ignores_case else 0
        if query.text.isascii():
            self._line = re.compile((query.text if query.regex else re.escape(query.text)).encode(), flags)
        self._is_anchored = _ANCHORED.search(query.text) is not None
        if self._is_literal:
            words: tuple[Word, ...] = (Word(query.text.lower() if query.ignores_case else query.text, 0),)
        else:
            words = required(query.text, ignore_case=query.ignores_case)
        if all(word.text.isascii() or not query.ignores_case for word in words):
            self._needles = tuple((word.text.encode(), word.before) for word in words)
        if not self._needles and not self._is_anchored:
            self._expression = self._line

    def search(self, data: _Memory, size: int, earlier: Earlier = unknown) -> array[int]:
        """Offsets of the matching records in the first `size` bytes of `data`."""
        if data.find(b"\x1b", 0, size) < 0:
            return array("I", self._search_plain(data, size, earlier, special=data.find(b"\r", 0, size) >= 0))
        # Colours may stand between any two letters: look without them, and tell the lines by their numbers.
        clean = _COLOUR.sub(b"", data[:size])
        found = self._search_plain(clean, len(clean), earlier, special=True)
        ends, places = _line_ends(clean, len(clean)), _line_ends(data, size)
        return array("I", (_begin_of(places, bisect_right(ends, at)) for at in found))

    def _search_plain(self, data: _Memory, size: int, earlier: Earlier, *, special: bool) -> list[int]:
        """`special`: there may be bytes that make a line odd; to look for them costs more than most searches."""
        odd = list(_lines_with(_ODD, data, size)) if special else []
        if self._expression is not None and not data.isascii():
            odd = sorted({*odd, *_lines_with(_NOT_ASCII, data, size)})
        lineage = Lineage(data, size, earlier) if self._query.levels else None
        found = self._by_text(data, size)
        if self._stream:
            found = [at for at in found if data.startswith(self._stream, at + _STREAM_AT)]
        if lineage is not None:
            levels = set(self._query.levels)
            found = [at for at in found if lineage.level(at) in levels]
        if odd:
            apart = set(odd)
            found = [at for at in found if at not in apart]
            found += [at for at in odd if self._accepts(data, at, size, lineage)]
            found.sort()
        return found

    def _by_text(self, data: _Memory, size: int) -> list[int]:
        if not self._query.text:
            return list(_line_begins(data, size))
        if self._needles:
            found = self._by_needles(data, size)
        elif self._expression is not None:
            found = self._by_expression(data, size, self._expression)
        else:
            found = [at for at in _line_begins(data, size) if self._matches(data, at, size)]
        if self._query.hide:
            apart = set(found)
            found = [at for at in _line_begins(data, size) if at not in apart]
        return found

    def _by_needles(self, data: _Memory, size: int) -> list[int]:
        folded = _lower(data, size) if self._query.ignores_case else data
        block = Block(folded, size)
        found: list[int] = []
        for needle, before in self._needles:
            found += self._by_needle(data, size, block, needle, before)
        return found if len(self._needles) == 1 else sorted(set(found))

    def _by_needle(self, data: _Memory, size: int, block: Block, needle: bytes, before: int | None) -> Iterable[int]:
        found: list[int] = []
        add = found.append
        rfind, sure, matches = data.rfind, self._is_literal, self._matches
        line = self._line if not self._is_anchored and data.isascii() else None
        for at, end in block.places(needle):
            begin = rfind(b"\n", 0, at) + 1
            if at - begin < TEXT_AT:  # in the header, which is not the line's text
                at = block.find(needle, begin + TEXT_AT, end)
                if at < 0:
                    continue
            if sure:
                add(begin)
            elif line is None:
                if matches(data, begin, end):
                    add(begin)
            # This is the first such word of the line: no match begins further before it than one can reach.
            elif line.search(data, begin + TEXT_AT if before is None else max(at - before, begin + TEXT_AT), end):
                add(begin)
        return found

    def _by_expression(self, data: _Memory, size: int, expression: re.Pattern[bytes]) -> list[int]:
        found: list[int] = []
        search = expression.search
        match = search(data, 0, size)
        while match is not None:
            begin = data.rfind(b"\n", 0, match.start()) + 1
            end = data.find(b"\n", match.start(), size)
            if end < 0:
                break
            # A hit in the header, or one that runs over the line's end, says nothing about the line's text.
            if (match.start() >= begin + TEXT_AT and match.end() <= end) or self._matches(data, begin, end):
                found.append(begin)
            match = search(data, end + 1, size)
        return found

    def _matches(self, data: _Memory, begin: int, end: int) -> bool:
        """Whether the text of the record that begins there has what is looked for."""
        newline = data.find(b"\n", begin, end)
        text = bytes(data[begin + TEXT_AT : newline if newline >= 0 else end])
        if self._line is not None and text.isascii():
            return self._line.search(text) is not None
        return self._pattern.finds(text)

    def _accepts(self, data: _Memory, begin: int, size: int, lineage: Lineage | None) -> bool:
        record = bytes(data[begin : data.find(b"\n", begin, size)])
        before = (lambda: lineage.before(begin)) if lineage is not None else str
        return is_record(record) and self._pattern.accepts(record, before)


def _lower(data: _Memory, size: int) -> _Memory:
    return data.lower() if size * 2 > len(data) else data[:size].lower()  # a copy less


def _line_ends(data: _Memory, size: int) -> list[int]:
    return [match.start() for match in _LINE_END.finditer(data, 0, size)]


def _line_begins(data: _Memory, size: int) -> Iterator[int]:
    """Where records begin; what is torn is none."""
    at = 0
    for end in _line_ends(data, size):
        if data[at + 30 : at + 31] == b" " and end - at >= 39:
            yield at
        at = end + 1


def _begin_of(ends: list[int], number: int) -> int:
    return ends[number - 1] + 1 if number else 0


def _lines_with(expression: re.Pattern[bytes], data: _Memory, size: int) -> Iterator[int]:
    search: Callable[..., re.Match[bytes] | None] = expression.search
    match = search(data, 0, size)
    while match is not None:
        yield data.rfind(b"\n", 0, match.start()) + 1
        end = data.find(b"\n", match.start(), size)
        if end < 0:
            return
        match = search(data, end + 1, size)
