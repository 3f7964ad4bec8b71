"""Themes: readable, complete, and a mistake in one is named by file and line."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.color import Color

from engine.errors import InvalidInput
from tui import theming

NAMES = sorted(theming.paths())


def luminance(color: Color) -> float:
    """WCAG 2.2, relative luminance."""

    def linear(value: int) -> float:
        share = value / 255
        return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4

    return 0.2126 * linear(color.r) + 0.7152 * linear(color.g) + 0.0722 * linear(color.b)


def contrast(one: str, other: str) -> float:
    low, high = sorted(luminance(Color.parse(color)) for color in (one, other))
    return (high + 0.05) / (low + 0.05)


def test_the_themes_everybody_needs_are_there():
    assert {"dark", "light", "high-contrast", "colour-blind"} <= set(NAMES)
    assert not theming.load("light").dark


@pytest.mark.parametrize("name", NAMES)
def test_text_of_every_theme_can_be_read_wherever_it_stands(name: str):
    colors = theming.load(name).colors
    least = 7.0 if name == "high-contrast" else 4.5
    for text in ("foreground", "muted", "primary", "secondary", "accent", "success", "warning", "error"):
        for ground in ("background", "surface", "panel"):
            assert contrast(colors[text], colors[ground]) >= least, f"{text} on {ground}"
    assert contrast(colors["cursor-foreground"], colors["cursor-background"]) >= least
    assert contrast(colors["focus"], colors["background"]) >= 3.0


@pytest.mark.parametrize("name", NAMES)
def test_sixteen_colours_leave_every_theme_readable(name: str):
    palette = theming.sixteen(theming.load(name))
    colors = palette.colors
    exact = [Color.parse(color) for color in theming.SIXTEEN]
    assert all(Color.parse(color) in exact for color in colors.values()), "the terminal would choose another"
    for text in ("foreground", "muted", "primary", "secondary", "accent", "success", "warning", "error"):
        assert contrast(colors[text], colors["background"]) >= 4.0, text
    assert contrast(colors["border"], colors["background"]) >= 2.5
    assert contrast(colors["cursor-foreground"], colors["cursor-background"]) >= 4.5
    assert colors["success"] != colors["error"]


def test_sixteen_colours_keep_the_ground_of_the_theme():
    assert theming.sixteen(theming.load("light")).colors["background"] == "#ffffff"
    assert theming.sixteen(theming.load("dark")).colors["background"] == "#000000"


@pytest.mark.parametrize("name", NAMES)
def test_without_colours_no_state_is_dimmer_than_the_text(name: str):
    for palette in (theming.load(name), theming.sixteen(theming.load(name))):
        colors = theming.colourless(palette).colors
        for text in ("primary", "success", "warning", "error", "focus"):
            assert colors[text] == colors["foreground"]
        assert contrast(colors["cursor-foreground"], colors["cursor-background"]) >= 4.5
        assert colors["cursor-background"] != colors["background"]


def test_states_of_the_colour_blind_theme_differ_in_lightness_or_along_blue_and_orange():
    colors = theming.load("colour-blind").colors
    good, warn, bad = (Color.parse(colors[name]) for name in ("success", "warning", "error"))
    assert good.b - bad.b > 100  # blue against orange
    assert luminance(warn) > 1.5 * luminance(good)
    assert luminance(warn) > 1.5 * luminance(bad)


COLORS = """\
background = "#000000"
foreground = "#ffffff"
primary = "#00f"
success = "green"
warning = "yellow"
error = "red"
"""


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('title = "x\n', 1, "Illegal character"),
        ('title = "x"\nfoo = 1\n[colors]\n' + COLORS, 2, "unknown key 'foo'"),
        ("dark = 1\n[colors]\n" + COLORS, 1, "dark must be true or false"),
        ("[colors]\n" + COLORS + 'acent = "red"\n', 8, "unknown colour 'acent'"),
        ("[colors]\n" + COLORS.replace('"red"', '"rde"'), 7, "'rde' is not a colour for error"),
        ("\n[colors]\n" + COLORS.replace('error = "red"\n', ""), 2, "the colour error is missing"),
    ],
)
def test_a_mistake_is_named_by_file_and_line(tmp_path: Path, text: str, line: int, words: str):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(InvalidInput) as caught:
        theming.read(path)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert words in str(caught.value)


def test_colours_that_were_not_given_are_filled_in(tmp_path: Path):
    path = tmp_path / "mine.toml"
    path.write_text("[colors]\n" + COLORS)
    palette = theming.read(path)
    assert set(palette.colors) == set(theming.load("dark").colors)
    assert palette.colors["focus"] == palette.colors["primary"]


def test_a_users_theme_replaces_a_built_in_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    folder = tmp_path / "pilothouse" / "themes"
    folder.mkdir(parents=True)
    (folder / "dark.toml").write_text('title = "Mine"\n[colors]\n' + COLORS)
    assert theming.load("dark").title == "Mine"


def test_an_unknown_theme_is_refused_with_those_there_are():
    with pytest.raises(InvalidInput) as caught:
        theming.load("drak")
    assert "dark" in caught.value.hint
