"""Help, palette, themes: what opens above the dashboard."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

import pytest
from textual import events
from textual.command import Hit

from engine.engine import Engine
from engine.errors import InvalidInput
from engine.models import Container, Image, RunOptions, State
from engine.settings import Settings
from tests.tui.conftest import Driver, Open, sleeper
from tui import keymap
from tui.app import Pilothouse
from tui.dialogs.help import places as help_places
from tui.palette import Actions, Palette
from tui.panes.detail_pane import TABS
from tui.state import memory
from tui.widgets.text_view import TextView


async def test_help_lists_the_keys_of_the_pane_one_is_in(dashboard: Open, web: Container):
    async with dashboard(100, 50) as driver:
        await driver.press("question_mark")
        await driver.shows("Keys", "Start it if it is stopped")
        await driver.press("escape", "2", "f1")
        await driver.shows("Pull it again")
        assert "Start it if it is stopped" not in driver.text


async def test_the_palette_runs_actions_and_goes_to_containers(dashboard: Open, web: Container):
    async with dashboard() as driver:
        await driver.shows("running")
        await driver.press("colon")
        await driver.type("pause")
        await driver.shows("Containers: Pause")
        await driver.press("enter")
        await driver.shows("paused")
        await driver.press("p", "ctrl+p")
        await driver.type("go to web")
        await driver.shows("Go to web")
        await driver.press("escape", "colon")
        await driver.type("stat")  # of all that match it fuzzily, Start/Stop too, what begins with it stands first
        await driver.shows("This tab of the selected container")
        await driver.press("enter")
        await driver.until(lambda: driver.app.dashboard.active.id == "stats", "in the tab that was named")


async def test_the_palette_sorts_the_list_by_any_of_its_columns(dashboard: Open, web: Container):
    async with dashboard() as driver:
        await driver.shows("running")
        for told in ("sorted by cpu ▼", "sorted by cpu ▲"):
            await driver.press("colon")
            await driver.type("sort by cpu")
            await driver.shows("Sort by CPU")
            await driver.press("enter")
            await driver.says(told)
        assert "CPU ▲" in driver.text


async def test_the_palette_finds_what_docker_calls_otherwise_and_what_the_help_says(dashboard: Open, web: Container):
    async with dashboard() as driver:
        await driver.shows("running")
        for typed, name in (("exec", "Containers: Shell"), ("remove", "Containers: Delete"), ("signal", "Kill")):
            await driver.press("colon")
            await driver.type(typed)
            await driver.shows(name)
            await driver.press("escape")
            await driver.until(lambda: not isinstance(driver.app.screen, Palette), "the palette was closed")


async def test_the_palette_knows_dockers_verbs_for_keys_and_tabs(dashboard: Open, web: Container):
    async with dashboard() as driver:
        await driver.shows("running")
        driver.app.dashboard.go_to_tab("processes")
        await driver.until(lambda: driver.app.dashboard.active.id == "processes", "in the tab that has keys of its own")
        actions = Actions(driver.app.screen)
        titles = {
            (alias, f"{keymap.PANES[key.pane]}: {key.label}  ({key.shown})")
            for key in keymap.KEYS
            for alias in key.aliases
        }
        assert {alias for alias, _ in titles} == {"exec", "rm", "rmi", "unpause", "history", "top"}
        for alias, title in (*titles, ("top", TABS["processes"])):
            found = [hit.text async for hit in actions.search(alias) if isinstance(hit, Hit)]
            assert title in found, alias


async def test_a_theme_is_tried_on_while_choosing_and_kept_by_enter(dashboard: Open):
    async with dashboard() as driver:
        await driver.press("T")
        await driver.shows("Dark: night watch", "Light: noon")
        await driver.press("g", "j")
        await driver.until(lambda: driver.app.theme == "dark", "the second of the list is the one worn")
        await driver.press("k")
        await driver.until(lambda: driver.app.theme == "colour-blind", "the theme under the cursor is worn")
        await driver.press("escape")
        await driver.until(lambda: driver.app.theme == "dark", "the one before is worn again")
        await driver.press("T", "G", "enter")
        await driver.until(lambda: driver.app.theme == "nord", "the last of the list is worn")
        assert memory.theme("") == "nord"
    async with dashboard() as driver:
        assert driver.app.theme == "nord"


def user_theme(home: Path, name: str, text: str) -> None:
    folder = home / "config" / "pilothouse" / "themes"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.toml").write_text(text)


async def test_a_theme_with_a_mistake_shows_where_it_is(dashboard: Open, private_home: Path):
    user_theme(private_home, "mine", "dark = 3\n")
    async with dashboard(140, 40) as driver:
        await driver.press("T")
        await driver.shows("mine.toml:1: dark must be true or false")


async def test_a_remembered_theme_that_broke_is_told_and_not_fatal(dashboard: Open, private_home: Path):
    user_theme(private_home, "mine", "[colors]\n")
    memory.remember(theme="mine")
    async with dashboard() as driver:
        assert driver.app.theme == "dark"
        await driver.says("mine.toml:1: the colour background is missing")


def test_a_theme_asked_for_by_name_must_exist(settings: Settings):
    with pytest.raises(InvalidInput, match="no such theme: nope"):
        Pilothouse(settings, theme="nope")


async def test_the_footer_names_only_what_works_now(dashboard: Open, web: Container):
    async with dashboard(200, 24) as driver:
        await driver.shows("s Stop", "K Kill", "q Quit")
        assert "o Open" not in driver.text  # it publishes no port
        await driver.press("s")
        await driver.shows("s Start")
        assert "K Kill" not in driver.text.splitlines()[-1]


async def test_under_a_dialog_the_footer_names_the_keys_of_the_dialog(dashboard: Open, web: Container):
    async with dashboard(100, 24) as driver:
        await driver.shows("s Stop")
        await driver.press("d")
        await driver.until(lambda: driver.text.split("\n")[-1].split() == "y Remove Esc Cancel".split(), "its keys")
        await driver.press("escape")
        await driver.shows("s Stop")
        await driver.press("X")
        await driver.until(lambda: "y Prune" in driver.text.split("\n")[-1], "keys that are told later")
        await driver.pilot.click(offset=(driver.text.split("\n")[-1].index("Esc Cancel"), 23))
        await driver.shows("s Stop")


async def test_help_begins_with_the_keys_and_ends_with_warnings(dashboard: Open, web: Container):
    async with dashboard() as driver:
        assert driver.world.info is not None
        driver.world.info = dataclasses.replace(driver.world.info, warnings=("no swap accounting here",) * 4)
        await driver.press("question_mark")
        await driver.shows("Keys; warnings", "Start it if it is stopped")
        await driver.press("G")
        await driver.shows("On this machine", "! no swap accounting here")


async def test_help_is_wrapped_to_the_size_that_the_terminal_has_now(dashboard: Open, web: Container):
    words = (
        "Mark or unmark, and go on to the next: actions then go to all marked that are shown; a filter keeps the marks"
    )
    async with dashboard(40, 24) as driver:
        await driver.select("web")
        await driver.press("question_mark")
        await driver.shows("Keys", "Start it if it")
        text = driver.app.screen.query_one(TextView)

        def told() -> list[str]:
            """The lines of the help that tell of marks."""
            lines = text.text.splitlines()
            begin = next(place for place, line in enumerate(lines) if line.startswith("  Space"))
            end = next(place for place, line in enumerate(lines) if line.startswith("  A "))
            return [line[14:].strip() for line in lines[begin:end]]

        narrow = len(told())
        for width, height in ((80, 24), (200, 60), (40, 16)):
            await driver.pilot.resize_terminal(width, height)
            await driver.until(lambda width=width: (len(told()) < narrow) == (width > 40), "wrapped anew")
            assert " ".join(told()) == words
            assert all(len(line) <= text.size.width for line in text.text.splitlines())
            assert text.region.bottom < height, "its frame is whole"


def test_help_tells_the_keys_of_every_pane() -> None:
    assert help_places("stats") == ("stats", "container")
    assert help_places("image") == ("layers", "rows")
    assert help_places("text") == ("detail", "container")


async def test_a_click_on_the_footer_does_what_the_key_does(dashboard: Open, web: Container):
    async with dashboard() as driver:
        await driver.shows("s Stop")
        await driver.pilot.click("#footer", offset=(2, 0))
        await driver.says("stopped web")


async def test_the_palette_has_every_action_that_can_be_done_now(dashboard: Open, web: Container):
    async with dashboard(120, 40) as driver:
        await driver.select("web")
        await driver.shows("ready")
        await driver.press("colon")
        titles = [entry.title for entry in Actions(driver.app.screen)._entries()]
        for pane in ("containers", "images", "logs", "ports", "list", "detail", "app"):
            for key in keymap.of(pane):
                if key.palette:
                    assert any(key.label in title and key.shown in title for title in titles), key.id
        assert any(title.startswith("Go to web") for title in titles)


async def test_a_click_beside_the_palette_closes_it_also_outside_the_screen(dashboard: Open):
    """A terminal that has become smaller still tells of clicks where it was."""
    async with dashboard() as driver:
        for place in (1, 29):
            await driver.press("colon")
            await driver.until(lambda: isinstance(driver.app.screen, Palette), "the palette opened")
            screen = driver.app.screen
            screen.post_message(
                events.Click(screen, 1, place, 0, 0, 1, False, False, False, screen_x=1, screen_y=place)
            )
            await driver.until(lambda: not isinstance(driver.app.screen, Palette), "the palette was closed")
        await driver.shows("Welcome aboard")


async def test_a_palette_opens_while_the_one_before_is_on_its_way_out(dashboard: Open):
    async with dashboard() as driver:
        driver.app.action_command_palette()
        await driver.shows("Search for commands")
        before = driver.app.screen
        before.dismiss()  # off the stack at once, gone a little later
        driver.app.action_command_palette()
        await driver.until(lambda: driver.app.screen.query("CommandList"), "another palette opened")
        assert driver.app.screen is not before


async def test_a_palette_on_its_way_out_survives_what_it_was_looking_for(dashboard: Open, web: Container):
    async with dashboard() as driver:
        await driver.press("colon")
        await driver.shows("Search for commands")
        palette = driver.app.screen
        await palette.query("*").remove()
        palette._show_busy = not palette._show_busy  # a search that ends now: Textual's own watchers raised
        palette._list_visible = not palette._list_visible
        await driver.pilot.pause()
        assert driver.app.is_running
        assert driver.app._exception is None


async def test_a_dialog_that_something_has_come_on_top_of_closes_nothing(dashboard: Open, web: Container):
    async with dashboard() as driver:
        await driver.press("T")
        await driver.shows("enter keep")
        below = driver.app.screen
        driver.app.action_command_palette()
        await driver.shows("Search for commands")
        palette = driver.app.screen
        below.action_close()  # as a click that was still under way does
        assert driver.app.screen is palette
        await driver.press("escape")
        await driver.until(lambda: driver.app.screen is below, "the dialog is back")
        await driver.press("escape")
        await driver.until(lambda: driver.app.screen is driver.app.dashboard, "and closes")


async def test_what_is_typed_at_once_goes_where_the_first_key_leads(dashboard: Open, web: Container):
    async with dashboard() as driver:
        await driver.select("web")
        for letter in "/pause":
            name = "slash" if letter == "/" else letter
            driver.app.post_message(events.Key(name, letter))
        await driver.shows("0 of 1 match `pause`")
        await driver.press("escape")
        for letter in "Ngate":  # the name is chosen when the dialog opens
            driver.app.post_message(events.Key(letter, letter))
        await driver.shows("Rename web", "gate")
        await driver.press("escape")
        await driver.pilot.pause()
        container = driver.container("web")
        assert container is not None
        assert container.state is State.RUNNING
        assert not any(entry.command for entry in driver.world.log)


def click_at(driver: Driver, x: int, y: int) -> None:
    """A press and its release, as a terminal sends them."""
    for kind in (events.MouseDown, events.MouseUp):
        driver.app.post_message(kind(None, x, y, 0, 0, 1, False, False, False, x, y))


async def test_a_click_waits_behind_the_keys_that_were_pressed_before_it(dashboard: Open, engine: Engine, image: Image):
    for name in ("one", "two"):
        await engine.run(sleeper(name))
    async with dashboard() as driver:
        await driver.shows("one", "two")
        containers, images = driver.app.dashboard.containers.table, driver.app.dashboard.images.table
        await driver.press("g")
        before = containers.cursor_key
        y = next(y for y, line in enumerate(driver.text.splitlines()) if "● one" in line)
        for key in ("2", "slash", *"small"):
            driver.app.post_message(events.Key(key, {"slash": "/"}.get(key, key)))
        click_at(driver, 8, y - 1)  # the first row of the list, which will be that of the images
        await driver.until(lambda: driver.app.dashboard.images.filter_text == "small", "the keys were typed")
        await driver.until(lambda: images.has_focus, "the click has left the filter line")
        assert containers.cursor_key == before


async def test_a_click_on_what_a_key_has_covered_meanwhile_is_for_nothing(dashboard: Open, web: Container):
    async with dashboard() as driver:
        await driver.select("web")
        driver.app.post_message(events.Key("T", "T"))
        click_at(driver, 1, 20)  # beside the dialog, which a click there closes
        await driver.shows("enter keep")
        await driver.until(lambda: not driver.app._type_ahead._busy(), "all was handled")
        await driver.pilot.pause()
        assert "enter keep" in driver.text


async def test_a_press_that_was_for_nothing_is_no_click_either_where_its_button_is_released(
    dashboard: Open, engine: Engine, image: Image
):
    for name in ("one", "two"):
        await engine.run(sleeper(name))
    async with dashboard() as driver:
        await driver.shows("one", "two")
        table = driver.app.dashboard.containers.table
        y = next(y for y, line in enumerate(driver.text.splitlines()) if "● one" in line)
        click_at(driver, 8, y)
        await driver.until(lambda: table.cursor_key == table.rows[1].key, "a row was clicked on")
        await driver.press("k", "T")
        await driver.shows("enter keep")
        driver.app.post_message(events.Key("escape", None))
        driver.app.post_message(events.MouseDown(None, 8, y, 0, 0, 1, False, False, False, 8, y))
        await driver.until(lambda: driver.app.screen is driver.app.dashboard, "the dialog is closed")
        await driver.until(lambda: not driver.app._type_ahead._busy(), "all was handled")
        driver.app.post_message(events.MouseUp(None, 8, y, 0, 0, 1, False, False, False, 8, y))
        await driver.pilot.pause()
        assert table.cursor_key == table.rows[0].key


async def test_the_release_of_a_press_is_heard_though_what_was_typed_meanwhile_is_dropped(
    dashboard: Open, web: Container, monkeypatch: pytest.MonkeyPatch
):
    async with dashboard() as driver:
        await driver.select("web")
        ahead, over = driver.app._type_ahead, asyncio.Event()
        heard: list[type[events.Event]] = []

        async def note(event: events.Event) -> None:
            heard.append(type(event))

        monkeypatch.setattr(ahead, "_handle", note)
        driver.app.opening(driver.app, "opening nothing", over.wait)
        driver.app.post_message(events.Key("j", "j"))
        click_at(driver, 8, 4)
        await driver.until(lambda: len(ahead._waiting) == 3, "they wait for what is opened")
        over.set()
        await driver.until(lambda: not ahead._busy(), "nothing was opened")
        assert heard == [events.MouseUp]


async def test_what_is_longer_than_its_field_is_still_read(dashboard: Open, engine: Engine, image: Image):
    words = "echo first; echo second; echo third; echo fourth; echo fifth"
    await engine.run(RunOptions("localhost/small:1", ("sh", "-c", words), name="chatty", detach=True))
    async with dashboard(80, 24) as driver:
        await driver.select("chatty")
        await driver.press("R")
        await driver.shows("Run chatty again", "Command    sh -c 'echo first")
        await driver.press("tab", "end")
        await driver.shows("echo fifth'   ")
