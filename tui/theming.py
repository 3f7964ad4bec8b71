"""Themes from TOML files: the built-in ones and the user's own.

The format is described in themes/dark.toml. A mistake raises InvalidInput with the file and the line.
"""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from textual.color import Color, ColorParseError

from engine.errors import InvalidInput

if TYPE_CHECKING:
    from textual.theme import Theme

DEFAULT = "dark"

_REQUIRED = ("background", "foreground", "primary", "success", "warning", "error")
_OPTIONAL = (
    "muted",
    "surface",
    "panel",
    "border",
    "focus",
    "secondary",
    "accent",
    "cursor-background",
    "cursor-foreground",
)
_KEYS: dict[str, type] = {"title": str, "dark": bool, "colors": dict}


@dataclass(frozen=True, slots=True)
class Palette:
    """A theme file that has been read: every colour filled in, as #rrggbb."""

    name: str
    title: str
    dark: bool
    colors: dict[str, str]
    source: str

    def to_textual(self) -> Theme:
        from textual.theme import Theme

        colors = self.colors
        return Theme(
            name=self.name,
            dark=self.dark,
            primary=colors["primary"],
            secondary=colors["secondary"],
            accent=colors["accent"],
            success=colors["success"],
            warning=colors["warning"],
            error=colors["error"],
            foreground=colors["foreground"],
            background=colors["background"],
            surface=colors["surface"],
            panel=colors["panel"],
            variables=variables(colors),
        )


# The sixteen colours of a text console, as the VGA has them: what is exactly one of these becomes it in every terminal.
SIXTEEN = (
    "#000000", "#aa0000", "#00aa00", "#aa5500", "#0000aa", "#aa00aa", "#00aaaa", "#aaaaaa",
    "#555555", "#ff5555", "#55ff55", "#ffff55", "#5555ff", "#ff55ff", "#55ffff", "#ffffff",
)  # fmt: skip
_BLACK, _SILVER, _GREY, _WHITE, _BLUE = (SIXTEEN[place] for place in (0, 7, 8, 15, 4))
_ON_BLACK = SIXTEEN[9:15]
_ON_WHITE = (SIXTEEN[1], SIXTEEN[4], SIXTEEN[5])  # terminals differ too much in the others to write with them on white


def sixteen(palette: Palette) -> Palette:
    """The theme for a terminal with sixteen colours.

    The nearest colour, which is what Textual would take, is often the ground itself, or grey. So what is grey in a
    theme is settled here, and what has a colour becomes the one of the nearest hue that can be read on that ground.
    """
    ground, ink, inks = (_BLACK, _WHITE, _ON_BLACK) if palette.dark else (_WHITE, _BLACK, _ON_WHITE)
    settled = {
        **dict.fromkeys(("background", "surface", "panel"), ground),
        "foreground": ink,
        "muted": _SILVER if palette.dark else _GREY,
        "border": _GREY,
        "cursor-background": _BLUE,
        "cursor-foreground": _WHITE,
    }
    return replace(
        palette,
        colors={name: settled.get(name) or _nearest_hue(color, inks) for name, color in palette.colors.items()},
    )


def colourless(palette: Palette) -> Palette:
    """The theme where NO_COLOR is set: a grey in place of a red would be the dimmest word where it matters most."""
    kept = ("background", "surface", "panel", "muted", "border")
    reverse = {
        "cursor-background": palette.colors["foreground"],
        "cursor-foreground": palette.colors["background"],
    }
    ink = palette.colors["foreground"]
    return replace(
        palette,
        colors={name: color if name in kept else reverse.get(name, ink) for name, color in palette.colors.items()},
    )


def _nearest_hue(color: str, among: tuple[str, ...]) -> str:
    hue = Color.parse(color).hsl.h

    def away(other: str) -> float:
        distance = abs(Color.parse(other).hsl.h - hue)
        return min(distance, 1 - distance)

    return min(among, key=away)


def variables(colors: dict[str, str]) -> dict[str, str]:
    """What dashboard.tcss calls `$ph-...`, and those of Textual's own variables that would not fit."""
    names = {f"ph-{name}": value for name, value in colors.items()}
    return names | {
        # Textual's own are computed from the ground under a widget, which what is drawn line by line has not
        "text-muted": colors["muted"],
        **{f"text-{name}": colors[name] for name in ("primary", "secondary", "accent", "success", "warning", "error")},
        "block-cursor-background": colors["cursor-background"],
        "block-cursor-foreground": colors["cursor-foreground"],
        "border": colors["focus"],
        "border-blurred": colors["border"],
        "input-cursor-background": colors["foreground"],
        "input-cursor-foreground": colors["background"],
        "input-selection-background": colors["cursor-background"],
        "input-selection-foreground": colors["cursor-foreground"],
        "scrollbar": colors["border"],
        "scrollbar-hover": colors["muted"],
        "scrollbar-active": colors["focus"],
        "scrollbar-background": colors["background"],
        "scrollbar-background-hover": colors["background"],
        "scrollbar-background-active": colors["background"],
        "scrollbar-corner-color": colors["background"],
        "footer-background": colors["panel"],
    }


def directories() -> list[Path]:
    """Where themes are looked for; a later directory wins."""
    import themes

    configuration = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return [Path(themes.__path__[0]), Path(configuration) / "pilothouse" / "themes"]


def paths() -> dict[str, Path]:
    """Name to file of every theme there is, the built-in ones first."""
    found: dict[str, Path] = {}
    for directory in directories():
        for path in sorted(directory.glob("*.toml")):
            found[path.stem] = path
    return found


def load(name: str) -> Palette:
    """The theme called `name`, or the one in the file `name`.

    Raises: InvalidInput if there is none, or for a mistake in it.
    """
    known = paths()
    if name in known:
        return read(known[name])
    if name.endswith(".toml"):
        return read(Path(name))
    raise InvalidInput(f"no such theme: {name}", hint=f"there are {', '.join(sorted(known))}")


def read(path: Path) -> Palette:
    """Read and check one theme file.

    Raises: InvalidInput, beginning with `file:line:`.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path}: cannot read the theme: {error}") from error
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"\(at line (\d+), column \d+\)", str(error))
        line = int(place.group(1)) if place else len(text.splitlines())
        raise InvalidInput(f"{path}:{line}: {str(error).split(' (at ')[0]}") from error
    return Palette(
        name=path.stem,
        title=str(document.get("title", path.stem)),
        dark=bool(document.get("dark", True)),
        colors=_colors(path, text, document),
        source=str(path),
    )


def _colors(path: Path, text: str, document: dict[str, object]) -> dict[str, str]:
    def mistake(key: str, words: str) -> InvalidInput:
        return InvalidInput(
            f"{path}:{_line_of(text, key)}: {words}", hint="the format is described in themes/dark.toml"
        )

    for key, value in document.items():
        if key not in _KEYS:
            raise mistake(key, f"unknown key {key!r}; there are {', '.join(_KEYS)}")
        if not isinstance(value, _KEYS[key]):
            kinds = {str: "text in quotes", bool: "true or false", dict: "a [colors] table"}
            raise mistake(key, f"{key} must be {kinds[_KEYS[key]]}")
    given = document.get("colors", {})
    colors: dict[str, str] = {}
    for key, value in given.items() if isinstance(given, dict) else ():
        if key not in _REQUIRED + _OPTIONAL:
            raise mistake(key, f"unknown colour {key!r}; there are {', '.join(_REQUIRED + _OPTIONAL)}")
        try:
            colors[key] = Color.parse(value).hex if isinstance(value, str) else ""
        except ColorParseError:
            colors[key] = ""
        if len(colors[key]) != 7:  # also refuses colours with an alpha value
            raise mistake(key, f'{value!r} is not a colour for {key}; write it as "#rrggbb"')
    missing = [key for key in _REQUIRED if key not in colors]
    if missing:
        raise mistake("[colors]", f"the colour {missing[0]} is missing from [colors]")
    return _completed(colors)


def _completed(colors: dict[str, str]) -> dict[str, str]:
    full = dict(colors)
    background, foreground = Color.parse(full["background"]), Color.parse(full["foreground"])
    full.setdefault("muted", foreground.blend(background, 0.3, alpha=1.0).hex)
    full.setdefault("surface", full["background"])
    full.setdefault("panel", full["surface"])
    full.setdefault("border", full["muted"])
    for name in ("focus", "secondary", "accent", "cursor-background"):
        full.setdefault(name, full["primary"])
    full.setdefault("cursor-foreground", full["background"])
    return full


def _line_of(text: str, key: str) -> int:
    """The line where `key` is set; the first line if it is nowhere."""
    pattern = re.compile(r"\s*" + (re.escape(key) if key.startswith("[") else rf"[\"']?{re.escape(key)}[\"']?\s*="))
    for number, line in enumerate(text.splitlines(), 1):
        if pattern.match(line):
            return number
    return 1
