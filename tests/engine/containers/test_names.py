"""Names of containers."""

from __future__ import annotations

import pytest

from engine.containers import names
from engine.errors import InvalidInput


def test_random_names_are_valid_and_many():
    made = {names.random_name() for _ in range(500)}
    assert len(made) > 450
    for name in made:
        assert names.validate(name) == name
    assert len(set(names.ADJECTIVES)) >= 60
    assert len(set(names.NOUNS)) >= 80


def test_one_leading_slash_is_taken_off_as_docker_does():
    assert names.validate("/web_1.a-b") == "web_1.a-b"


@pytest.mark.parametrize("name", ["", "a", "-a", "foo/bar", "../etc", "a b", "a\nb", "é1", "ab\n"])
def test_other_names_are_refused_in_dockers_words(name):
    with pytest.raises(InvalidInput, match="Invalid container name") as refused:
        names.validate(name)
    assert "only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed" in refused.value.message
