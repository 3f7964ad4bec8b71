"""The runs of a container as the event journal tells of them."""

from __future__ import annotations

from pathlib import Path

from engine.logs.runs import runs
from engine.state import events


def test_each_start_begins_a_run_and_each_death_ends_one(tmp_path: Path) -> None:
    journal = str(tmp_path)
    for id, action, attributes in (
        ("c1", "create", {}),
        ("c1", "start", {"image": "web:1"}),
        ("c2", "start", {"image": "other"}),
        ("c1", "oom", {}),
        ("c1", "die", {"exitCode": "137"}),
        ("c1", "start", {"image": "web:1"}),
        ("c2", "die", {"exitCode": "1"}),
        ("c1", "die", {"exitCode": "143"}),
        ("c1", "stop", {}),
        ("c1", "start", {"image": "web:1"}),
    ):
        events.append(journal, "container", action, id, "web", attributes)
    first, second, third = runs(journal, "c1")
    assert (first.number, first.exit_code, first.oom_killed, first.stopped, first.image) == (
        1,
        137,
        True,
        False,
        "web:1",
    )
    assert (second.exit_code, second.oom_killed, second.stopped) == (143, False, True)
    assert first.started < first.ended < second.started < second.ended < third.started
    assert (third.number, third.ended) == (3, 0.0)
    assert runs(journal, "c3") == runs(str(tmp_path / "none"), "c1") == []


def test_a_run_whose_start_was_dropped_from_the_journal_is_known_by_its_end(tmp_path: Path) -> None:
    events.append(str(tmp_path), "container", "die", "c1", "web", {"exitCode": "3"})
    (run,) = runs(str(tmp_path), "c1")
    assert (run.started, run.exit_code) == (0.0, 3)
    assert run.ended > 0


def test_how_long_a_run_went_on_is_what_its_monitor_measured(tmp_path: Path) -> None:
    for attributes in ({"exitCode": "0", "ran": "0.004200000"}, {"exitCode": "0"}, {"exitCode": "0", "ran": "?"}):
        events.append(str(tmp_path), "container", "start", "c1", "web")
        events.append(str(tmp_path), "container", "die", "c1", "web", attributes)
    told, *untold = runs(str(tmp_path), "c1")
    assert told.lasted == 0.0042
    assert [run.lasted for run in untold] == [run.ended - run.started for run in untold]
