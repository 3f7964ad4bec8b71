"""A row of a list: fields that are computed when somebody asks for them, and strings as Go quotes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Row:
    """A value whose fields are computed when a template asks for them.

    `fields` maps a name to a function without arguments; `methods` to one that takes the template's arguments.
    """

    __slots__ = ("fields", "methods")

    def __init__(
        self, fields: Mapping[str, Callable[[], Any]], methods: Mapping[str, Callable[..., Any]] | None = None
    ) -> None:
        self.fields = fields
        self.methods = methods or {}

    def everything(self) -> dict[str, Any]:
        return {name: self.fields[name]() for name in sorted(self.fields)}


def fixed_row(values: Mapping[str, Any]) -> Row:
    """A row whose values are known already."""
    return Row({name: partial(values.__getitem__, name) for name in values})


def quote(text: str) -> str:
    """Go's strconv.Quote: double quotes, control characters escaped, other characters as they are."""
    names = {"\n": "\\n", "\t": "\\t", "\r": "\\r", '"': '\\"', "\\": "\\\\", "\a": "\\a", "\b": "\\b", "\f": "\\f"}
    names["\v"] = "\\v"

    def one(character: str) -> str:
        if character in names:
            return names[character]
        if character.isprintable():
            return character
        code = ord(character)
        return f"\\x{code:02x}" if code < 0x80 else (f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")

    return '"' + "".join(map(one, text)) + '"'
