"""JSON in a line of a log, spread over rows so that it can be read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import chain, islice, pairwise

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{},:]|[^\s\[\]{},:"]+')
_STEP = "  "
_TRIED = 32  # brackets that may begin it: each costs as much as the line is long
_DECODER = json.JSONDecoder()


def unfold(text: str) -> list[str]:
    """The rows of a line that is, or ends in, a JSON object or array; [] if it does not.

    The values are shown as they were written, to the last digit: only the white space between them is ours.
    """
    text = text.rstrip()
    if text[-1:] not in ("}", "]"):
        return []
    for opening in islice(re.finditer(r"[{\[]", text), _TRIED):
        try:
            value, end = _DECODER.raw_decode(text, opening.start())
        except (ValueError, RecursionError):
            continue  # a bracket of the words before, such as a date in square brackets
        if end < len(text):
            continue  # the words before had a list in them
        if not value:
            return []
        before = text[: opening.start()].rstrip()
        return [*([before] if before else []), *_spread(text[opening.start() :])]
    return []


def _spread(text: str) -> Iterator[str]:
    depth = 0
    row = ""
    tokens = (token[0] for token in _TOKEN.finditer(text))
    for token, following in pairwise(chain(tokens, ("",))):
        if token in ("{", "["):
            row += token
            depth += 1
            if following not in ("}", "]"):
                yield row
                row = _STEP * depth
        elif token in ("}", "]"):
            depth -= 1
            if row.strip() and row.strip()[-1] not in "{[":
                yield row
                row = _STEP * depth
            row += token
        elif token == ",":
            yield row + ","
            row = _STEP * depth
        elif token == ":":
            row += ": "
        else:
            row += token
    yield row
