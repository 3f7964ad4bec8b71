"""The colours of a terminal, as sequences in a line of a log ask for them."""

from __future__ import annotations

import re
from functools import lru_cache

from rich.color import Color
from rich.style import Style

_ON = {
    1: Style(bold=True),
    2: Style(dim=True),
    3: Style(italic=True),
    4: Style(underline=True),
    7: Style(reverse=True),
    9: Style(strike=True),
    22: Style(bold=False, dim=False),
    23: Style(italic=False),
    24: Style(underline=False),
    27: Style(reverse=False),
    29: Style(strike=False),
}
_COLOUR_SPACE = re.compile(r"(?<!\d)([34]8):2:\d*:(\d+:\d+:\d+)")
_UNDERLINE_SHAPE = re.compile(r"(?<![\d:])4:[1-9]")


@lru_cache(4096)
def apply_sgr(style: Style, parameters: str) -> Style:
    """The style after a Select Graphic Rendition sequence (ECMA-48 8.3.117; colours as ITU-T T.416).

    Blinking and concealing are not done: neither may draw attention or hide text in somebody else's screen.
    """
    if ":" in parameters:
        parameters = _UNDERLINE_SHAPE.sub("4", _COLOUR_SPACE.sub(r"\1:2:\2", parameters)).replace(":", ";")
    codes = [int(code[:9]) if code.isdecimal() else 0 for code in parameters.split(";")[:64]]
    at = 0
    while at < len(codes):
        code = codes[at]
        at += 1
        if code == 0:
            style = Style.null()
        elif code in _ON:
            style += _ON[code]
        elif 30 <= code <= 37 or 90 <= code <= 97:
            style += Style(color=Color.from_ansi(code - 30 if code < 90 else code - 82))
        elif 40 <= code <= 47 or 100 <= code <= 107:
            style += Style(bgcolor=Color.from_ansi(code - 40 if code < 100 else code - 92))
        elif code == 39:
            style = style.without_color + Style(bgcolor=style.bgcolor)
        elif code == 49:
            style = style.without_color + Style(color=style.color)
        elif code in (38, 48):
            color, at = _extended(codes, at)
            if color is not None:
                style += Style(color=color) if code == 38 else Style(bgcolor=color)
    return style


def _extended(codes: list[int], at: int) -> tuple[Color | None, int]:
    """The colour of 38;5;N or 38;2;R;G;B, and where the next code is."""
    kind = codes[at] if at < len(codes) else 0
    if kind == 5 and at + 1 < len(codes):
        return Color.from_ansi(codes[at + 1] & 255), at + 2
    if kind == 2 and at + 3 < len(codes):
        return Color.from_rgb(*(code & 255 for code in codes[at + 1 : at + 4])), at + 4
    return None, len(codes)
