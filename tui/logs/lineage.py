"""Which level the lines of a log inherit from the lines before them: those of a stack trace, from its head."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from engine.logs.records import STAMP_BYTES, TEXT_AT, is_record
from tui.logs.levels import goes_on, inherited_level, level_of
from tui.logs.pattern import Pattern
from tui.logs.source import Extent

_LOOKED_BACK = 200  # lines before a block in which the head of its first lines is looked for
_STREAM_AT = STAMP_BYTES + 1
_TAG_AT = TEXT_AT - 2

Earlier = Callable[[bytes], str]  # the level of the last line of a stream before a block


def earlier_in(extent: Extent, position: int) -> Earlier:
    """How the lines before `position` stand; they are read when that is asked."""

    def level(stream: bytes) -> str:
        found = ""
        for line in extent.lines_before(position, _LOOKED_BACK):
            if line.stream == stream:
                found = Pattern.level(b"%s %s F %s" % (line.stamp, line.stream, line.text), partial(str, found))
        return found

    return level


def unknown(_: bytes) -> str:
    return ""


class Lineage:
    """The levels of the records of one block, each found when it is asked for."""

    def __init__(self, data: bytes | bytearray, size: int, earlier: Earlier) -> None:
        self._data = data
        self._size = size
        self._earlier = earlier
        self._known: dict[int, str] = {}
        self._has_pieces = data.find(b" P ", 0, size) >= 0

    def level(self, begin: int) -> str:
        """Of the record that begins there."""
        known = self._known
        waiting: list[tuple[int, bytes, bool]] = []  # records that wait for the level of those before them
        level = known.get(begin)
        while level is None:
            text = self._text(begin)
            inherits = goes_on(text)
            previous = self._previous(begin) if self._has_pieces or inherits else -1
            is_piece = previous >= 0 and self._data[previous + _TAG_AT] == ord("P")
            if not is_piece and not inherits:
                level = known[begin] = level_of(text)
                break
            waiting.append((begin, text, is_piece))
            if previous < 0:
                level = self._earlier(self._stream(begin))
                break
            begin = previous
            level = known.get(begin)
        for begin, text, is_piece in reversed(waiting):
            if not is_piece:
                level = inherited_level(text, partial(str, level))
            known[begin] = level
        return level

    def before(self, begin: int) -> str:
        """The level of the line before this one, on the same stream."""
        previous = self._previous(begin)
        return self.level(previous) if previous >= 0 else self._earlier(self._stream(begin))

    def _previous(self, begin: int) -> int:
        """Where the record before begins, of those of the same stream; less than 0 if there is none in the block."""
        data, stream = self._data, self._stream(begin)
        while begin > 0:
            begin = data.rfind(b"\n", 0, begin - 1) + 1
            if data.startswith(stream, begin + _STREAM_AT) and is_record(bytes(data[begin : begin + TEXT_AT])):
                return begin
        return -1

    def _stream(self, begin: int) -> bytes:
        return bytes(self._data[begin + _STREAM_AT : begin + _STREAM_AT + 6])

    def _text(self, begin: int) -> bytes:
        return bytes(self._data[begin + TEXT_AT : self._data.find(b"\n", begin, self._size)])
