"""Words that every match of an expression must have."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.logs.literals import required
from tui.logs.needle import Block


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("pool timeout after [0-9]+ ms", ("pool timeout after ",)),
        (r"error|warn(ing)?", ("error", "warn")),
        ("a?bc+de*f", ("bc",)),
        ("^x{2}yy$", ("xyy",)),
        (r"foo.bar\.baz", ("bar.baz",)),
        ("ab{0,3}cd", ("cd",)),
        ("(a|b)cc|dd", ("cc", "dd")),
        ("[]a|]bb", ("bb",)),
        ("[a-c]", ()),
        ("(?i:abc)def", ()),
        (r"\x41bc", ()),
        ("abc|.", ()),
    ],
)
def test_the_longest_literal_of_each_alternative(expression: str, words: tuple[str, ...]) -> None:
    assert tuple(word.text for word in required(expression, ignore_case=False)) == words


@given(st.text("ab(|)*+?.[]\\{2,}x", max_size=12), st.lists(st.text("abx", max_size=8), max_size=8))
def test_no_match_is_without_them(expression: str, texts: list[str]) -> None:
    try:
        pattern = re.compile(expression)
    except re.error:
        return
    words = required(expression, ignore_case=False)
    for text in texts:
        found = pattern.search(text)
        if found is not None and words:
            at = [(found[0].find(word.text), word.before) for word in words if word.text in found[0]]
            assert any(before is None or place <= before for place, before in at)


@given(st.binary(max_size=200), st.sampled_from([b"a", b"ab", b"\x00\x00", b"."]), st.booleans())
def test_places_are_where_find_finds_first_in_each_line(data: bytes, needle: bytes, writable: bool) -> None:
    memory = bytearray(data * 30) if writable else data * 30
    size = len(memory) * 2 // 3
    expected, begin = [], 0
    for line in bytes(memory[:size]).split(b"\n"):
        if needle in line:
            expected.append((begin + line.find(needle), begin + len(line)))
        begin += len(line) + 1
    assert list(Block(memory, size).places(needle)) == expected
