"""Finding one's way in a log: runs, marks, levels, opened lines, chosen lines."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from textual.widgets import Input

from engine.runtime.logfile import LogWriter
from engine.state import events
from tests.tui.logs.viewer import Viewer, numbered, shown, until
from tui.logs.chips import LevelChips
from tui.logs.context import Around
from tui.logs.layout import Look, Row, SpansOf, Standing, rows
from tui.logs.levels import inherited_level
from tui.logs.pattern import Pattern, Query
from tui.logs.scan import Scan
from tui.logs.searching import Searched
from tui.logs.source import Line, LogSource
from tui.logs.times import parse_time
from tui.logs.unfold import unfold


@pytest.fixture
def runs(tmp_path: Path, log: LogWriter) -> Path:
    """A container that ran twice, of 30 lines each, and runs a third time; where its log is."""
    journal = str(tmp_path / "journal")
    (tmp_path / "monitor.json").write_text(json.dumps({"journal": journal}))
    for number in range(3):
        events.append(journal, "container", "start", "c1", "web", {"image": "web:1"})
        numbered(log, 30, number * 30)
        if number < 2:
            events.append(journal, "container", "die", "c1", "web", {"exitCode": str(number)})
    return tmp_path / "log"


async def test_runs_are_set_apart_and_gone_to(runs: Path, log: LogWriter) -> None:
    async with Viewer().run_test(size=(60, 10)) as pilot:
        app = await shown(pilot, runs)
        await until(pilot, lambda: app.status.run == "run 3 of 3")
        await pilot.press("left_curly_bracket")
        assert app.screen_rows[0].startswith("── run 2 · exited 1 after ")
        assert app.screen_rows[1].startswith("── run 3 · started ")
        assert " · image web:1 ───" in app.screen_rows[1]
        assert app.screen_rows[2] == "  line 60"
        await pilot.press("left_curly_bracket")
        assert app.screen_rows[2] == "  line 30"
        assert app.status.run == "run 2 of 3"
        await pilot.press("left_curly_bracket")
        assert app.screen_rows[0].startswith("── run 1 · started ")
        assert app.screen_rows[1] == "  line 0"
        await pilot.press("right_curly_bracket", "right_curly_bracket")
        assert app.screen_rows[2] == "  line 60"
        await pilot.press("right_curly_bracket")
        assert app.status.mode == "FOLLOW"


async def test_while_one_follows_the_run_is_the_newest_whatever_stands_on_top(runs: Path, log: LogWriter) -> None:
    events.append(str(runs.parent / "journal"), "container", "die", "c1", "web", {"exitCode": "0"})
    events.append(str(runs.parent / "journal"), "container", "start", "c1", "web", {"image": "web:1"})
    numbered(log, 3, 90)
    async with Viewer().run_test(size=(60, 10)) as pilot:
        app = await shown(pilot, runs)
        await until(pilot, lambda: app.status.run == "run 4 of 4")
        assert app.screen_rows[0] == "  line 85"
        await pilot.press("k")
        await until(pilot, lambda: app.status.mode == "PAUSED")
        assert app.status.run == "run 3 of 4"
        await pilot.press("end")
        assert app.status.run == "run 4 of 4"


async def test_the_end_of_a_run_is_told_when_it_comes_and_hidden_lines_leave_their_separators(
    runs: Path, log: LogWriter
) -> None:
    async with Viewer().run_test(size=(60, 10)) as pilot:
        app = await shown(pilot, runs)
        await until(pilot, lambda: app.status.run == "run 3 of 3")
        numbered(log, 1, 90)
        journal = str(runs.parent / "journal")
        events.append(journal, "container", "die", "c1", "web", {"exitCode": "143"})
        events.append(journal, "container", "stop", "c1", "web")
        app.view.show("c1", "web", str(runs), "exit 143")
        await until(pilot, lambda: app.screen_rows[-1].startswith("── run 3 · exited 143, stopped after "))
        assert app.screen_rows[-2] == "  line 90"
        await pilot.press("ampersand", *"line [48]5$", "enter")
        await until(pilot, lambda: app.status.filter == "&line [48]5$: 2")
        kinds = [row[:19].strip("─ ") for row in app.screen_rows if row]
        assert kinds == [
            "run 1 · started",
            "run 1 · exited 0",
            "run 2 · started",
            "line 45",
            "run 2 · exited 1",
            "run 3 · started",
            "line 85",
            "run 3 · exited 1",
        ]
        await pilot.press("c")
        assert app.clipboard == "line 45\nline 85"


async def test_marks_are_set_and_gone_to_in_turn(tmp_path: Path, log: LogWriter) -> None:
    numbered(log, 200)
    async with Viewer().run_test(size=(40, 10)) as pilot:
        app = await shown(pilot, tmp_path / "log")
        await pilot.press("apostrophe")
        assert app.said == ["No line is marked: press m on one"]
        await pilot.press("m", "g", "m", "pagedown", "apostrophe")
        assert " ◆line 199" in app.screen_rows
        assert sum(app.view.body.render_line(y).text[-1] == "◆" for y in range(10)) == 2
        await pilot.press("apostrophe")
        assert app.screen_rows[0] == " ◆line 0"
        await pilot.press("m", "apostrophe", "apostrophe")
        assert " ◆line 199" in app.screen_rows
        numbered(log, 50, 200)
        await until(pilot, lambda: app.status.new == 50)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("E", ["ERROR a", '{"level":"error","m":1}', "E0102 10:00:00 x", "\x1b[31mFATAL\x1b[0m y"]),
        ("W", ["2026 warning: b"]),
        ("I", ["[I] note", "level=info c"]),
        ("D", ['{"level":20}']),
        ("WD", ["2026 warning: b", '{"level":20}']),
    ],
)
async def test_levels_are_shown_alone_or_together(
    tmp_path: Path, log: LogWriter, keys: str, expected: list[str]
) -> None:
    texts = ["ERROR a", "2026 warning: b", '{"level":"error","m":1}', "[I] note", "GET /error 200", "level=info c"]
    texts += ['{"level":20}', "E0102 10:00:00 x", "\x1b[31mFATAL\x1b[0m y", "--debug was given"]
    log.write("stdout", "\n".join([*texts, ""]).encode())
    async with Viewer().run_test(size=(60, 14)) as pilot:
        app = await shown(pilot, tmp_path / "log")
        await pilot.press(*keys)
        wanted = [text.replace("\x1b[31m", "").replace("\x1b[0m", "") for text in expected]
        await until(pilot, lambda: app.texts == wanted)
        assert app.status.filter == "".join(f"[{key}]" for key in "EWID" if key in keys) + f": {len(expected)}"
        await pilot.press(*keys)
        await until(pilot, lambda: len(app.texts) == len(texts))


async def test_the_lines_of_a_stack_trace_have_the_level_of_its_head(tmp_path: Path, log: LogWriter) -> None:
    trace = ["ERROR pool timeout", "    at Pool.acquire (/app/info.js:45:11)", "Caused by: java.io.Timeout: debug"]
    log.write("stderr", "\n".join(["ready", *trace, ""]).encode())
    log.write("stdout", b"INFO out\n")
    log.write("stderr", b"\t... 12 more\nINFO served\n  with these words\n  WARN: its own\n")
    python = [
        "Traceback (most recent call last):",
        '  File "x.py", line 1, in <module>',
        "    raise info",
        "OSError: no",
    ]
    log.write("stderr", "\n".join([*python, "x" * 40_000, ""]).encode())
    log.write("stderr", b"ERROR " + b"y" * 40_000 + b"\n    at the.end\n")
    async with Viewer().run_test(size=(60, 30)) as pilot:
        app = await shown(pilot, tmp_path / "log")
        await pilot.press("w", "W")
        await until(pilot, lambda: app.texts == ["  WARN: its own", *python])
        await pilot.press("W", "I")
        await until(pilot, lambda: app.texts == ["INFO out", "INFO served", "  with these words"])
        await pilot.press("I", "E")
        wanted = [*trace, "        ... 12 more", "ERROR " + "y" * 51, "    at the.end"]
        await until(pilot, lambda: app.texts == wanted)


def test_a_trace_that_nobody_announced_is_an_error() -> None:
    assert inherited_level(b"Traceback (most recent call last):", lambda: "I") == "E"
    assert inherited_level(b"Traceback (most recent call last):", lambda: "W") == "W"
    assert inherited_level(b"  error: its own", lambda: "I") == "E"
    assert inherited_level(b"    raise error", lambda: "I") == "I"
    assert inherited_level(b"ValueError: x", lambda: "E") == "E"
    assert inherited_level(b"served", lambda: "E") == ""


async def test_the_chips_stand_in_the_row_of_the_filter(tmp_path: Path, log: LogWriter) -> None:
    log.write("stdout", b"ERROR 1\nINFO 1\nERROR 2\nINFO 2\n")
    async with Viewer().run_test(size=(60, 12)) as pilot:
        app = await shown(pilot, tmp_path / "log")
        chips = app.view.query_one(LevelChips)
        assert not chips.display
        await pilot.press("ampersand")
        assert str(chips.render()).split() == ["Level:", "[E]rror", "[W]arn", "[I]nfo", "[D]ebug", "[C]ontext", "0"]
        await pilot.press("1", "alt+e")
        await until(pilot, lambda: app.texts == ["ERROR 1"])
        assert "✓[E]rror" in str(chips.render())
        await pilot.click(chips, offset=(10, 0))
        await pilot.click(chips, offset=(28, 0))
        await until(pilot, lambda: app.texts == ["INFO 1"])
        await pilot.press("enter", "escape")
        await until(pilot, lambda: len(app.texts) == 4)
        assert not chips.display


async def test_lines_around_those_of_the_filter_are_shown_searched_chosen_and_saved(
    tmp_path: Path, log: LogWriter
) -> None:
    log.write("stdout", b"".join(b"%s %d\n" % (b"hit" if n in (3, 5, 50) else b"line", n) for n in range(100)))
    async with Viewer().run_test(size=(60, 12)) as pilot:
        app = await shown(pilot, tmp_path / "log")
        await pilot.press("C")
        assert app.said == ["Nothing is filtered: press & or choose levels first"]
        await pilot.press("ampersand", *"hit", "alt+x", "enter")
        around = ["line 2", "hit 3", "line 4", "hit 5", "line 6", "line 49", "hit 50", "line 51"]
        await until(pilot, lambda: app.texts == around)
        await until(pilot, lambda: app.status.filter == "&hit ±1: 3")
        chips = app.view.query_one(LevelChips)
        assert " [C]ontext 1 " in str(chips.render())
        log.write("stdout", b"hit 100\nline 101\nline 102\n")
        await until(pilot, lambda: app.texts[-3:] == ["line 99", "hit 100", "line 101"])
        await pilot.press("g", "slash", *"line 5", "enter", "n", "n")
        await until(pilot, lambda: app.status.matches == "1/9")  # of those that are shown, the only one
        await pilot.press("escape", "f", "v", "g", "c")
        assert app.clipboard.splitlines() == [*around, "line 99", "hit 100", "line 101"]
        await pilot.press("S")
        app.view.prompt.query_one(Input).value = str(tmp_path / "saved.log")
        await pilot.press("enter")
        await until(pilot, lambda: app.said[-1].startswith("Saved 11 lines"))
        await pilot.press("C", "f")
        assert app.texts[-4:] == ["line 99", "hit 100", "line 101", "line 102"]
        await pilot.press("g")
        assert app.texts[:2] == ["line 1", "line 2"]
        await pilot.click(chips, offset=(52, 0))
        await pilot.press("g")
        assert app.texts[:2] == ["line 0", "line 1"]
        await pilot.press("escape")
        assert len(app.texts) == 12 and not chips.display


@pytest.mark.parametrize("count", [1, 2, 7])
def test_lines_around_matches_are_the_same_from_every_line(tmp_path: Path, log: LogWriter, count: int) -> None:
    hits = (0, 3, 5, 20, 33, 59)
    log.write("stdout", b"".join(b"%s\n" % (b"hit" if number in hits else b"dull") for number in range(60)))
    source = LogSource(str(tmp_path / "log"))
    scan = Scan(Pattern(Query("hit")), source.end)
    scan.run(source.segments, lambda: False, lambda: None)
    around = Around(source, scan, count)
    places = [line.position for line in source.lines_from(0, 60)]
    near = [at for number, at in enumerate(places) if any(abs(number - hit) <= count for hit in hits)]
    for at in [*places, source.end]:
        assert list(around.from_position(at)) == [place for place in near if place >= at]
        assert list(around.before_position(at)) == [place for place in near if place < at][::-1]
    source.close()


async def test_a_match_that_the_filter_hides_is_not_taken_for_one_on_the_screen(tmp_path: Path, log: LogWriter) -> None:
    numbered(log, 100)
    async with Viewer().run_test(size=(40, 5)) as pilot:
        app = await shown(pilot, tmp_path / "log")
        await pilot.press("ampersand", *"0$", "enter")
        await until(pilot, lambda: app.texts == [f"line {n}" for n in (50, 60, 70, 80, 90)])
        await pilot.press("slash", "1", "enter")
        await until(pilot, lambda: app.status.matches == "2/19")
        assert any(row.startswith("line 10 ") for row in app.texts)


async def test_lines_are_chosen_by_keys_and_copied(
    tmp_path: Path, log: LogWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbered(log, 100)
    program = tmp_path / "wl-copy"
    program.write_text(f"#!/bin/sh\ncat > {tmp_path}/copied.part && mv {tmp_path}/copied.part {tmp_path}/copied\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    async with Viewer().run_test(size=(40, 10)) as pilot:
        app = await shown(pilot, tmp_path / "log")
        await pilot.press("v", "k", "up")
        assert app.status.mode == "SELECT 3 lines"
        numbered(log, 10, 100)
        await pilot.press("c")
        assert app.clipboard == "line 97\nline 98\nline 99"
        assert app.said == ["Copied 3 lines"]
        await until(pilot, (tmp_path / "copied").exists)
        assert (tmp_path / "copied").read_text() == app.clipboard
        assert app.status.mode == "PAUSED"
        await pilot.press("g", "v", "G", "enter")
        assert app.clipboard.splitlines() == [f"line {n}" for n in range(110)]
        await pilot.press("f", "v", "pageup", "j", "escape")
        assert app.status.mode == "PAUSED"
        assert app.view.body.lines.chosen is None


async def test_enter_spreads_json_and_folds_it_again(tmp_path: Path, log: LogWriter) -> None:
    log.write("stdout", b'first\n{"level":"info","n":1.50,"list":[1,{"a":"\\u001b[2J{"}],"none":{}}\nlast\n')
    async with Viewer().run_test(size=(100, 16)) as pilot:
        app = await shown(pilot, tmp_path / "log")
        folded = app.texts
        await pilot.press("enter")
        assert app.texts == [
            "first",
            "{",
            '  "level": "info",',
            '  "n": 1.50,',
            '  "list": [',
            "    1,",
            "    {",
            '      "a": "\\u001b[2J{"',
            "    }",
            "  ],",
            '  "none": {}',
            "}",
            "last",
        ]
        await pilot.press("enter")
        assert app.texts == folded
        await pilot.click(app.view.body, offset=(5, 2))
        assert app.screen_rows[2] == " ▸last"
        await pilot.press("enter")
        assert app.texts == folded


@pytest.mark.parametrize(
    "text", ["", "plain", "[12:00] hello", "{}", '{"a": 1} and more', "}", "[1, 2", "[1] " * 32 + '{"a": 1}']
)
def test_what_is_no_json_is_not_spread(text: str) -> None:
    assert unfold(text) == []


def test_words_before_json_stay() -> None:
    assert unfold("took [3, 4] got [5]") == ["took [3, 4] got", "[", "  5", "]"]
    assert unfold('[12:00] got {"a":[]}') == ["[12:00] got", "{", '  "a": []', "}"]


async def test_a_match_is_marked_on_the_bar_where_it_is(tmp_path: Path, log: LogWriter) -> None:
    log.write("stdout", b"".join(b"%s\n" % (b"hit" if number == 500 else b"dull") for number in range(1000)))
    async with Viewer().run_test(size=(40, 11)) as pilot:
        app = await shown(pilot, tmp_path / "log")
        await pilot.press("g", "slash")
        app.view.prompt.query_one(Input).value = "hit"
        await until(pilot, lambda: app.status.matches == "1")
        assert [app.view.body.render_line(y).text[-1] for y in range(10)].index("┼") in (4, 5)


def test_a_time_of_day_that_is_yet_to_come_was_yesterday() -> None:
    now = time.mktime((2026, 1, 31, 12, 0, 0, 0, 0, -1))
    assert parse_time("11:30", now) == now - 1800
    assert parse_time("12:30:00", now) == now + 1800 - 86_400
    assert parse_time("2026-02-01 00:00", now) == now + 43_200
    assert parse_time("-90s", now) == now - 90
    assert parse_time("soon", now) is parse_time("", now) is None


async def test_a_long_line_that_is_open_is_laid_out_by_a_thread(
    tmp_path: Path, log: LogWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[int] = []

    def watched(line: Line, look: Look, spans_of: SpansOf, standing: Standing, now: float) -> Sequence[Row]:
        if standing.opened:
            threads.append(threading.get_ident())
        return rows(line, look, spans_of, standing, now)

    monkeypatch.setattr("tui.logs.shown.rows", watched)
    words = "".join(f"grün {number:06} " for number in range(3000))
    log.write("stdout", f"{words}\n".encode())
    async with Viewer().run_test(size=(43, 120)) as pilot:
        app = await shown(pilot, tmp_path / "log")
        await pilot.press("g")
        folded = app.screen_rows
        app.view.action_open_line()
        assert [row.replace("▸", " ") for row in app.screen_rows] == folded  # until the thread has been
        await until(pilot, lambda: not any("more, Enter" in row for row in app.screen_rows))
        assert words.replace(" ", "").startswith("".join(app.texts).replace(" ", ""))
        for width in (83, 31):
            await pilot.resize_terminal(width, 120)
            await until(pilot, lambda width=width: 0 < width - max(map(len, app.screen_rows)) < 17)
        await pilot.press("t", "t", "t", "m")
        await until(pilot, lambda: "ago" in app.screen_rows[0] and "◆" in app.screen_rows[0])
        assert len(threads) >= 5
        assert threading.get_ident() not in threads


async def test_a_long_line_that_is_open_scrolls_sideways(tmp_path: Path, log: LogWriter) -> None:
    text = "".join(f"{number:06}ü " for number in range(3000))
    log.write("stdout", f"{text}\n".encode())
    async with Viewer().run_test(size=(43, 5)) as pilot:
        app = await shown(pilot, tmp_path / "log")
        await pilot.press("w", "enter")
        app.view.body.sideways(16_002)
        await until(pilot, lambda: app.screen_rows[0] == text[16_000:16_042].rstrip())
        app.view.body.sideways(4_000)
        assert app.screen_rows[0] == text[20_000:20_042].rstrip()


async def test_a_viewer_that_is_taken_away_while_a_long_line_is_laid_out_is_done_with_it(
    tmp_path: Path, log: LogWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, made = threading.Event(), threading.Event()

    def late(line: Line, look: Look, spans_of: SpansOf, standing: Standing, now: float) -> Sequence[Row]:
        if standing.opened:
            gone.wait()
            made.set()
        return rows(line, look, spans_of, standing, now)

    monkeypatch.setattr("tui.logs.shown.rows", late)
    log.write("stdout", "ü".encode() * 50_000 + b"\n")
    async with Viewer().run_test(size=(40, 5)) as pilot:
        app = await shown(pilot, tmp_path / "log")
        view = app.view
        view.action_open_line()
        await pilot.pause()
        await view.remove()
        view.body._stale = False  # whatever was asked for before
        gone.set()
        await asyncio.to_thread(made.wait)
        await pilot.pause()
        assert not view.body._stale  # nothing asked for a paint any more


async def test_news_for_a_viewer_that_is_being_taken_away_is_dropped(tmp_path: Path, log: LogWriter) -> None:
    numbered(log, 100)
    async with Viewer().run_test(size=(40, 5)) as pilot:
        app = await shown(pilot, tmp_path / "log")
        view = app.view
        await pilot.press("slash", *"line", "enter", "f")
        await until(pilot, lambda: app.status.matches == "100")
        news = (view._following.take_news, lambda: view.on_log_view_searched(Searched()))
        await view.body.remove()  # children go first
        numbered(log, 10, 100)
        for each in news:
            each()
        await view.remove()
        for each in news:
            each()
