"""The log viewer in the dashboard, on containers that run."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest

from engine.engine import Engine
from engine.errors import CommandNotFound
from engine.models import Container, Image, RunOptions
from engine.runtime.logfile import LogWriter
from engine.settings import Settings
from tests.conftest import SMALL
from tests.tui.conftest import Driver, Open, sleeper
from tui import config
from tui.app import Pilothouse
from tui.logs.status import StatusChanged
from tui.logs.view import LogView


async def test_the_tip_says_how_many_lines_came_while_one_looks_back(
    dashboard: Open, settings: Settings, web: Container
) -> None:
    log = LogWriter(str(settings.container_dir(web.id) / "log"))
    log.write("stdout", b"".join(b"line %d\n" % number for number in range(100)))
    async with dashboard() as driver:
        await driver.select("web")
        await driver.press("3")
        await driver.shows("line 99", "FOLLOW", "f follows, / searches")
        await driver.press("k", "k")
        log.write("stdout", b"one more\n")
        await driver.shows("1 new line below. f or End: follow again.", "▼ 1 new", "PAUSED")
        log.write("stdout", b"two\nthree\n")
        await driver.shows("3 new lines below. f or End: follow again.")
        await driver.press("end")
        await driver.shows("three", "FOLLOW", "f follows, / searches")
        log.close()


async def test_marked_containers_become_one_log_with_their_runs_set_apart(
    dashboard: Open, engine: Engine, web: Container
) -> None:
    other = await engine.run(sleeper("other"))
    async with dashboard(110, 36) as driver:
        await driver.until(lambda: driver.container("other"), "the other in the list")
        await driver.press("A", "3", "M")
        await driver.shows("other + web · Logs", "2 merged", "web   ", "other ")
        await driver.shows("── web · run 1 · started", "── other · run 1 · started")
        await engine.stop(other.id)
        await driver.shows("── other · run 1 · exited 0, stopped after")
        await driver.press("M")
        await driver.until(lambda: "merged" not in driver.text, "one log again")
        assert " + " not in driver.text


async def test_a_stop_and_a_restart_are_told_in_the_same_words(dashboard: Open, engine: Engine, web: Container) -> None:
    async with dashboard(110, 36) as driver:
        await driver.select("web")
        await engine.restart(web.id)
        await driver.shows("── run 1 · exited 0, stopped after", "── run 2 · started", "run 2 of 2")
        await engine.stop(web.id)
        await driver.shows("── run 2 · exited 0, stopped after")


async def test_of_a_start_that_failed_nothing_more_is_awaited(dashboard: Open, engine: Engine, image: Image) -> None:
    async with dashboard() as driver:
        with pytest.raises(CommandNotFound):
            await engine.run(RunOptions(SMALL, ("nope",), name="bad"))
        await driver.shows("bad could not be started: exec:", "ENDED (failed)")
        assert "nothing yet" not in driver.text


async def test_what_is_said_of_keys_names_those_in_force(dashboard: Open, settings: Settings, web: Container) -> None:
    LogWriter(str(settings.container_dir(web.id) / "log")).write("stdout", b"x" * 9000 + b"\n")
    keys = config.load().keys | {
        "logs.follow": ("ctrl+f", "end"),
        "logs.search": ("ctrl+s",),
        "logs.mark": ("ctrl+k",),
        "logs.open": ("ctrl+o",),
        "logs.error": ("alt+1",),
        "logs.case": ("f8",),
        "logs.regex": ("f9",),
        "app.find": ("ctrl+s",),
    }
    async with dashboard(150, 30, preferences=replace(config.load(), keys=keys)) as driver:
        await driver.select("web")
        await driver.press("3")
        await driver.shows("kB more, ctrl+o", "ctrl+f follows, ctrl+s searches", "alt+1 W I D levels")
        await driver.press("apostrophe")
        await driver.until(
            lambda: [said.message for said in driver.app._notifications] == ["No line is marked: press ctrl+k on one"],
            "the key that marks is named",
        )
        await driver.press("k")
        LogWriter(str(settings.container_dir(web.id) / "log")).write("stdout", b"one more\n")
        await driver.shows("1 new line below. ctrl+f or End: follow again.")
        await driver.press("ctrl+s")
        await driver.shows("[smart] F8", "[.*] F9")
        await driver.press("escape", "ampersand")
        await driver.shows("[alt+1] Error", "[W]arn", "[C]ontext")


async def test_the_keys_of_the_search_and_those_of_the_tour_do_not_meet(dashboard: Open, web: Container) -> None:
    async with dashboard(100, 30) as driver:
        await driver.select("web")
        await driver.press("3", "slash")
        await driver.shows("[smart] F5", "[.*] F6")
        await driver.press("f5", "f6")
        await driver.shows("[Aa] F5", "[text] F6", "F5 Case", "F6 Regex")
        await driver.press("f3")  # is heard while one types
        await driver.shows("Tour 1/5", "F3 next", "[Aa] F5")
        await driver.press("f4")
        await driver.until(lambda: "Tour 1/5" not in driver.text, "the tour is over")
        await driver.press("escape")
        await driver.until(lambda: "F5" not in driver.text, "nothing is typed: there is no case to choose")


async def test_what_was_searched_for_is_told_with_its_brackets(
    settings: Settings, engine: Engine, web: Container
) -> None:
    app = Pilothouse(settings)
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        driver = Driver(app, pilot)
        await driver.select("web")
        await driver.press("3", "slash", *"[/x]", "enter", "n")
        await driver.shows("No match for [/x]")


async def test_the_footer_has_the_keys_of_a_search_and_of_a_choice_only_meanwhile(
    dashboard: Open, settings: Settings, web: Container
) -> None:
    log = LogWriter(str(settings.container_dir(web.id) / "log"))
    log.write("stdout", b"one\ntwo\n")
    log.close()
    async with dashboard() as driver:
        await driver.select("web")
        await driver.press("3")
        await driver.shows("two", "f Follow", "chooses lines, { } runs.")
        assert "n Next" not in driver.text
        await driver.press("slash", *"two", "enter")
        await driver.shows("1 match ", "n Next", "N Previous")
        await driver.press("escape")
        await driver.until(lambda: "n Next" not in driver.text, "nothing is searched for")
        await driver.press("v")
        await driver.shows("SELECT", "c Copy", "v Leave", "Enter Copy")
        assert "f Follow" not in driver.text
        await driver.press("escape")
        await driver.shows("f Follow")


async def test_while_one_types_the_footer_names_no_key_that_would_only_be_typed(
    dashboard: Open, web: Container
) -> None:
    async with dashboard(200, 24) as driver:
        await driver.select("web")
        await driver.press("3")
        await driver.shows("& Filter", "@ Go to time", "/ Search")
        await driver.press("slash")
        await driver.shows("Search:", "F1 Help")
        footer = driver.text.splitlines()[-1]
        assert not any(words in footer for words in ("& Filter", "@ Go to time", "/ Search", "q Quit", "f Follow"))
        await driver.press("escape")
        await driver.shows("& Filter", "@ Go to time", "/ Search")


async def test_a_narrow_frame_says_first_how_the_log_stands_and_what_is_filtered(
    dashboard: Open, settings: Settings, web: Container
) -> None:
    log = LogWriter(str(settings.container_dir(web.id) / "log"))
    log.write("stdout", b"".join(b"error %d\n" % number for number in range(400)))
    log.close()
    async with dashboard(120, 36) as driver:
        await driver.select("web")
        await driver.press("3", "slash", *"error", "enter", "ampersand", *"error", "enter", "C", "C", "k")
        await driver.shows("━ PAUSED  time  &error ±2: 400  400 matches  401 lines ━")
        await driver.press("z")
        await driver.shows("PAUSED  time  wrap  &error ±2: 400  400 matches  401 lines  ")


async def test_a_filter_is_no_name_of_a_key(dashboard: Open, settings: Settings, web: Container) -> None:
    log = LogWriter(str(settings.container_dir(web.id) / "log"))
    log.write("stdout", b"hello {user.name}\n{logs.follow}\n")
    log.close()
    async with dashboard() as driver:
        await driver.select("web")
        await driver.press("3", "ampersand", *"{user.name}", "f6", "enter")
        await driver.shows("&{user.name}: ")


def test_what_matters_least_goes_first_and_a_long_filter_is_cut() -> None:
    standing = StatusChanged(
        view=cast(LogView, None),
        mode="PAUSED",
        new=1204,
        lines=8113,
        bytes=2_100_000,
        matches="2/41 (searching 63%)",
        filter="&connection refused by upstream: 12,034",
        time_mode="time",
        wrap=True,
        stream="stderr",
        run="run 3 of 4",
        merged=0,
    )
    whole = (
        "PAUSED  run 3 of 4  stderr  time  wrap  &connection refused by upstream: 12,034"
        "  2/41 matches (searching 63%)  8,113 lines  2.1 MB  ▼ 1,204 new"
    )
    assert standing.text == standing.within(200) == whole
    assert standing.within(len(whole) - 1) == whole.replace("  2.1 MB", "")
    assert standing.within(75) == "PAUSED  stderr  &connection refused by upstream: 12,034  ▼ 1,204 new"
    assert standing.within(30) == "PAUSED  &connection r…: 12,034"
    assert standing.within(3) == "PAUSED  &…: 12,034"
