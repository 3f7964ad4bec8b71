"""What a container writes is data: colours are kept, everything else is neutralised."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.logs.sanitise import for_terminal, plain, runs


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (b"plain", "plain"),
        ("grün 日本 🚀".encode(), "grün 日本 🚀"),
        (b"a\tb", "a\tb"),
        (b"\xff\xfe!", "\\xff\\xfe!"),
        (b"\x1b[31mred\x1b[0m", "red"),
        (b"\x1b[2J\x1b[1;1Hgone", "gone"),
        (b"\x1b]0;title\x07text", "text"),
        (b"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        (b"\x1bPq#0\x1b\\sixel", "sixel"),
        (b"\x1b]52;c;ZXZpbA==\x07", ""),
        (b"\x1b[200~paste\x1b[201~", "paste"),
        (b"\xc2\x9b2Jc1 csi", "c1 csi"),
        (b"\xc2\x85nel", "nel"),
        (b"\x1bcreset", "reset"),
        (b"\x1b(0charset", "charset"),
        (b"unfinished \x1b]0;osc", "unfinished 0;osc"),
        (b"at the end \x1b", "at the end \u241b"),
        (b"nul\x00bell\x07del\x7f", "nul\u2400bell\u2407del\u2421"),
        (b"10%\r20%\r100%", "100%"),
        (b"windows\r", "windows"),
        (b"\r\r", ""),
        ("evil\u202etxt".encode(), "evil\\u202etxt"),
        ("👩\u200d🚀".encode(), "👩\u200d🚀"),
        ("a\u2028b".encode(), "a\\u2028b"),
    ],
)
def test_only_text_is_left(text: bytes, shown: str) -> None:
    assert plain(text) == shown


def test_colours_are_kept_as_parameters_of_runs() -> None:
    assert runs(b"a\x1b[1m\x1b[31mb\x1b[mc") == [("", "a"), ("1;31", "b"), ("0", "c")]
    assert runs(b"\x1b[38;5;208mx") == [("38;5;208", "x")]
    assert runs(b"\x1b[38:2::1:2:3mx") == [("38:2::1:2:3", "x")]
    assert runs(b"") == []


def test_a_colour_does_not_leak_out_of_its_line() -> None:
    assert for_terminal(b"\x1b[31mred") == "\x1b[31mred\x1b[0m"
    assert for_terminal(b"\x1b[31mred\x1b[0m done") == "\x1b[31mred\x1b[0m done"
    assert for_terminal(b"\x1b[31mred", colours=False) == "red"


@settings(deadline=None, max_examples=50)  # how busy the machine is, is not what is tested
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=6),
            st.sampled_from(
                [b"\x1b", b"\x1b[", b"\x1b]", b"\x1b\\", b"\x9b", b"\xc2\x9b", b"m", b"31", b";", b"\r", b"\x07"]
            ),
        )
    ).map(b"".join)
)
def test_no_bytes_whatever_reach_the_terminal_as_a_control(data: bytes) -> None:
    data = data.replace(b"\n", b"")
    left = re.sub(r"\x1b\[[0-9;:]*m", "", for_terminal(data))
    assert not re.search(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", left)
    assert not re.search(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]", plain(data))
