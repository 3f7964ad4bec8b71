"""What the dashboard computes from readings, progress and outcomes."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from engine.models import Container, Progress, Resources, RunOptions, State, Stats
from engine.settings import Settings
from tui.containers import exit_card, graphs
from tui.format import sparkline
from tui.operations import Outcome, command, explain, summary
from tui.reports import write_report
from tui.state import memory
from tui.state.history import History
from tui.state.log_pulse import LogPulse
from tui.state.pulls import Pull
from tui.state.readings import Readings
from tui.state.world import World
from tui.widgets.chart import bars, ceiling


def reading(time: float, cpu: float, received: int = 0) -> Stats:
    return Stats("x", time, cpu, 1 << 20, 1 << 30, 1, received=received)


def test_rates_come_from_two_readings():
    history = History()
    history.add(reading(1.0, 5.0, 100))
    assert history.latest is None
    history.add(reading(3.0, 6.0, 300))
    assert history.latest is not None
    assert (history.latest.cpu, history.latest.received) == (50.0, 100.0)


def test_how_busy_the_machine_is_does_not_depend_on_the_thread_that_looks(settings: Settings):
    readings = Readings(settings, World())
    assert readings._look([]).cpu is None, "nothing is known of the time before"
    seen = []
    until = time.monotonic() + 0.3
    while time.monotonic() < until:
        pass  # one processor is busy
    looking = threading.Thread(target=lambda: seen.append(readings._look([]).cpu))
    looking.start()
    looking.join()
    assert seen[0] > 0


def test_a_small_history_is_of_its_seconds_however_often_one_looked():
    every, every_other = History(), History()
    for now in range(1, 20):
        every.add(reading(float(now), now * 0.5))
        if now % 2:
            every_other.add(reading(now + 0.9965 + now % 3 * 0.003, now * 0.5))  # now and then three seconds apart
    assert every.window("cpu", 8) == [50.0] * 8
    assert every_other.window("cpu", 8) == pytest.approx([50.0] * 8, abs=0.2)
    assert sparkline([None, *every_other.window("cpu", 3)], 4, 50.0) == " ███"


def test_a_sample_stands_for_the_seconds_before_it_and_a_count_for_none():
    history = History()
    for now, cpu, kills in ((2.0, 0.0, 0), (4.0, 0.0, 0), (6.0, 2.0, 1), (8.0, 2.0, 1)):
        history.add(replace(reading(now, cpu), oom_kills=kills))
    assert history.window("cpu", 5) == [0.0, 100.0, 100.0, 0.0, 0.0]
    assert history.window("oom", 5) == [0.0, 0.0, 1.0, 0.0, 0.0]


def test_a_restart_begins_a_new_history():
    history = History()
    for now, cpu in ((1.0, 5.0), (2.0, 6.0), (3.0, 0.1)):
        history.add(reading(now, cpu))
    assert history.latest is None


def test_a_window_into_the_past_has_holes_where_nobody_looked_and_widens_by_the_largest():
    history = History()
    for second in (*range(100, 111), *range(120, 131)):
        history.add(reading(float(second), second * 0.1 + (5 if second >= 125 else 0)))
    shown = history.window("cpu", 31)
    assert shown[-1] == pytest.approx(10, abs=0.01)
    assert shown[15] is None
    assert len(history.window("cpu", 40)) == 40
    wide = history.window("cpu", 6, step=5)
    assert max(value for value in wide if value is not None) == pytest.approx(510, abs=1)
    assert history.window("cpu", 3, back=20)[-1] == pytest.approx(10, abs=0.01)
    assert history.length == 29


def test_an_hour_of_readings_is_kept_and_no_more():
    history = History()
    for second in range(5000):
        history.add(reading(float(second), second * 0.1))
    assert 3600 <= len(history.times) <= 4300
    assert history.times[-1] == 4999.0


def test_log_rates_come_from_growth_and_errors_are_those_of_this_run(tmp_path: Path):
    log = tmp_path / "container.log"
    log.write_text(
        "2026-11-24T10:00:00.5Z stdout F ERROR of an earlier run\n2026-11-24T12:00:00.5Z stderr F error: a\n"
    )
    started = 1795521600.0  # 2026-11-24T12:00:00Z
    pulse = LogPulse(str(log))
    pulse.look(started)
    assert (pulse.errors, list(pulse.rates)) == (1, [])
    with log.open("a") as file:
        file.write("2026-11-24T12:00:01.5Z stdout F fine\n" * 50 + "2026-11-24T12:00:01.5Z stdout F fatal: b\n")
    pulse.look(started)
    assert pulse.errors == 2
    assert pulse.rates[-1] > 0
    pulse.look(started)
    assert pulse.rates[-1] == 0
    pulse._read -= 2  # as long ago as when nobody uses the dashboard
    with log.open("a") as file:
        file.write("2026-11-24T12:00:02.5Z stdout F error\n" * 3_000)
    pulse.look(started)
    assert (pulse.errors, pulse.partial) == (3_002, False)
    pulse.errors = 2
    with log.open("a") as file:
        file.write("2026-11-24T12:00:02.5Z stdout F error\n" * 10_000)
    pulse.look(started)
    assert pulse.partial
    log.rename(tmp_path / "container.log.1")
    log.write_text("2026-11-24T12:00:03.5Z stdout F fine\n")
    before = pulse.errors
    pulse.look(started)
    assert pulse.errors == before


def test_bars_stand_on_a_scale_that_does_not_move():
    assert ["".join(text for text, _ in line) for line in bars([0.0, 50.0, 100.0, None], 2, 100.0)] == ["  █ ", "▁██·"]
    marked = bars([1.0, 1.0], 1, 100.0, marks=[None, ("t", "warn")])
    assert marked == [(("▁", "good"), ("t", "warn"))]
    assert [ceiling(peak, 10.0) for peak in (0, 11, 49, 99, 101)] == [10, 20, 50, 100, 200]


def test_the_last_words_begin_at_the_error():
    said = ["starting", "ERROR: no database", "  at connect()", "  at main()"]
    assert exit_card._last_words(said, 2) == ["ERROR: no database", "  at connect()"]
    assert exit_card._last_words(said[:1], 2) == ["starting"]


def test_the_card_keeps_a_gap_after_a_long_ending():
    options = RunOptions(image="busybox")
    killed = Container("x", "web", "busybox", "sha256:1", (), options, 1.0, State.EXITED, exit_code=137)
    killed = replace(killed, started=1.0, finished=100.0)
    first, *rest = ["".join(text for text, _ in line) for line in exit_card.lines(killed, ["bye"], [], 90, 10, [])]
    assert first.startswith("exit 137 SIGKILL  ran 1 m 39 s")
    assert rest[0].index("bye") == first.index("ran"), "all texts begin in one column"
    assert first.endswith("restarts 0 (policy: no)")
    (first, _), *_ = exit_card.lines(killed, ["bye"], [], 60, 10, [], starter="you")[0][1:]
    assert "started by you" in first and first.endswith("restarts 0"), "what has no room goes whole"
    (first, _), *_ = exit_card.lines(killed, ["bye"], [], 54, 10, [], starter="you")[0][1:]
    assert first.startswith("ran 1 m 39 s  ") and first.endswith("  restarts 0"), "one thing after the other"


def test_a_pull_counts_what_it_downloads_and_not_what_was_there():
    pull = Pull("redis:7")
    pull.advance(Progress("redis:7", "", "resolving"), 0.0)
    assert pull.fraction is None
    pull.advance(Progress("redis:7", "sha256:a", "exists", 500, 500), 0.0)
    pull.advance(Progress("redis:7", "sha256:b", "downloading", 0, 1000), 0.0)
    pull.advance(Progress("redis:7", "sha256:b", "downloading", 250, 1000), 1.0)
    assert (pull.fraction, pull.speed, pull.remaining, pull.shared) == (0.25, 250.0, 3.0, 1)
    pull.advance(Progress("redis:7", "sha256:b", "done"), 2.0)
    assert (pull.fraction, pull.finished) == (1.0, 2)
    assert pull.speed == 0.0, "nothing comes any more"


def test_the_speed_is_that_of_the_last_three_seconds():
    pull = Pull("x")
    for second in range(20):
        pull.advance(
            Progress("x", "sha256:b", "downloading", second * (10 if second < 10 else 100), 10_000), float(second)
        )
    assert 90 <= pull.speed <= 110


def test_one_summary_for_many():
    good, bad = Outcome("web"), Outcome("redis", "No such container: redis")
    assert summary("stopped", [good]) == "stopped web"
    assert summary("stopped", [good, good]) == "stopped 2 containers"
    assert summary("stopped", [good, bad]) == "stopped 1 of 2; redis: No such container: redis"
    assert summary("stopped", [bad]) == "No such container: redis"


def test_an_equal_command_line_is_quoted_and_safe_to_show():
    assert command("kill", "-s", "SIGTERM", "a b\x1b") == "pilothouse kill -s SIGTERM 'a b␛'"


def test_what_nobody_foresaw_becomes_a_sentence_and_a_private_report(private_home: Path):
    try:
        raise KeyError("boom")
    except KeyError as error:
        sentence, hint = explain(error, "stopping web")
    assert "KeyError" in sentence
    report = Path(hint.removeprefix("report: "))
    assert "While: stopping web" in report.read_text()
    assert "Traceback" in report.read_text()
    assert report.stat().st_mode & 0o077 == 0


def test_a_report_that_cannot_be_written_does_not_hide_the_failure(tmp_path: Path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert write_report(ValueError("x"), "y", blocked / "reports") == ""


def test_what_is_remembered_comes_back_and_a_damaged_file_is_nothing():
    memory.path().unlink(missing_ok=True)
    assert memory.recall() == {}
    assert memory.remember(theme="light")
    assert memory.remember(other="1")
    assert memory.recall() == {"theme": "light", "other": "1"}
    memory.path().write_text("{")
    assert memory.recall() == {}


@pytest.mark.parametrize("text", ["[]", "null", "{"])
def test_a_file_that_is_no_memory_is_nothing(text: str):
    memory.path().parent.mkdir(parents=True, exist_ok=True)
    memory.path().write_text(text)
    assert memory.recall() == {}


@pytest.mark.parametrize("height", [6, 13])
def test_what_should_not_be_is_told_and_marked_in_the_graphs(height: int):
    history = History()
    for now in range(1, 20):
        troubles = {"throttled_periods": now, "oom_kills": now // 10}
        history.add(Stats("x", float(now), now * 0.1, 5 << 20, 8 << 20, 1, **troubles))
    limits = Resources(memory=8 << 20, cpus=0.1)
    options = RunOptions("x", resources=limits)
    container = Container("x", "x", "x", "x", ("x",), options, 0.0, State.RUNNING)
    lines = [
        "".join(text for text, _ in line) for line in graphs.lines(container, history, graphs.Window(), 80, height)
    ]
    text = "\n".join(lines)
    assert "throttled 19" in text
    assert "killed, OOM 1" in text
    assert text.count("t") > 10
    assert "✗" in text
    assert "8.0M" in lines[1 if height == 6 else 3]  # the scale ends at the limit
    assert all(len(line) <= 80 for line in lines)
