"""What registries say, made fit for a message: no control sequences, no secrets, no novels."""

from __future__ import annotations

import json

LONGEST = 300  # characters of a registry's text that a message repeats


def printable(text: str | bytes, limit: int = LONGEST) -> str:
    """One line without control, format or other unprintable characters; those are shown as escapes."""
    if isinstance(text, bytes):
        text = text[: limit * 4].decode("utf-8", "replace")
    shown = "".join(c if c.isprintable() else _escaped(c) for c in text[: limit + 1])
    return shown if len(text) <= limit else shown[:limit] + "…"


def registry_message(body: bytes) -> tuple[str, str]:
    """The code and the words of an error body (distribution-spec, "Error Codes"); two empty strings if it is none."""
    try:
        errors = json.loads(body)["errors"]
        first = errors[0]
        code, message = first.get("code", ""), first.get("message", "")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return "", ""
    return (code if isinstance(code, str) else ""), printable(message if isinstance(message, str) else "")


def said(known: str, words: str) -> str:
    """What an error's code means, and what the registry adds to it: many only repeat the code in their words."""
    return words if words.lower().startswith(known.lower()) else ": ".join(part for part in (known, words) if part)


def _escaped(character: str) -> str:
    if character in "\n\r\t":
        return " "
    return character.encode("unicode_escape").decode("ascii")
