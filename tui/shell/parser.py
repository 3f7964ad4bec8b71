"""What a program writes to its terminal, taken apart: text, controls, escape sequences.

Everything a program can write must be survived: sequences cut anywhere, unknown ones, endless ones. pyte's own stream
shows the payload of DCS as text, takes vim's `CSI > 4 ; 2 m` for colours and lets strings grow without limit, so only
its screen is used. Source: ECMA-48; xterm's ctlseqs.
"""

from __future__ import annotations

import codecs
import re
from typing import Protocol

LONGEST_SEQUENCE = 256  # characters of a control sequence; longer is nonsense
LONGEST_STRING = 4096  # characters kept of a title or the like

_TOKEN = re.compile(
    r"(?P<text>[^\x00-\x1f\x7f-\x9f]+)"
    r"|(?P<csi>\x1b\[(?P<params>[0-?]*)(?P<between>[ -/]*)(?P<final>[@-~]))"
    r"|(?P<string>\x1b[\]PX^_])"
    r"|(?P<escape>\x1b(?![\[\]PX^_])(?P<mark>[ -/]*)(?P<letter>[0-~]))"
    r"|(?P<control>[\x00-\x1a\x1c-\x1f])"
)
_UNFINISHED = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|[ -/]*)")
_END_OF_STRING = re.compile(r"\x07|\x1b\\?|[\x18\x1a]")


class Listener(Protocol):
    """Who acts on what was read."""

    def draw(self, data: str) -> None: ...
    def control(self, character: str) -> None: ...
    def escape(self, mark: str, letter: str) -> None: ...
    def sequence(self, prefix: str, parameters: list[list[int]], between: str, final: str) -> None: ...
    def string(self, kind: str, content: str) -> None: ...


class Parser:
    """Feed it bytes as they come; it remembers what was cut."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self._string = ""  # the letter that began the string we are in
        self._collected = ""

    def feed(self, data: bytes) -> None:
        text = self._rest + self._decoder.decode(data)
        self._rest = ""
        listener, match_token = self._listener, _TOKEN.match
        position, end = 0, len(text)
        while position < end:
            if self._string:
                position = self._collect(text, position)
                continue
            match = match_token(text, position)
            if match is None:
                position = self._unknown(text, position)
                continue
            position = match.end()
            kind = match.lastgroup
            if kind == "text":
                listener.draw(match[0])
            elif kind == "control":
                listener.control(match[0])
            elif kind == "csi":
                self._sequence(match["params"], match["between"], match["final"])
            elif kind == "escape":
                listener.escape(match["mark"], match["letter"])
            else:
                self._string, self._collected = match[0][1], ""

    def _unknown(self, text: str, position: int) -> int:
        """A sequence that is not complete yet waits for more; what can never become one is passed over."""
        unfinished = _UNFINISHED.match(text, position)
        if unfinished is None:
            return position + 1  # DEL, or a control of C1, which no terminal in UTF-8 obeys
        if unfinished.end() == len(text):
            # one that is too long is read on as another that nobody acts on
            self._rest = text[position:] if len(text) - position <= LONGEST_SEQUENCE else "\x1b[<"
            return len(text)
        return unfinished.end()

    def _sequence(self, params: str, between: str, final: str) -> None:
        prefix = params[:1] if params[:1] in "<=>?" else ""
        numbers = [
            [min(int(part), 9999) if part.isascii() and part.isdigit() else 0 for part in field[:64].split(":")]
            for field in params[len(prefix) : LONGEST_SEQUENCE].split(";")
        ]
        self._listener.sequence(prefix, numbers, between, final)

    def _collect(self, text: str, position: int) -> int:
        """Go on with a string up to its end, which may not have come yet."""
        end = _END_OF_STRING.search(text, position)
        if end is not None and end[0] == "\x1b" and end.end() == len(text):
            self._keep(text[position : end.start()])
            self._rest = "\x1b"  # its second half decides
            return len(text)
        self._keep(text[position : end.start() if end else len(text)])
        if end is None:
            return len(text)
        if end[0] in ("\x07", "\x1b\\"):
            self._listener.string(self._string, self._collected)
        self._string = ""
        return end.start() if end[0] == "\x1b" else end.end()

    def _keep(self, piece: str) -> None:
        self._collected += piece[: max(0, LONGEST_STRING - len(self._collected))]
