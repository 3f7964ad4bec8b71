"""Where the panes stand at which size, and that no size breaks anything."""

from __future__ import annotations

import random

import pytest

from engine.models import Container, Image
from tests.tui.conftest import Open
from tui.panes.pane import fitted


def shown(driver) -> set[str]:
    return {pane.id for pane in driver.app.dashboard.query("Pane") if pane.is_on_screen and pane.size.height > 0}


@pytest.mark.parametrize(
    ("size", "panes"),
    [
        ((80, 24), {"containers", "logs"}),
        ((60, 16), {"containers", "logs"}),
        ((59, 16), {"containers"}),
        ((80, 15), {"containers"}),
        ((120, 24), {"containers", "images", "logs"}),
        ((120, 30), {"containers", "images", "logs", "ports", "stats"}),
        ((140, 40), {"containers", "images", "commands", "logs", "ports", "stats"}),
        ((80, 40), {"containers", "commands", "logs"}),
        ((39, 24), set()),
        ((80, 9), set()),
    ],
)
async def test_panes_at_every_size(dashboard: Open, image: Image, size: tuple[int, int], panes: set[str]):
    async with dashboard(*size) as driver:
        assert shown(driver) == panes


@pytest.mark.parametrize(("size", "rows"), [((80, 24), 6), ((100, 36), 8), ((100, 40), 8), ((140, 40), 12)])
async def test_the_list_keeps_room_for_its_rows(dashboard: Open, image: Image, size: tuple[int, int], rows: int):
    async with dashboard(*size) as driver:
        assert driver.app.dashboard.containers.table.size.height >= rows + 1  # the heading


async def test_no_room_is_said_and_the_focus_comes_back(dashboard: Open, image: Image):
    async with dashboard(80, 24) as driver:
        await driver.pilot.resize_terminal(38, 9)
        await driver.shows("40x10 needed, now 38x9")
        await driver.pilot.resize_terminal(80, 24)
        await driver.shows("1 Containers")
        await driver.until(lambda: driver.app.dashboard.containers.table.has_focus, "the list has the focus")


async def test_zoom_gives_one_pane_everything_and_back(dashboard: Open, web: Container):
    async with dashboard(140, 40) as driver:
        await driver.press("3")
        await driver.press("z")
        await driver.until(lambda: shown(driver) == {"logs"}, "only the log")
        await driver.press("escape")
        await driver.until(lambda: len(shown(driver)) == 6, "everything")
        assert driver.app.dashboard.active.id == "logs"


async def test_numbers_go_to_panes_and_tabs_step_through_the_details(dashboard: Open, web: Container):
    async with dashboard() as driver:
        await driver.select("web")
        for key, words in (("2", "2 Images 1"), ("4", "4 web · Ports"), ("3", "3 web · Logs"), ("1", "1 Containers 1")):
            await driver.press(key)
            await driver.shows(words)
        for key, words in (
            ("greater_than_sign", "web · Ports"),
            ("right_square_bracket", "web · Stats"),
            ("right_square_bracket", "web · Env"),
            ("right_square_bracket", "web · Inspect"),
            ("right_square_bracket", "web · Processes"),
            ("right_square_bracket", "web · Files"),
            ("right_square_bracket", "web · Shell"),
            ("right_square_bracket", "web · Events"),
            ("right_square_bracket", "web · Logs"),
            ("less_than_sign", "web · Events"),
        ):
            await driver.press(key)
            await driver.shows(words)
            assert driver.app.dashboard.containers.table.has_focus


async def test_focus_shows_by_frame_and_title_and_glyph(dashboard: Open, web: Container):
    async with dashboard() as driver:
        await driver.shows("web", "▸ ●")
        assert driver.text.splitlines()[1].startswith("┏━")
        await driver.press("3")
        await driver.until(lambda: driver.text.splitlines()[1].startswith("╭─"), "a light frame around the list")
        title = driver.app.dashboard.query_one("#logs")._border_title
        assert any("reverse" in str(span.style) for span in title.spans)


async def test_escape_never_quits(dashboard: Open, web: Container):
    async with dashboard() as driver:
        for _ in range(5):
            await driver.press("escape")
        assert driver.app.is_running
        assert driver.app.dashboard.containers.table.has_focus


async def test_a_storm_of_sizes_with_a_dialog_open_breaks_nothing(dashboard: Open, web: Container):
    dice = random.Random(7)
    async with dashboard() as driver:
        await driver.press("n")
        for _ in range(15):
            await driver.pilot.resize_terminal(dice.randint(5, 200), dice.randint(3, 60))
            await driver.pilot.pause(0.02)
        await driver.pilot.resize_terminal(80, 24)
        await driver.shows("Run a container")
        await driver.press("escape")
        await driver.shows("1 Containers", "web")


def test_tabs_that_have_no_room_are_left_out_from_the_end():
    tabs = "4 Ports  Stats  Env  Inspect"
    assert fitted(tabs, 28) == tabs
    assert fitted(tabs, 27) == "4 Ports  Stats  Env  …"
    assert fitted(tabs, 10) == "4 Ports  …"
    assert fitted(tabs, 9) == ""


async def test_tab_goes_from_a_list_to_its_details_and_then_to_the_other_list(dashboard: Open, web: Container):
    async with dashboard(140, 40) as driver:
        await driver.select("web")
        await driver.shows("ready")
        seen = [driver.app.dashboard.active.id]
        for _ in range(7):
            await driver.press("tab")
            seen.append(driver.app.dashboard.active.id)
        assert seen == ["containers", "logs", "ports", "stats", "commands", "images", "image", "commands"]
        await driver.press("shift+tab")
        assert driver.app.dashboard.active.id == "image"
        await driver.press("1")
        back = []
        for _ in range(5):
            await driver.press("shift+tab")
            back.append(driver.app.dashboard.active.id)
        assert back == ["commands", "stats", "ports", "logs", "containers"]


async def test_a_filter_that_is_kept_is_no_stop_of_tab(dashboard: Open, web: Container):
    async with dashboard(140, 40) as driver:
        await driver.select("web")
        await driver.shows("ready")
        await driver.press("slash")
        await driver.type("we")
        await driver.press("tab")  # from where one types it goes on as from the list
        assert driver.app.dashboard.active.id == "logs"
        await driver.press("shift+tab")
        assert driver.app.focused is driver.app.dashboard.containers.table
        await driver.press("tab")
        assert driver.app.dashboard.active.id == "logs"
        await driver.press("1", "slash")
        assert driver.app.focused.id == "filter"
        assert driver.app.focused.value == "we"


async def test_a_tab_that_comes_out_of_the_tabs_leaves_its_place_to_the_log(dashboard: Open, web: Container):
    async with dashboard(80, 24) as driver:
        await driver.select("web")
        await driver.press("4", "1")
        await driver.pilot.resize_terminal(140, 40)
        await driver.shows("web · Logs", "web · Ports", "web · Stats", "ready")


async def test_a_pane_with_the_focus_that_goes_back_among_the_tabs_is_the_one_shown(dashboard: Open, web: Container):
    async with dashboard(140, 40) as driver:
        await driver.select("web")
        await driver.press("4")
        await driver.until(lambda: driver.app.dashboard.active.id == "ports", "the ports have the focus")
        await driver.pilot.resize_terminal(90, 28)
        await driver.shows("web · Ports")
        await driver.until(lambda: driver.app.dashboard.tab == "ports", "its tab is the one shown")
        assert driver.app.dashboard.active.id == "ports"
