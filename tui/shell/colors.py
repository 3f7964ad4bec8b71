"""Colours and attributes of terminal cells: from SGR parameters to pyte's cells, from those to styles.

Source: ECMA-48, SGR; ITU T.416 for colours with colons.
"""

from __future__ import annotations

from functools import lru_cache

from pyte import graphics
from pyte.screens import Char
from rich.color import Color
from rich.style import Style

_NAMES = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
_DEFAULT = Char(" ")
_SWITCHES: dict[int, tuple[str, bool]] = {
    1: ("bold", True),
    3: ("italics", True),
    4: ("underscore", True),
    5: ("blink", True),
    7: ("reverse", True),
    9: ("strikethrough", True),
    21: ("underscore", True),
    22: ("bold", False),
    23: ("italics", False),
    24: ("underscore", False),
    25: ("blink", False),
    27: ("reverse", False),
    29: ("strikethrough", False),
}


def graphic_rendition(cell: Char, parameters: list[list[int]]) -> Char:
    """`cell` as the parameters of one SGR sequence change it."""
    changed: dict[str, object] = {}
    place = 0
    while place < len(parameters):
        code, *rest = parameters[place]
        place += 1
        if code == 0:
            cell, changed = _DEFAULT, {}
        elif code in (38, 48, 58):
            if rest:
                color = _color(rest[0], rest[2:] if rest[0] == 2 and len(rest) > 4 else rest[1:])
            else:
                following = [parameter[0] for parameter in parameters[place : place + 4]]
                kind = following[0] if following else 0
                place += {2: 4, 5: 2}.get(kind, 1)
                color = _color(kind, following[1:])
            if color and code != 58:  # the colour of underlines is not shown
                changed["fg" if code == 38 else "bg"] = color
        elif code in _SWITCHES:
            name, on = _SWITCHES[code]
            changed[name] = on and rest[:1] != [0]  # 4:0 is no underline
        elif 30 <= code <= 37 or 90 <= code <= 97:
            changed["fg"] = _indexed(code - 30 if code < 90 else code - 82)
        elif 40 <= code <= 47 or 100 <= code <= 107:
            changed["bg"] = _indexed(code - 40 if code < 100 else code - 92)
        elif code in (39, 49):
            changed["fg" if code == 39 else "bg"] = "default"
    return cell._replace(**changed) if changed else cell  # type: ignore[arg-type]


def _color(kind: int, numbers: list[int]) -> str:
    """A colour of the palette (5) or of light (2); empty if it cannot be read."""
    if kind == 5 and numbers and numbers[0] < 256:
        return _indexed(numbers[0])
    if kind == 2 and len(numbers) >= 3 and max(numbers[:3]) < 256:
        return "{:02x}{:02x}{:02x}".format(*numbers[:3])
    return ""


def _indexed(number: int) -> str:
    if number < 16:
        return ("bright_" if number > 7 else "") + _NAMES[number % 8]
    return graphics.FG_BG_256[number]


@lru_cache(maxsize=2048)
def style_of(cell: Char) -> Style:
    """The style of a cell, to be laid over the widget's own; without its character, or the cache is of no use."""
    return Style(
        color=_parsed(cell.fg),
        bgcolor=_parsed(cell.bg),
        bold=cell.bold or None,
        italic=cell.italics or None,
        underline=cell.underscore or None,
        strike=cell.strikethrough or None,
        reverse=cell.reverse or None,
        blink=cell.blink or None,
    )


def _parsed(name: str) -> Color | None:
    if name == "default":
        return None
    return Color.parse(f"#{name}" if _is_hex(name) else name)


def _is_hex(name: str) -> bool:
    return len(name) == 6 and all(letter in "0123456789abcdef" for letter in name)
