"""Locks between processes and threads."""

# ruff: noqa: PTH208
from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from engine.errors import Conflict
from engine.settings import Settings
from engine.state.locks import lock


@pytest.fixture
def place(tmp_path: Path) -> Settings:
    return Settings(tmp_path / "root", tmp_path / "run")


def test_many_threads_take_turns_and_leave_no_file(place: Settings) -> None:
    inside, most, total = 0, 0, 0

    def work() -> None:
        nonlocal inside, most, total
        for _ in range(200):
            with lock(place, "container", "c1"):
                inside += 1
                most = max(most, inside)
                os.sched_yield()  # a turn for whoever else might be inside
                total += 1
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (most, total) == (1, 1200)
    assert os.listdir(place.run / "locks" / "container") == []


def test_a_lock_held_by_another_process_is_a_conflict_when_not_waiting_and_goes_with_that_process(
    place: Settings,
) -> None:
    program = (
        "import sys, pathlib\nfrom engine.settings import Settings\nfrom engine.state.locks import lock\n"
        f"place = Settings(pathlib.Path({str(place.root)!r}), pathlib.Path({str(place.run)!r}))\n"
        "with lock(place, 'container', 'c1'):\n"
        "    print('held', flush=True); sys.stdin.read()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"held\n"
    with pytest.raises(Conflict, match="container c1 is in use"), lock(place, "container", "c1", blocking=False):
        pass
    with lock(place, "container", "other", blocking=False):
        pass
    child.kill()
    child.wait()
    child.stdout.close()
    assert child.stdin is not None
    child.stdin.close()
    with lock(place, "container", "c1"):
        pass


def test_shared_holders_share_and_keep_an_exclusive_one_out(place: Settings) -> None:
    with lock(place, "image", "a", shared=True), lock(place, "image", "a", shared=True, blocking=False):
        with pytest.raises(Conflict), lock(place, "image", "a", blocking=False):
            pass
    with (
        lock(place, "image", "a", blocking=False),
        pytest.raises(Conflict),
        lock(place, "image", "a", shared=True, blocking=False),
    ):
        pass


@pytest.mark.parametrize("name", ["a/b", "..", ".", "x" * 400, "docker.io/library/redis:7", "%2F"])
def test_any_name_can_be_locked_and_stays_inside_the_directory(place: Settings, name: str) -> None:
    with lock(place, "pull", name):
        assert len(os.listdir(place.run / "locks" / "pull")) == 1
        with pytest.raises(Conflict), lock(place, "pull", name, blocking=False):
            pass
        with lock(place, "pull", name + "x", blocking=False):
            pass
    assert sorted(os.listdir(place.run / "locks")) == ["pull"]
