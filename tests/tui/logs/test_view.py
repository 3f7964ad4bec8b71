"""The log viewer on real log files, by its keys."""

# ruff: noqa: PTH208
from __future__ import annotations

import os
import re
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from textual.widgets import Input

from engine.logs.records import stamp
from engine.runtime.logfile import LogWriter
from tests.tui.logs.viewer import EPOCH, Viewer, numbered, shown, until
from tui.logs.chips import LevelChips
from tui.logs.keys import LOG_KEYS
from tui.logs.pattern import Pattern, Query
from tui.logs.scan import Scan
from tui.logs.view import LogView


async def test_it_opens_at_the_end_and_follows(tmp_path: Path, log: LogWriter) -> None:
    numbered(log, 100)
    async with Viewer().run_test(size=(40, 10)) as pilot:
        app = await shown(pilot, tmp_path / "log")
        assert app.texts == [f"line {number}" for number in range(90, 100)]
        numbered(log, 3, 100)
        await until(pilot, lambda: app.texts[-1] == "line 102")
        assert app.status is not None
        await until(pilot, lambda: app.status.lines == 103)
        assert app.status.text.startswith("FOLLOW  wrap  103 lines")


async def test_scrolling_up_pauses_and_says_how_many_came_meanwhile(tmp_path: Path, log: LogWriter) -> None:
    numbered(log, 50)
    async with Viewer().run_test(size=(40, 10)) as pilot:
        app = await shown(pilot, tmp_path / "log")
        await pilot.press("up", "k")
        assert app.texts == [f"line {number}" for number in range(38, 48)]
        numbered(log, 104, 50)
        await until(pilot, lambda: app.status.new == 104)
        assert app.texts[0] == "line 38"
        assert (app.status.mode, app.status.text[-9:]) == ("PAUSED", "▼ 104 new")
        await pilot.press("f")
        assert app.texts[-1] == "line 153"
        assert (app.status.mode, app.status.new) == ("FOLLOW", 0)
        await pilot.press("g")
        assert app.texts == [f"line {number}" for number in range(10)]
        await pilot.press("pagedown", "j")
        assert app.texts[0] == "line 10"
        await pilot.press("pageup", "pageup")
        assert app.texts[0] == "line 0"
        for _ in range(20):
            await pilot.press("pagedown")
        assert app.status.mode == "FOLLOW"


async def test_lines_that_were_seen_are_not_new_however_one_leaves_the_end(tmp_path: Path, log: LogWriter) -> None:
    numbered(log, 1000)
    async with Viewer().run_test(size=(60, 10)) as pilot:
        app = await shown(pilot, tmp_path / "log")
        await pilot.press("m", "f")
        came = 1000

        async def leave(*keys: str) -> None:
            nonlocal came
            numbered(log, 5, came)
            came += 5
            await until(pilot, lambda: app.status.lines == came)
            if keys:
                await pilot.press(*keys)
            else:
                await pilot.mouse_down(app.view.body, offset=(59, 0))
                await pilot.mouse_up(app.view.body, offset=(59, 0))
            assert (app.status.mode, app.status.new) == ("PAUSED", 0)
            numbered(log, 2, came)
            came += 2
            await until(pilot, lambda: app.status.new == 2)
            await pilot.press("f")

        for keys in ((), ("apostrophe",), ("pageup",), ("g",), ("at", *"2001-01-01", "enter")):
            await leave(*keys)
        await pilot.press("slash", *"line 5", "enter", "f")
        await leave("N")


async def test_an_ended_container_says_how_and_an_empty_log_says_so(tmp_path: Path, log: LogWriter) -> None:
    async with Viewer().run_test(size=(60, 5)) as pilot:
        app = await shown(pilot, tmp_path / "log")
        assert app.screen_rows[0] == "web has written nothing yet"
        log.write("stdout", b"done\n")
        await until(pilot, lambda: app.texts == ["done"])
        app.view.show("c1", "web", str(tmp_path / "log"), "exit 0")
        await until(pilot, lambda: app.status.mode == "ENDED (exit 0)")
        app.view.show("c2", "other", str(tmp_path / "nowhere"))
        await pilot.pause()
        assert app.screen_rows[0] == "other has written nothing yet"
        app.view.clear("No container selected")
        await pilot.pause()
        assert app.screen_rows[0] == "No container selected"
        await pilot.press("E")
        assert app.said == ["No log is shown: select a container first"]
        assert not app.view.query_one(LevelChips).display


async def test_levels_and_the_row_below_go_with_the_log(tmp_path: Path, log: LogWriter) -> None:
    numbered(log, 3)
    async with Viewer().run_test(size=(60, 8)) as pilot:
        app = await shown(pilot, tmp_path / "log")
        await pilot.press("E", "slash")
        assert app.view.query_one(LevelChips).display
        app.view.clear("No container selected")
        await pilot.pause()
        assert (app.view.query_one(LevelChips).display, app.view.prompt.is_open) == (False, False)
        assert app.focused is app.view.body


async def test_long_lines_wrap_under_their_text_or_scroll_sideways(tmp_path: Path, log: LogWriter) -> None:
    log.write("stderr", b"alpha beta gamma delta epsilon zeta\n")
    async with Viewer().run_test(size=(23, 6)) as pilot:
        app = await shown(pilot, tmp_path / "log")
        assert app.screen_rows[:2] == ["┆ alpha beta gamma", "┆ delta epsilon zeta"]
        await pilot.press("w")
        assert app.screen_rows[:2] == ["┆ alpha beta gamma del", ""]
        await pilot.press("right")
        assert app.screen_rows[0].startswith("beta gamma delta")
        await pilot.press("left", "w", "t")
        assert app.screen_rows[0].split()[1] == "┆"


async def test_four_ways_to_show_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    (tmp_path / "container.log").write_bytes(b"2026-01-31T14:03:18.123456789Z stdout F hello\n")
    async with Viewer().run_test(size=(60, 5)) as pilot:
        app = await shown(pilot, tmp_path)
        rows = []
        for _ in range(4):
            rows.append(app.screen_rows[0])
            await pilot.press("t")
    assert rows[:3] == ["  hello", "14:03:18   hello", "2026-01-31 14:03:18.123   hello"]
    assert "ago" in rows[3]


async def test_ages_grow_and_a_log_that_comes_to_be_is_shown_with_nobody_at_the_keys(tmp_path: Path) -> None:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() - 7)) + ".000000000Z"
    async with Viewer().run_test(size=(60, 5)) as pilot:
        app = await shown(pilot, tmp_path / "log")
        await pilot.pause()
        (tmp_path / "log").mkdir()
        (tmp_path / "log" / "container.log").write_text(f"{stamp} stdout F hello\n")
        await until(pilot, lambda: "hello" in app.screen_rows[0])
        await pilot.press("t", "t", "t")
        first = app.screen_rows[0]
        assert "ago" in first
        await until(pilot, lambda: "ago" in app.screen_rows[0] and app.screen_rows[0] != first)


async def test_colours_are_kept_and_everything_else_is_neutralised(tmp_path: Path, log: LogWriter) -> None:
    log.write("stdout", b"\x1b[31mred\x1b[0m \x1b[2Jx\x1b]0;t\x07 \xff\x07\ttab\n10%\r50%\r100%\n")
    log.write("stdout", "日本語 🚀\n".encode())
    async with Viewer().run_test(size=(40, 5)) as pilot:
        app = await shown(pilot, tmp_path / "log")
        assert app.texts == ["red x \\xff␇     tab", "100%", "日本語 🚀"]
        red = next(segment for segment in app.view.body.render_line(0) if segment.text == "red")
        assert red.style is not None
        assert red.style.color is not None
        assert red.style.color.number == 1


@pytest.mark.parametrize(
    "text",
    [
        "👨‍👩‍👧‍👦" * 20,
        "🇩🇪" * 20,
        "❤️" * 30,
        "1️⃣" * 30,
        "👍🏽" * 20,
        "e\u0301" * 50,
        "日本" * 20,
        "x❤️" * 15,
        "\u200d\ufe0f" * 9,
    ],
)
async def test_what_terminals_draw_as_one_is_never_cut_or_lost(tmp_path: Path, log: LogWriter, text: str) -> None:
    log.write("stdout", f"{text}|\n".encode())
    async with Viewer().run_test(size=(20, 8)) as pilot:
        app = await shown(pilot, tmp_path / "log")
        assert "".join(app.texts) == f"{text}|"
        for y, row in enumerate(app.texts):
            assert cell_len(row) <= 17, (y, row)
            assert row[0] not in "\u0301\ufe0f🏽🇪" or row == text + "|"


async def test_tabs_stand_at_every_eighth_column_whatever_is_before_them(tmp_path: Path, log: LogWriter) -> None:
    log.write("stdout", "a\t\x1b[31mred\x1b[0m\t日本\t❤️❤️\t👨‍👩‍👧\tend\n".encode())
    async with Viewer().run_test(size=(70, 3)) as pilot:
        app = await shown(pilot, tmp_path / "log")
        await pilot.press("slash", *"end")
        await until(pilot, lambda: app.status.matches == "1")
        cells = {word: cell_len(app.texts[0].split(word)[0]) for word in ("red", "日", "❤️", "👨", "end")}
        assert cells == {"red": 8, "日": 16, "❤️": 24, "👨": 32, "end": 40}

        def marked() -> set[str]:
            return {part.text for part in app.view.body.render_line(0) if part.style and part.style.underline}

        await until(pilot, lambda: marked() == {"end"})


async def test_a_line_of_megabytes_is_folded_and_unfolded(tmp_path: Path, log: LogWriter) -> None:
    log.write("stdout", b"before\n" + b"x" * 3_000_000 + b"\nafter\n")
    async with Viewer().run_test(size=(200, 100)) as pilot:
        app = await shown(pilot, tmp_path / "log")
        assert app.texts[0] == "before"
        assert app.texts[-1] == "after"
        assert any("MB more, Enter" in row for row in app.screen_rows)
        await pilot.press("enter")
        await until(pilot, lambda: app.texts[-1] != "after")
        assert len(app.texts) == 100
        assert set("".join(app.texts[1:])) <= {"x", " ", "▸"}
        assert app.status.mode == "PAUSED"
        await pilot.press("enter")
        assert any("MB more, Enter" in row for row in app.screen_rows)
        assert app.texts[-1] == "after"


async def test_search_counts_marks_and_steps_through_matches(tmp_path: Path, log: LogWriter) -> None:
    log.write("stdout", b"".join(b"%s %d\n" % (b"Pool timeout" if n % 100 == 7 else b"fine", n) for n in range(1000)))
    async with Viewer().run_test(size=(60, 10)) as pilot:
        app = await shown(pilot, tmp_path / "log")
        await pilot.press("slash", *"pool timeout")
        await until(pilot, lambda: app.status.matches == "10")
        assert app.status.mode == "FOLLOW"
        await pilot.press("enter")
        await until(pilot, lambda: app.status.matches == "10/10")
        assert any(re.fullmatch("Pool timeout 907 +◀ match 10/10", row) for row in app.texts)
        await pilot.press("N")
        assert any(re.fullmatch("Pool timeout 807 +◀ match 9/10", row) for row in app.texts)
        assert app.status.matches == "9/10"
        await pilot.press("n", "n")
        assert app.status.matches == "1/10"
        assert "Search goes on from the beginning" in app.said
        styles = {
            str(segment.style)
            for y in range(8)
            for segment in app.view.body.render_line(y)
            if "Pool timeout" in segment.text
        }
        assert any("bold" in style for style in styles)
        log.write("stdout", b"another pool timeout\n")
        await until(pilot, lambda: app.status.matches == "1/11")
        await pilot.press("escape")
        assert app.status.matches == ""
        await pilot.press("n")
        assert "Nothing is searched for: press / first" in app.said


@pytest.mark.parametrize(
    ("typed", "count"),
    [("get", 3), ("GET", 2), ("GET /a?", 2), (r"^get \d", 1), ("2023", 0), ("stdout", 0), ("/b$", 1), ("ü", 1)],
)
async def test_search_reads_expressions_with_smart_case_and_never_the_header(
    tmp_path: Path, typed: str, count: int
) -> None:
    texts = [b"GET /a", b"GET /b", b"get 1", "über \x1b[1mfett\x1b[0m".encode(), b"nothing"]
    (tmp_path / "container.log").write_bytes(b"".join(stamp(EPOCH) + b" stdout F " + text + b"\n" for text in texts))
    async with Viewer().run_test(size=(60, 10)) as pilot:
        app = await shown(pilot, tmp_path)
        app.view.action_search()
        app.view.prompt.query_one(Input).value = typed
        await until(pilot, lambda: app.status.matches == str(count))


async def test_matches_are_marked_across_the_colours_of_a_line(tmp_path: Path, log: LogWriter) -> None:
    log.write("stdout", b"\x1b[31mred\x1b[0m plain \x1b[32mgreen\x1b[0m\n")
    async with Viewer().run_test(size=(40, 4)) as pilot:
        app = await shown(pilot, tmp_path / "log")
        await pilot.press("slash")
        app.view.prompt.query_one(Input).value = "ed pl|n gr"
        await until(pilot, lambda: app.status.matches == "1")
        parts = [part for part in app.view.body.render_line(0) if part.text.strip() and part.style]
        marked = [(part.text, bool(part.style.underline)) for part in parts]
        cells = [("r", False), ("ed", True), (" pl", True), ("ai", False), ("n ", True), ("gr", True), ("een", False)]
        assert marked[:7] == cells
        assert [parts[at].style.color.number for at in (0, 6)] == [1, 2]


async def test_a_mistake_in_an_expression_is_told_where_it_is_typed(tmp_path: Path, log: LogWriter) -> None:
    log.write("stdout", b"call (1\n")
    async with Viewer().run_test(size=(100, 10)) as pilot:
        app = await shown(pilot, tmp_path / "log")
        await pilot.press("slash", *"call (")
        error = app.view.prompt.query_one(".logs--error")
        await until(
            pilot, lambda: "not a regular expression: missing ), unterminated subpattern" in str(error.render())
        )
        await pilot.press("f6")
        await until(pilot, lambda: app.status.matches == "1")


async def test_the_mistake_leaves_room_for_what_is_typed_and_a_click_turns_the_switches(
    tmp_path: Path, log: LogWriter
) -> None:
    log.write("stdout", b"call (1\nCall (2\n")
    async with Viewer().run_test(size=(60, 10)) as pilot:
        app = await shown(pilot, tmp_path / "log")
        await pilot.press("slash", *"call (")
        prompt = app.view.prompt
        error, field = prompt.query_one(".logs--error"), prompt.query_one(Input)
        await until(pilot, lambda: error.display and error.region.height)
        assert error.region.y == field.region.bottom and field.region.width > 10
        await pilot.click(".logs--regex")
        await until(pilot, lambda: app.status.matches == "2")
        assert not error.display and field.has_focus
        assert "[text] F6" in str(prompt.query_one(".logs--regex").render())
        await pilot.click(".logs--case")
        await until(pilot, lambda: app.status.matches == "1")
        assert "[Aa] F5" in str(prompt.query_one(".logs--case").render())
        await pilot.press("f5")
        await until(pilot, lambda: app.status.matches == "2")
        assert "[aa]" in str(prompt.query_one(".logs--case").render())


async def test_what_was_searched_before_comes_back_with_the_up_key(tmp_path: Path, log: LogWriter) -> None:
    numbered(log, 20)
    async with Viewer().run_test(size=(60, 10)) as pilot:
        app = await shown(pilot, tmp_path / "log")
        for words in ("line 1", "line 2"):
            await pilot.press("slash", *words, "enter", "escape")
        await pilot.press("slash", "up")
        assert app.view.prompt.text == "line 2"
        await pilot.press("up", "up")
        assert app.view.prompt.text == "line 1"
        await until(pilot, lambda: app.status.matches == "11")
        await pilot.press("down", "down")
        assert app.view.prompt.text == ""


async def test_a_search_that_goes_on_says_how_far_it_is(tmp_path: Path, log: LogWriter) -> None:
    numbered(log, 8000)
    async with Viewer().run_test(size=(60, 10)) as pilot:
        app = await shown(pilot, tmp_path / "log")
        source = app.view.source
        assert source is not None
        scan = Scan(Pattern(Query("line")), source.line_at(source.end // 2))
        scan.take(next(scan.steps(source.segments)))
        app.view.body.lines.search = scan
        share = (scan.high - scan.low) / source.length
        assert 0.2 < share < 0.5
        assert app.view._searching.matches() == f"{scan.count:,} (searching {share:.0%})"


async def test_what_was_written_last_while_a_search_ran_is_searched_too(
    tmp_path: Path, log: LogWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbered(log, 10)
    run, runs = Scan.run, []

    async with Viewer().run_test(size=(60, 10)) as pilot:
        app = await shown(pilot, tmp_path / "log")
        source = app.view.source
        assert source is not None

        def run_while_it_is_written(scan: Scan, *arguments: Any) -> None:
            run(scan, *arguments)
            runs.append(scan)
            if len(runs) == 1:
                end = source.end
                log.write("stdout", b"line last\n")
                while source.end == end:
                    time.sleep(0.01)  # in a thread of its own: the viewer sees it meanwhile

        monkeypatch.setattr(Scan, "run", run_while_it_is_written)
        app.view._searching.search_for("line")
        await until(pilot, lambda: app.status is not None and app.status.matches == "11")


async def test_a_copy_goes_to_the_clipboard_of_the_system_too(
    tmp_path: Path, log: LogWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "wl-copy"
    program.write_text(f"#!/bin/sh\ncat > {tmp_path}/got.part && mv {tmp_path}/got.part {tmp_path}/got\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    numbered(log, 3)
    async with Viewer().run_test(size=(60, 10)) as pilot:
        await shown(pilot, tmp_path / "log")
        await pilot.press("c")
        await until(pilot, (tmp_path / "got").exists)
        assert (tmp_path / "got").read_text() == "line 0\nline 1\nline 2"


async def test_a_filter_shows_only_or_hides_and_follows_on(tmp_path: Path, log: LogWriter) -> None:
    log.write("stdout", b"".join(b"%s %d\n" % (b"ERROR" if n % 100 == 7 else b"info", n) for n in range(1000)))
    async with Viewer().run_test(size=(60, 6)) as pilot:
        app = await shown(pilot, tmp_path / "log")
        await pilot.press("ampersand", *"error", "enter")
        await until(pilot, lambda: app.status.filter == "&error: 10")
        assert app.texts == [f"ERROR {n}" for n in (407, 507, 607, 707, 807, 907)]
        log.write("stdout", b"info x\nERROR new\n")
        await until(pilot, lambda: app.texts[-1] == "ERROR new")
        await pilot.press("g")
        assert app.texts[0] == "ERROR 7"
        await pilot.press("f", "ampersand")
        assert app.view.prompt.text == "error"
        await pilot.press("home", "exclamation_mark", "enter")
        await until(pilot, lambda: app.status.filter == "!error: 991")
        assert app.texts[-1] == "info x"
        await pilot.press("escape")
        assert app.status.filter == ""
        assert app.texts[-1] == "ERROR new"


async def test_one_stream_alone(tmp_path: Path, log: LogWriter) -> None:
    for number in range(5):
        log.write("stdout", b"out %d\n" % number)
        log.write("stderr", b"err %d\n" % number)
    async with Viewer().run_test(size=(60, 12)) as pilot:
        app = await shown(pilot, tmp_path / "log")
        assert len(app.texts) == 10
        await pilot.press("vertical_line")
        await until(pilot, lambda: app.texts == [f"out {n}" for n in range(5)])
        await pilot.press("vertical_line")
        await until(pilot, lambda: app.texts == [f"err {n}" for n in range(5)])
        assert "stderr" in app.status.text
        await pilot.press("vertical_line")
        assert len(app.texts) == 10


async def test_it_goes_to_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    (tmp_path / "container.log").write_bytes(
        b"".join(stamp(EPOCH + number) + b" stdout F at %d\n" % number for number in range(10_000))
    )
    async with Viewer().run_test(size=(60, 10)) as pilot:
        app = await shown(pilot, tmp_path)
        await pilot.press("at")
        app.view.prompt.query_one(Input).value = "2023-11-14 23:13:20"
        await pilot.press("enter")
        assert app.texts[0] == "at 3600"
        await pilot.press("at", *"soon", "enter")
        assert app.view.prompt.is_open


async def test_it_saves_what_it_shows_and_never_overwrites(tmp_path: Path, log: LogWriter) -> None:
    numbered(log, 30)
    async with Viewer().run_test(size=(60, 10)) as pilot:
        app = await shown(pilot, tmp_path / "log")
        await pilot.press("ampersand", *"line 1", "enter")
        await until(pilot, lambda: app.status.filter == "&line 1: 11")
        for _ in range(2):
            await pilot.press("S")
            app.view.prompt.query_one(Input).value = str(tmp_path / "saved.log")
            await pilot.press("enter")
            await until(pilot, lambda: app.said)
        assert (tmp_path / "saved.log").read_text().splitlines() == ["line 1", *[f"line {n}" for n in range(10, 20)]]
        await until(pilot, lambda: len(app.said) == 2)
        assert app.said[0].startswith("Saved 11 lines to ")
        assert app.said[1].endswith("File exists")


async def test_the_mouse_selects_what_is_copied(tmp_path: Path, log: LogWriter) -> None:
    numbered(log, 30)
    async with Viewer().run_test(size=(60, 10)) as pilot:
        app = await shown(pilot, tmp_path / "log")
        await pilot.mouse_down(app.view.body, offset=(2, 3))
        await pilot.hover(app.view.body, offset=(5, 4))
        await pilot.mouse_up(app.view.body, offset=(6, 5))
        numbered(log, 20, 30)
        await pilot.press("c")
        assert app.clipboard == "line 23\nline 24\nline "
        assert app.status.mode == "PAUSED"


async def test_without_a_selection_the_screen_is_copied(tmp_path: Path, log: LogWriter) -> None:
    numbered(log, 30)
    async with Viewer().run_test(size=(60, 3)) as pilot:
        app = await shown(pilot, tmp_path / "log")
        await pilot.press("c")
        assert app.clipboard == "line 27\nline 28\nline 29"
        assert app.said == ["Copied 3 lines"]


async def test_the_wheel_scrolls_and_the_bar_jumps(tmp_path: Path, log: LogWriter) -> None:
    numbered(log, 1000)
    async with Viewer().run_test(size=(60, 10)) as pilot:
        app = await shown(pilot, tmp_path / "log")
        app.view.body.post_message(_wheel(app))
        await until(pilot, lambda: app.texts[-1] == "line 996")
        await pilot.mouse_down(app.view.body, offset=(59, 0))
        await pilot.mouse_up(app.view.body, offset=(59, 0))
        assert app.texts[0] == "line 0"
        await pilot.mouse_down(app.view.body, offset=(59, 9))
        await pilot.mouse_up(app.view.body, offset=(59, 9))
        assert app.status.mode == "FOLLOW"


def _wheel(app: Viewer):
    from textual.events import MouseScrollUp

    return MouseScrollUp(app.view.body, 1, 1, 0, -1, 0, False, False, False, 1, 1)


async def test_rotation_truncation_and_removal_do_not_disturb_it(tmp_path: Path) -> None:
    log = LogWriter(str(tmp_path / "log"), max_size=3000, max_files=3)
    async with Viewer().run_test(size=(60, 8)) as pilot:
        app = await shown(pilot, tmp_path / "log")
        for start in range(0, 1000, 50):
            numbered(log, 50, start)
            await pilot.pause(0.02)
        await until(pilot, lambda: app.texts[-1] == "line 999")
        await pilot.press("g")
        await until(pilot, lambda: app.status.lines is not None)
        kept = sum((tmp_path / "log" / name).read_bytes().count(b"\n") for name in os.listdir(tmp_path / "log"))
        assert app.status.lines == kept
        assert app.texts[0] == f"line {1000 - kept}"
        await pilot.press("f")
        os.truncate(tmp_path / "log" / "container.log", 0)
        log.write("stdout", b"anew\n")
        await until(pilot, lambda: app.texts[-1] == "anew")
        log.close()
        shutil.rmtree(tmp_path / "log")
        await pilot.pause(0.1)
        assert app.texts[-1] == "anew"


async def test_every_size_can_be_drawn(tmp_path: Path, log: LogWriter) -> None:
    log.write("stdout", "wide 日本語 text that wraps 🚀\t\x1b[1mbold\x1b[0m\n".encode() * 50)
    async with Viewer().run_test(size=(60, 8)) as pilot:
        app = await shown(pilot, tmp_path / "log", time_mode="date")
        await pilot.press("slash", *"text", "enter")
        for size in ((1, 1), (3, 2), (200, 60), (17, 1), (60, 8)):
            await pilot.resize_terminal(*size)
            await pilot.press("up", "w", "pageup", "pagedown", "f")
        assert all(app.view.body.render_line(y).cell_length == 60 for y in range(8))


def test_every_key_of_the_table_has_its_action() -> None:
    assert len({key.id for key in LOG_KEYS}) == len(LOG_KEYS)
    for key in LOG_KEYS:
        assert hasattr(LogView, f"action_{key.action.split('(')[0]}"), key
