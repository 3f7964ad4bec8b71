"""Following a log: every line once, whatever happens to its files."""

# ruff: noqa: PTH208
from __future__ import annotations

import os
import random
import select
import shutil
import threading
from pathlib import Path

import pytest

from engine.errors import NotFound
from engine.logs.follower import Follower
from engine.models import LogQuery
from engine.runtime.logfile import LogWriter


def all_now(follower: Follower) -> list[bytes]:
    found: list[bytes] = []
    while lines := follower.read():
        found += [line.text for line in lines]
    return found


def test_it_begins_with_what_is_there_then_waits_on_its_descriptor(tmp_path: Path) -> None:
    writer = LogWriter(str(tmp_path))
    writer.write("stdout", b"one\ntwo\nthree\n")
    with Follower(str(tmp_path), LogQuery(tail=2)) as follower:
        assert all_now(follower) == [b"two", b"three"]
        assert select.select([follower], [], [], 0)[0] == []
        writer.write("stderr", b"four\nfi")
        assert select.select([follower], [], [], 5)[0] == [follower]
        assert all_now(follower) == [b"four"]
        writer.write("stderr", b"ve\n")
        assert all_now(follower) == [b"five"]
    writer.close()


def test_its_descriptor_stays_readable_until_everything_was_taken(tmp_path: Path) -> None:
    writer = LogWriter(str(tmp_path))
    for _ in range(20):
        writer.write("stdout", b"x" * 99 + b"\n" + b"y" * 50_000 + b"\n")
    writer.close()
    descriptors = len(os.listdir("/proc/self/fd"))
    taken = 0
    with Follower(str(tmp_path), LogQuery()) as follower:
        while select.select([follower], [], [], 0)[0]:
            taken += len(follower.read())
    assert taken == 40
    assert len(os.listdir("/proc/self/fd")) == descriptors


def test_a_log_that_is_not_there_yet_is_followed_from_its_first_line(tmp_path: Path) -> None:
    with Follower(str(tmp_path), LogQuery()) as follower:
        assert all_now(follower) == []
        writer = LogWriter(str(tmp_path))
        writer.write("stdout", b"first\n")
        assert all_now(follower) == [b"first"]
        writer.close()
    with pytest.raises(NotFound):
        Follower(str(tmp_path / "nowhere"), LogQuery())


def test_rotation_at_any_moment_loses_and_doubles_nothing(tmp_path: Path) -> None:
    total = 20_000
    chance = random.Random(1)

    def work() -> None:
        writer = LogWriter(str(tmp_path), max_size=20_000, max_files=1000)
        for number in range(total):
            writer.write("stdout", b"%d\n" % number)
            if chance.random() < 0.0005:
                writer.close()  # the container restarts
                writer = LogWriter(str(tmp_path), max_size=20_000, max_files=1000)
        writer.close()

    thread = threading.Thread(target=work)
    with Follower(str(tmp_path), LogQuery()) as follower:
        thread.start()
        found: list[bytes] = []
        while len(found) < total:
            assert select.select([follower], [], [], 5)[0], f"nothing more after {len(found)} lines"
            found += all_now(follower)
    thread.join()
    assert found == [b"%d" % number for number in range(total)]


def test_files_that_are_rotated_away_while_held_are_read_to_their_end(tmp_path: Path) -> None:
    writer = LogWriter(str(tmp_path), max_size=500, max_files=2)
    with Follower(str(tmp_path), LogQuery()) as follower:
        found = []
        for number in range(200):
            writer.write("stdout", b"%d\n" % number)
            if number % 5 == 0:
                found += all_now(follower)
        found += all_now(follower)
    writer.close()
    assert found == [b"%d" % number for number in range(200)]


def test_a_log_truncated_in_place_goes_on_from_its_new_beginning(tmp_path: Path) -> None:
    writer = LogWriter(str(tmp_path))
    with Follower(str(tmp_path), LogQuery()) as follower:
        writer.write("stdout", b"a long line before the cut\n")
        assert all_now(follower) == [b"a long line before the cut"]
        os.truncate(tmp_path / "container.log", 0)
        writer.write("stdout", b"after\n")
        assert all_now(follower) == [b"after"]
    writer.close()


def test_it_is_over_when_the_log_is_removed_or_the_time_is_past(tmp_path: Path) -> None:
    directory = tmp_path / "log"
    writer = LogWriter(str(directory))
    writer.write("stdout", b"one\n")
    with Follower(str(directory), LogQuery()) as follower:
        writer.write("stdout", b"last\nopen")
        writer.flush()
        shutil.rmtree(directory)
        assert select.select([follower], [], [], 5)[0]
        assert all_now(follower) == [b"one", b"last"]
        assert follower.over
        assert [(line.text, line.complete) for line in follower.finish()] == [(b"open", False)]
    writer.close()
    writer = LogWriter(str(directory))
    writer.write("stdout", b"now\n")
    with Follower(str(directory), LogQuery(until=1.0)) as follower:
        assert all_now(follower) == []
        assert follower.over
    writer.close()
