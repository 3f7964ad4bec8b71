"""The keys that leave a container."""

from __future__ import annotations

import pytest

from engine.cli.detachkeys import DetachKeys, parse_keys
from engine.errors import InvalidInput


def test_keys_are_named_as_docker_names_them():
    assert parse_keys("ctrl-p,ctrl-q") == b"\x10\x11"
    assert parse_keys("ctrl-@,ctrl-[,a") == b"\x00\x1ba"
    assert parse_keys("") == b"\x10\x11"
    with pytest.raises(InvalidInput, match="invalid detach keys"):
        parse_keys("ctrl-")
    with pytest.raises(InvalidInput):
        parse_keys("a,,b")


def test_the_sequence_leaves_also_when_it_comes_in_pieces():
    keys = DetachKeys(b"\x10\x11")
    assert keys.take(b"ls\x10") == (b"ls", False)
    assert keys.take(b"\x11rest") == (b"", True)


def test_a_begun_sequence_that_goes_on_otherwise_reaches_the_container():
    keys = DetachKeys(b"\x10\x11")
    assert keys.take(b"\x10") == (b"", False)
    assert keys.take(b"x") == (b"\x10x", False)
    assert keys.take(b"\x10\x10\x11") == (b"\x10", True)
