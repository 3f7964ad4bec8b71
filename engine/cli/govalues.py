"""Go's way with values: what is true, how a value is printed, what it is as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from engine.cli.rows import Row


def is_true(value: Any) -> bool:
    """Go's truth: not false, 0, nil, or of length 0."""
    return True if isinstance(value, Row) else bool(value)


def spell(value: Any) -> str:
    """A value as Go's fmt prints it: `map[a:1 b:2]`, `[a b]`, `true`, `<no value>`."""
    if value is None:
        return "<no value>"
    return spelled(value)


def spelled(value: Any) -> str:
    if value is None:
        return "<nil>"
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}" if value != int(value) else _whole(value)
    if isinstance(value, Row):
        value = value.everything()
    if isinstance(value, Mapping):
        # an empty object inside a map is one of Go's sets: map[string]struct{}
        pairs = ((key, "{}" if value[key] == {} else spelled(value[key])) for key in sorted(value))
        return "map[" + " ".join(f"{spelled(key)}:{text}" for key, text in pairs) + "]"
    if isinstance(value, Sequence):
        return "[" + " ".join(spelled(item) for item in value) + "]"
    return str(value)


def _whole(value: float) -> str:
    return f"{value:.0f}" if abs(value) < 1e21 else f"{value:g}"


def type_name(value: Any) -> str:
    names = {bool: "bool", str: "string", int: "int", float: "float64", list: "[]interface {}", tuple: "[]string"}
    return names.get(type(value), type(value).__name__)


def to_json(value: Any) -> str:
    """Compact JSON with Go's escaping of `<`, `>` and `&` switched off, as Docker's `json` has it."""
    if isinstance(value, Row):
        value = value.everything()
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_plain)


def _plain(value: Any) -> Any:
    return value.everything() if isinstance(value, Row) else str(value)
