"""Nothing a container says can steer the terminal."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tui.sanitize import plain, plain_lines


def test_control_characters_become_symbols():
    assert plain("a\x1b[31mb\x07\x7f") == "a␛[31mb␇␡"


def test_the_eight_bit_csi_and_bidirectional_overrides_are_spelled_out():
    assert plain("\x9b2J\u202egnp") == "\\x9b2J\\u202egnp"


def test_ordinary_text_of_every_script_is_kept():
    assert plain("naïve ☃ 日本語 [red]x[/red]") == "naïve ☃ 日本語 [red]x[/red]"


def test_lines_are_cut_and_tabs_widened():
    assert plain_lines("a\tb\nc\r") == ["a       b", "c␍"]


@given(st.text())
def test_no_text_keeps_a_character_a_terminal_obeys(text: str):
    shown = plain(text)
    assert not any(ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0 for character in shown)
    shown.encode("utf-8")
