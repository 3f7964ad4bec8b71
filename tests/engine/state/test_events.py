"""The event stream: appended by anyone, followed from any point."""

# ruff: noqa: PTH118, PTH208
from __future__ import annotations

import os
import select
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from engine.errors import StoreError
from engine.state import events


@pytest.fixture
def journal(tmp_path: Path) -> str:
    return str(tmp_path / "events")


def test_a_reader_sees_what_was_appended_after_its_cursor(journal: str) -> None:
    events.append(journal, "container", "create", "c1", "web")
    since = events.cursor(journal)
    end = events.append(journal, "container", "die", "c1", "web", {"exitCode": "3"})
    with events.EventReader(journal, since) as reader:
        (event,) = reader.read()
    assert (event.action, event.id, event.name, event.attributes) == ("die", "c1", "web", {"exitCode": "3"})
    assert event.cursor == end == events.cursor(journal)


def test_a_reader_without_a_cursor_begins_now_and_its_descriptor_tells_of_news(journal: str) -> None:
    events.append(journal, "container", "create", "old")
    with events.EventReader(journal) as reader:
        assert reader.read() == []
        assert select.select([reader], [], [], 0)[0] == []
        events.append(journal, "container", "start", "new")
        assert select.select([reader], [], [], 5)[0] == [reader]
        assert [event.id for event in reader.read()] == ["new"]
        assert select.select([reader], [], [], 0)[0] == []


def test_threads_and_processes_append_without_losing_or_mixing_events(journal: str) -> None:
    program = f"from engine.state.events import append\nfor i in range(100): append({journal!r}, 'container', 'start', f'p{{i}}')"  # noqa: E501
    children = [subprocess.Popen([sys.executable, "-c", program], cwd=Path(__file__).parents[3]) for _ in range(2)]
    threads = [
        threading.Thread(target=lambda: [events.append(journal, "image", "pull", f"t{i}") for i in range(100)])
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [child.wait() for child in children] == [0, 0]
    with events.EventReader(journal, 0) as reader:
        ids = sorted(event.id for event in reader.read())
    assert ids == sorted([f"p{i}" for i in range(100)] * 2 + [f"t{i}" for i in range(100)] * 2)


def test_old_segments_are_dropped_and_a_reader_that_is_too_late_gets_the_oldest_kept(
    journal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "SEGMENT_BYTES", 500)
    monkeypatch.setattr(events, "KEPT_SEGMENTS", 3)
    with events.EventReader(journal) as follower:
        seen = []
        for number in range(100):
            events.append(journal, "container", "start", str(number))
            seen += follower.read()
    assert [int(event.id) for event in seen] == list(range(100))
    assert len([name for name in os.listdir(journal) if name != "lock"]) == 3
    with events.EventReader(journal, 0) as late:
        kept = [int(event.id) for event in late.read()]
    assert kept == list(range(kept[0], 100))
    assert 0 < kept[0] < 99


def test_the_torn_record_of_a_killed_writer_hurts_no_other(journal: str) -> None:
    events.append(journal, "container", "start", "one")
    (segment,) = [name for name in os.listdir(journal) if name != "lock"]
    with open(os.path.join(journal, segment), "ab") as file:
        file.write(b'{"time":1,"kind":"contai')
    with events.EventReader(journal, 0) as reader:
        assert [event.id for event in reader.read()] == ["one"]
        events.append(journal, "container", "start", "two")
        assert [event.id for event in reader.read()] == ["two"]


def test_a_cursor_of_a_root_that_was_wiped_begins_now(journal: str) -> None:
    events.append(journal, "container", "start", "one")
    with events.EventReader(journal, 1 << 40) as reader:
        assert reader.read() == []
        events.append(journal, "container", "start", "two")
        assert [event.id for event in reader.read()] == ["two"]


def test_a_journal_that_cannot_be_written_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot append to the event journal"):
        events.append(str(tmp_path / "file"), "container", "start", "one")


def test_appending_is_light_enough_for_the_monitor() -> None:
    program = (
        "import sys; before = set(sys.modules); import engine.state.events, engine.runtime.logfile\n"
        "heavy = {'asyncio','dataclasses','typing','logging','pathlib','ctypes','socket','threading'}\n"
        "print(sorted(heavy & (set(sys.modules) - before)))"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(root)!r})\n{program}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
