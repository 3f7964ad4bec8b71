"""`--filter key=value`: what was asked for, checked against what a list knows."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from engine.errors import InvalidInput


def parse_filter(text: str) -> tuple[str, str]:
    """`key=value`; keys are free of case. Raises InvalidInput."""
    key, equals, value = text.partition("=")
    if not equals:
        raise InvalidInput("bad format of filter (expected name=value)")
    return key.strip().lower(), value.strip()


def group(given: Sequence[tuple[str, str]], known: Collection[str]) -> dict[str, list[str]]:
    """Values by key. Raises InvalidInput for a key the list does not know."""
    found: dict[str, list[str]] = {}
    for key, value in given:
        if key not in known:
            raise InvalidInput(f"Invalid filter '{key}'", hint=f"filters: {', '.join(sorted(known))}")
        found.setdefault(key, []).append(value)
    return found


def yes_or_no(key: str, values: Sequence[str]) -> bool | None:
    """What the last of the values says; None without one. Raises InvalidInput."""
    if not values:
        return None
    if values[-1] not in ("true", "false", "1", "0"):
        raise InvalidInput(f"Invalid filter '{key}={values[-1]}'", hint="it is true or false")
    return values[-1] in ("true", "1")


def has_labels(labels: Mapping[str, str], wanted: Sequence[str]) -> bool:
    """Whether every `key` or `key=value` is there; for labels, several mean all of them."""
    for text in wanted:
        key, equals, value = text.partition("=")
        if key not in labels or (equals and labels[key] != value):
            return False
    return True


def fits(text: str, patterns: Sequence[str]) -> bool:
    """Whether one of the regular expressions is found in the text; a pattern that is none is taken literally."""
    for pattern in patterns:
        try:
            if re.search(pattern, text):
                return True
        except re.error:
            if pattern in text:
                return True
    return False
