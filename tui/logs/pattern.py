"""What the user looks for in a log: words or a regular expression, in one line."""

from __future__ import annotations

import re
from dataclasses import dataclass

from engine.errors import InvalidInput
from engine.logs.sanitise import plain
from tui.logs.levels import Before, inherited_level
from tui.logs.source import record_text

_REPEATED_GROUP = re.compile(r"[*+}?]\)+[*+{]|\|.*\)[*+{]")


@dataclass(frozen=True, slots=True)
class Query:
    """As typed. `ignore_case` None is smart case: capitals matter if there are any."""

    text: str
    regex: bool = True
    ignore_case: bool | None = None
    hide: bool = False  # show the lines that do not match
    stream: str = ""  # only this one
    levels: str = ""  # letters of tui.logs.levels: only lines of these

    @property
    def ignores_case(self) -> bool:
        if self.ignore_case is not None:
            return self.ignore_case
        letters = re.sub(r"\\.", "", self.text) if self.regex else self.text
        return letters == letters.lower()

    @property
    def empty(self) -> bool:
        return not (self.text or self.stream or self.levels)


class Pattern:
    """A compiled query. Raises InvalidInput for a regular expression that is none, with what is wrong and where."""

    def __init__(self, query: Query) -> None:
        self.query = query
        expression = query.text if query.regex else re.escape(query.text)
        flags = re.IGNORECASE if query.ignores_case else 0
        try:
            self._text = re.compile(expression, flags)
        except re.error as error:
            place = f" at character {error.pos + 1}" if error.pos is not None else ""
            raise InvalidInput(f"not a regular expression: {error.msg}{place}") from error
        self._stream = query.stream.encode()

    @property
    def risky(self) -> bool:
        """Whether a search may take for ever: repeated groups can backtrack without end, and nothing interrupts it."""
        return self.query.regex and _REPEATED_GROUP.search(self.query.text) is not None

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where it matches in the characters of one line; none for a query that hides or is risky."""
        if not self.query.text or self.query.hide or self.risky:
            return []
        return [match.span() for match in self._text.finditer(text) if match.end() > match.start()]

    def accepts(self, record: bytes, before: Before) -> bool:
        """Whether the line of this record is to be shown or counted. `before`: the level of the line before it."""
        if self._stream and record[31:37] != self._stream:
            return False
        text = record_text(record)
        if self.query.levels:
            level = self.level(record, before)
            if not level or level not in self.query.levels:
                return False
        if not self.query.text:
            return True
        return self.finds(text) != self.query.hide

    @staticmethod
    def level(record: bytes, before: Before) -> str:
        text = record_text(record)
        return inherited_level(plain(text).encode() if b"\x1b" in text else text, before)

    def finds(self, text: bytes) -> bool:
        """Whether what is looked for stands in the text of a line."""
        return self._text.search(plain(text)) is not None
