"""Several logs as one, by time."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from engine.logs.records import nanoseconds, stamp, stamp_of
from engine.runtime.logfile import LogWriter
from engine.state import events
from tests.tui.logs.viewer import EPOCH, Viewer, until
from tui.logs.merged import MergedSource
from tui.logs.source import LogSource


def write(directory: Path, name: str, times: list[int]) -> None:
    directory.mkdir()
    (directory / "container.log").write_bytes(
        b"".join(stamp_of(when) + f" stdout F {name} {when}\n".encode() for when in times)
    )


@pytest.fixture
def logs(tmp_path: Path) -> list[Path]:
    """Three logs of 3,000 lines in all; many of the same time."""
    chance = random.Random(3)
    for name in "abc":
        write(tmp_path / name, name, sorted(EPOCH * 10**9 + chance.randrange(900) for _ in range(1000)))
    return [tmp_path / name for name in "abc"]


def test_times_keep_every_digit() -> None:
    assert stamp_of(nanoseconds(b"2026-01-31T14:03:18.123456789Z")) == b"2026-01-31T14:03:18.123456789Z"
    assert nanoseconds(b"torn") == 0


def test_merged_lines_are_the_same_from_both_ends_and_from_any_line(logs: list[Path]) -> None:
    source = MergedSource([LogSource(str(log)) for log in logs])
    forward, position = [], source.start
    while lines := source.lines_from(position, 70):
        forward += lines
        position = lines[-1].end
    assert len(forward) == 3000
    assert [line.position for line in forward] == sorted({line.position for line in forward})
    assert [line.stamp for line in forward] == sorted(line.stamp for line in forward)
    backward, position = [], source.end + 1
    while lines := source.lines_before(position, 70):
        backward = lines + backward
        position = lines[0].position
    assert backward == forward
    fresh = MergedSource(source.parts)
    for at in random.Random(1).sample(range(2999), 60):
        assert fresh.lines_from(forward[at].position, 2) == forward[at : at + 2]
        assert fresh.lines_from(forward[at].end, 1) == [forward[at + 1]]
        assert fresh.lines_before(forward[at + 1].position, 1) == [forward[at]]
        assert fresh.line(forward[at].position) == forward[at]
        first = next(line for line in forward if line.stamp == forward[at].stamp)
        assert fresh.time_position(forward[at].stamp) == first.position
    assert fresh.time_position(stamp(EPOCH + 1000)) == fresh.end
    source.close()


async def test_marked_containers_are_shown_as_one_named_and_coloured(tmp_path: Path) -> None:
    second = 10**9
    write(tmp_path / "web", "web", [(EPOCH + n) * second for n in range(0, 100, 2)])
    write(tmp_path / "db", "db", [(EPOCH + n) * second for n in range(1, 100, 2)])
    containers = [(name, name, str(tmp_path / name)) for name in ("web", "db")]
    async with Viewer().run_test(size=(50, 8)) as pilot:
        app: Viewer = pilot.app  # type: ignore[assignment]
        app.view.body.time_mode = "off"
        app.view.show("web", "web", str(tmp_path / "web"))
        app.view.focus_log()
        await pilot.press("M")
        assert app.merges == 1
        app.view.show_merged(containers[:1])
        assert app.said == ["Mark two or more containers first: Space, in the list"]
        app.view.show_merged(containers)
        await pilot.pause()
        assert app.screen_rows[-2:] == [
            f"web   web {(EPOCH + 98) * second}",
            f"db    db {(EPOCH + 99) * second}",
        ]
        names = {segment.text: segment.style for y in (6, 7) for segment in app.view.body.render_line(y)}
        assert names["web "].color != names["db  "].color
        app.view.show("web", "web", str(tmp_path / "web"))
        assert app.view.merged
        LogWriter(str(tmp_path / "web")).write("stdout", b"news\n")
        await until(pilot, lambda: app.screen_rows[-1] == "web   news")
        assert app.status.merged == 2
        await until(pilot, lambda: app.status.lines == 101)
        await pilot.press("ampersand", *"0{9}$", "enter")
        await until(pilot, lambda: app.status.filter == "&0{9}$: 100")
        await pilot.press("g", "slash", *"db", "enter", "n")
        await until(pilot, lambda: app.status.matches == "1/50")
        await pilot.press("j", "k", "pagedown", "pageup", "apostrophe", "m", "v", "j", "c")
        assert len(app.clipboard.splitlines()) == 2
        await pilot.press("M")
        await until(pilot, lambda: app.status.merged == 0)
        assert app.screen_rows[-1] == "  news"


async def test_runs_of_merged_logs_are_set_apart_by_name_and_colour(tmp_path: Path) -> None:
    journal = str(tmp_path / "journal")
    logs = {name: LogWriter(str(tmp_path / name / "log")) for name in ("web", "db")}
    for name, log in logs.items():
        (tmp_path / name / "monitor.json").write_text(json.dumps({"journal": journal}))
        events.append(journal, "container", "start", f"id-{name}", name, {"image": f"{name}:1"})
        log.write("stdout", name.encode() + b" begins\n")
    events.append(journal, "container", "die", "id-web", "web", {"exitCode": "3"})
    containers = [(f"id-{name}", name, str(tmp_path / name / "log")) for name in logs]
    async with Viewer().run_test(size=(70, 12)) as pilot:
        app: Viewer = pilot.app  # type: ignore[assignment]
        app.view.body.time_mode = "off"
        app.view.show(*containers[0])
        app.view.focus_log()
        app.view.show_merged(containers)

        def shown_rows() -> list[str]:
            return [" ".join(row.split(" · ")[:2]) for row in app.screen_rows if row]

        begun = ["── web run 1", "web   web begins", "── db run 1", "db    db begins", "── web run 1"]
        await until(pilot, lambda: shown_rows() == begun)
        assert "web · run 1 · exited 3 after" in app.screen_rows[4]
        assert "db · run 1 · started" in app.screen_rows[2]
        colours = {y: app.view.body.render_line(y)._segments[0].style.color for y in (0, 1, 2, 4)}
        assert colours[0] == colours[1] == colours[4] != colours[2]
        logs["db"].write("stdout", b"db goes on\n")
        await until(pilot, lambda: shown_rows() == [*begun, "db    db goes on"])
        events.append(journal, "container", "start", "id-web", "web", {"image": "web:1"})
        logs["web"].write("stdout", b"web again\n")
        app.view.show(*containers[0])
        more = ["db    db goes on", "── web run 2", "web   web again"]
        await until(pilot, lambda: shown_rows() == [*begun, *more])
        assert app.status.run == ""
        await pilot.resize_terminal(70, 5)
        await pilot.press("g", "right_curly_bracket")
        assert shown_rows()[0] == "── db run 1"
        await pilot.press("ampersand", *"again", "enter")
        await until(pilot, lambda: shown_rows()[-2:] == more[1:])
