"""JSON without the json module."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from engine.state.plain_json import encode

text = st.text(st.characters(codec="utf-8"))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner) | st.dictionaries(text, inner),
)


@given(values)
def test_what_is_encoded_is_read_back_as_it_was(value: object) -> None:
    assert json.loads(encode(value)) == value
    assert encode(value).isascii()
