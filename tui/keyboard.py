"""What a terminal sends for its keys, read without making Escape wait."""

from __future__ import annotations

import os
from collections.abc import Iterable

from textual import constants
from textual._parser import Read1
from textual._xterm_parser import XTermParser
from textual.events import Key

ESCAPE = "\x1b"
# A sequence comes in one piece: what follows an Escape after this time, in seconds, was pressed by itself.
# Textual waits for a tenth of a second; `ESCDELAY`, in milliseconds, is for lines that tear sequences apart.
PATIENCE = constants.ESCAPE_DELAY if "ESCDELAY" in os.environ else 0.03
_BEGINS = "[]O"  # what a sequence goes on with after its Escape; also a letter that says "with alt"
_KNOWN = (f"{ESCAPE}\x7f", f"{ESCAPE}\t", f"{ESCAPE}b", f"{ESCAPE}f")  # Textual has names of its own for these


class Keyboard(XTermParser):
    """Textual's parser; an Escape and the key right behind it are both heard.

    Of `Esc :`, typed in less time than that, Textual drops the Escape: vim would not leave its insert mode. With
    letters and digits the two are taken for the key with alt held, which a program on a terminal is sent as the same.
    """

    @property
    def waits(self) -> bool:
        """Whether it cannot be told yet what was pressed."""
        return self._timeout_time is not None

    def read1(self, timeout: float | None = None) -> Read1:  # type: ignore[override]
        return Read1(None if timeout is None else PATIENCE)

    def _sequence_to_key_events(self, sequence: str, alt: bool = False) -> Iterable[Key]:
        if len(sequence) != 2 or sequence[0] != ESCAPE or sequence[1] in (ESCAPE, *_BEGINS) or sequence in _KNOWN:
            return super()._sequence_to_key_events(sequence, alt=alt)
        key = sequence[1]
        if key.isdigit():  # not what a Mac has written on the key with alt
            return [Key(f"alt+{key}", key)]
        if key.isalpha():
            return super()._sequence_to_key_events(key, alt=True)
        return [Key("escape", ESCAPE), *super()._sequence_to_key_events(key)]


def apart(key: Key) -> tuple[Key, Key] | None:
    """An Escape and a key, where it cannot be told whether the two were pressed or the key with alt held.

    tmux sends the two together when they are pressed within its `escape-time`, half a second before tmux 3.5.
    """
    if not key.key.startswith("alt+") or key.character is None:
        return None
    return Key("escape", ESCAPE), Key(key.character, key.character)
