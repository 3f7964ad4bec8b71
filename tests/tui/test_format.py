"""Numbers and states in a few cells."""

from __future__ import annotations

import pytest

from engine.models import Container, RunOptions, State
from tui import format as short
from tui.story import story

OPTIONS = RunOptions(image="redis:7")


def made(state: State, **fields: object) -> Container:
    return Container("ab" * 32, "web", "redis:7", "sha256:1", ("x",), OPTIONS, 0.0, state, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0B"), (999, "999B"), (1000, "1.0K"), (10 << 10, "10K"), (38 << 20, "38M"), (int(1.2 * (1 << 30)), "1.2G")],
)
def test_sizes_fit_five_cells(count: int, words: str):
    assert short.size(count) == words
    assert len(words) <= 5


def test_spans_are_told_by_their_largest_unit():
    seconds = (4, 65, 7300, 5 * 86400, 20 * 86400, 70 * 86400, 800 * 86400)
    assert [short.span(length) for length in seconds] == ["4s", "1m", "2h", "5d", "2w", "2mo", "2y"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.04, "40 ms"),
        (1.23, "1.2 s"),
        (59.97, "1 m 0 s"),
        (185, "3 m 5 s"),
        (3599.8, "1 h 0 m"),
        (6360, "1 h 46 m"),
        (2 * 86400 + 3 * 3600 + 5, "2 d 3 h"),
        (400 * 86400, "400 d 0 h"),
    ],
)
def test_lengths_of_time_are_told_by_their_two_largest_units(seconds: float, words: str):
    assert short.took(seconds) == words


def test_every_state_has_a_glyph_of_its_own_meaning():
    states = (
        made(State.RUNNING),
        made(State.PAUSED),
        made(State.RESTARTING),
        made(State.EXITED, exit_code=1),
        made(State.EXITED),
        made(State.RUNNING, health="starting"),
        made(State.RUNNING, health="unhealthy"),
    )
    assert [short.glyph(container) for container in states] == ["●", "‖", "↻", "✗", "○", "◔", "!"]
    assert short.glyph(made(State.RUNNING, health="healthy")) == "●"
    assert short.state(made(State.EXITED, health="unhealthy")) == "exit 0"  # what it was then says nothing now


def test_why_it_ended_is_told_in_words():
    oom = made(State.EXITED, exit_code=137, oom_killed=True, started=10.0, finished=12.5)
    assert short.state(oom) == "exit 137 oom"
    assert story(oom, 72.5) == "web ended 1m ago after 2.5 s: killed by the kernel at its memory limit."
    worked = made(State.EXITED, started=10.0, finished=6370.0)
    assert story(worked, 6400.0) == "web ended 30s ago after 1 h 46 m: it finished its work (exit 0)."
    assert "not found" in story(made(State.EXITED, exit_code=127, finished=1.0), 2.0)
    assert "SIGSEGV" in story(made(State.EXITED, exit_code=139, finished=1.0), 2.0)


@pytest.mark.parametrize("code", [0, 1, 125, 126, 127, 130, 134, 137, 139, 143, 200])
def test_what_happened_fits_the_status_row_of_80_columns(code: int):
    ended = made(State.EXITED, exit_code=code, started=1000.0, finished=8000.0)
    sick = made(State.RUNNING, failing_streak=178, restart_count=3, started=10.0)
    oom = made(State.EXITED, exit_code=137, oom_killed=True, started=1000.0, finished=8000.0)
    for each in (ended, sick, oom):
        assert len(story(each, 9000.0)) < 80


def test_a_start_that_failed_is_told_without_the_runtimes_preface():
    failed = made(State.CREATED, error='OCI runtime create failed: exec: "x": executable file not found in $PATH')
    assert story(failed) == 'web could not be started: exec: "x": executable file not found in $PATH.'


def test_a_sparkline_is_as_wide_as_asked_at_most():
    assert short.sparkline([0, 5, 10], 8, 10.0) == "▁▅█"
    assert len(short.sparkline(range(100), 8)) == 8


def test_counts_fit_four_cells():
    assert [short.count(n) for n in (7, 812, 1234, 9949, 38_000, 999_499, 2_400_000)] == [
        "7", "812", "1.2k", "9.9k", "38k", "999k", "2M",
    ]  # fmt: skip
