"""`-e`, `--env-file`, `-l` and `--label-file`."""

from __future__ import annotations

import pytest

from engine.cli.environment import labels, variables
from engine.errors import InvalidInput


def test_files_come_first_and_names_without_a_value_are_taken_over(tmp_path):
    file = tmp_path / "env"
    file.write_bytes(b'\xef\xbb\xbf# comment\n\n  A=1 with = and spaces \r\nTAKEN\nMISSING\nQ="kept"\n')
    found = variables([str(file)], ["B=2", "TAKEN", "GONE"], {"TAKEN": "over"})
    assert found == ("A=1 with = and spaces ", "TAKEN=over", 'Q="kept"', "B=2", "TAKEN=over", "GONE")


def test_labels_of_flags_win_over_those_of_files(tmp_path):
    file = tmp_path / "labels"
    file.write_text("a=1\nb\n")
    assert labels([str(file)], ["a=2", "c"]) == {"a": "2", "b": "", "c": ""}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"A B=1\n", "variable 'A B' contains whitespaces"),
        (b"=1\n", "no variable name on line '=1'"),
        (b"A=\xff\n", "invalid utf8 bytes at line 1"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(tmp_path, content, message):
    file = tmp_path / "env"
    file.write_bytes(content)
    with pytest.raises(InvalidInput, match=message):
        variables([str(file)], [])


def test_a_missing_file_is_told_as_docker_tells_it():
    with pytest.raises(InvalidInput, match="open /nope: no such file or directory"):
        variables(["/nope"], [])
