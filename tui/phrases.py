"""Sentences that name keys: `{app.pull} pulls an image`, with the keys that are in force."""

from __future__ import annotations

import re
from collections.abc import Mapping

from tui import keymap
from tui.widgets.table import Cell, Span

Keys = Mapping[str, tuple[str, ...]]
_ID = re.compile(r"\{([a-z_]+\.[a-z_]+)\}")


def spans(template: str, keys: Keys, tone: str = "", key_tone: str = "title") -> Cell:
    """The sentence in pieces for a list or a text; the keys in `key_tone`.

    What is no id stays as it is: a filter that the user has typed, `{request.id}`, may be part of the sentence.
    """
    found: list[Span] = []
    for place, part in enumerate(_ID.split(template)):
        if place % 2 == 0:
            found.append((part, tone))
        else:
            found.append((keymap.display(keys[part][0]), key_tone) if part in keys else (f"{{{part}}}", tone))
    return tuple(span for span in found if span[0])


def words(template: str, keys: Keys) -> str:
    return "".join(text for text, _ in spans(template, keys))


def first_id(template: str) -> str:
    """The id that the sentence names first; empty if it names none."""
    found = _ID.search(template)
    return found.group(1) if found else ""
