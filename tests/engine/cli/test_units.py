"""Sizes, durations and moments in Docker's spelling."""

from __future__ import annotations

import time

import pytest

from engine.cli.units import duration, human_duration, human_size, memory_size, moment, spell_memory
from engine.errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("512", 512), ("512b", 512), ("64k", 65536), ("1.5g", 3 << 29), ("64MiB", 64 << 20), ("1 kb", 1024)],
)
def test_memory_sizes_are_binary(text, size):
    assert memory_size(text) == size


@pytest.mark.parametrize("text", ["", "x", "-1", "1x", "1.m", "1_0", "1e3"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(InvalidInput, match="invalid size"):
        memory_size(text)


@pytest.mark.parametrize("size", [0, 1, 1023, 1024, 64 << 20, 5 << 30, 1 << 40])
def test_a_spelled_size_is_read_back(size):
    assert memory_size(spell_memory(size)) == size


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.5, "Less than a second"),
        (1, "1 second"),
        (59, "59 seconds"),
        (60, "About a minute"),
        (179, "2 minutes"),
        (3600, "About an hour"),
        (2 * 3600, "2 hours"),
        (47.4 * 3600, "47 hours"),
        (3 * 86400, "3 days"),
        (21 * 86400, "3 weeks"),
        (90 * 86400, "3 months"),
        (3 * 365 * 86400, "3 years"),
    ],
)
def test_durations_read_as_docker_writes_them(seconds, text):
    assert human_duration(seconds) == text


def test_sizes_have_three_digits():
    assert [human_size(size) for size in (0, 999, 1984269, 930_200_000, 1_053_000_000)] == [
        "0B",
        "999B",
        "1.98MB",
        "930MB",
        "1.05GB",
    ]


def test_moments_are_timestamps_unix_times_or_durations_ago():
    assert moment("1700000000.5") == 1700000000.5
    assert moment("2023-11-14T22:13:20Z") == 1700000000
    assert moment("2023-11-14T23:13:20.25+01:00") == 1700000000.25
    assert moment("2023-11-14T22:13:20") == time.mktime((2023, 11, 14, 22, 13, 20, 0, 0, -1))
    assert abs(moment("1h30m") - (time.time() - 5400)) < 5
    for text in ("yesterday", "2023-13-01", ""):
        with pytest.raises(InvalidInput):
            moment(text)


def test_durations_are_those_of_go():
    assert [duration(text) for text in ("1h30m", "1.5s", "90", "250ms", "-10m")] == [5400, 1.5, 90, 0.25, -600]
