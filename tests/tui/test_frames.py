"""What can be clicked beside rows and buttons: the words in the frames, the header, the ground around a dialog."""

from __future__ import annotations

import pytest
from textual import events

from engine.models import Container, Image
from tests.tui.conftest import Driver, Open
from tui.panes.pane import word_at


async def click_on(driver: Driver, words: str, *, after: str = "") -> None:
    """Click in the middle of the last `words` on the screen, below the row with `after`."""
    lines = driver.text.splitlines()
    begin = next(y for y, line in enumerate(lines) if after in line)
    y = next(y for y, line in enumerate(lines) if words in line and y >= begin)
    await driver.pilot.click(offset=(lines[y].rindex(words) + len(words) // 2, y))
    await driver.pilot.pause()


@pytest.mark.parametrize("size", [(80, 24), (140, 40)])
async def test_a_click_on_a_tab_in_the_frame_goes_there(dashboard: Open, web: Container, size: tuple[int, int]):
    async with dashboard(*size) as driver:
        await driver.select("web")
        await click_on(driver, "Env", after="web · Logs")
        await driver.shows("web · Env", "PATH")
        await click_on(driver, "3 Logs", after="web · Env")
        await driver.until(lambda: driver.app.dashboard.active.id == "logs", "the log has the focus")


async def test_a_click_on_the_sign_for_more_tabs_goes_to_the_first_that_has_no_room(dashboard: Open, web: Container):
    async with dashboard(60, 20) as driver:
        await driver.select("web")
        await click_on(driver, "…", after="web · Logs")
        tabs = ("inspect", "env", "processes", "stats")
        await driver.until(lambda: driver.app.dashboard.tab in tabs, "another tab")
        shown = driver.text.splitlines()
        assert not any("web · Logs" in line for line in shown)


async def test_a_click_on_the_other_list_in_the_frame_shows_it(dashboard: Open, web: Container):
    async with dashboard() as driver:
        await click_on(driver, "2 Images")
        await driver.shows("2 Images 1", "REPOSITORY:TAG")
        await click_on(driver, "1 Containers")
        await driver.shows("NAME", "web")


async def test_words_in_the_lower_edge_do_what_their_keys_do(dashboard: Open, web: Container):
    async with dashboard() as driver:
        await driver.shows("Space:mark")
        await click_on(driver, "Space:mark")
        await driver.shows("1 marked")
        await click_on(driver, "a:running")
        await driver.shows("(running)", "a:all")
        await click_on(driver, "/:filter")
        await driver.until(lambda: driver.app.dashboard.query("#filter"), "the filter line")


async def test_frames_name_the_keys_that_are_in_force(dashboard: Open, image: Image, private_home):
    (private_home / "config" / "pilothouse").mkdir(parents=True)
    (private_home / "config" / "pilothouse" / "config.toml").write_text(
        '[keys]\n"containers.all" = "f5"\n"app.images" = "f6"\n"app.logs" = "f7"\n'
    )
    async with dashboard() as driver:
        await driver.shows("F5:running", "F6 Images 1", "F7 Logs")


async def test_the_name_in_the_header_opens_the_palette_and_the_rest_tells_the_warnings(
    dashboard: Open, web: Container
):
    async with dashboard() as driver:
        await driver.pilot.click(offset=(3, 0))
        await driver.shows("Search for commands")
        await driver.press("escape")
        assert driver.world.info is not None
        driver.world.info = type(driver.world.info)(
            **{
                name: getattr(driver.world.info, name)
                for name in driver.world.info.__dataclass_fields__
                if name != "warnings"
            },
            warnings=("no swap accounting here",),
        )
        await driver.pilot.click(offset=(16, 0))
        await driver.says("no swap accounting here")
        await driver.press("question_mark", "G")
        await driver.shows("On this machine", "! no swap accounting here")


async def test_a_click_beside_a_dialog_closes_it_and_its_lower_edge_has_keys(dashboard: Open, web: Container):
    async with dashboard(100, 30) as driver:
        await driver.press("T")
        await driver.shows("enter keep")
        await driver.pilot.click(offset=(1, 1))
        await driver.until(lambda: driver.app.screen is driver.app.dashboard, "the dialog closed")
        await driver.press("T")
        await driver.shows("nord")
        await driver.press("G")
        await click_on(driver, "enter keep")
        await driver.says("theme nord")
        await driver.press("question_mark")
        await driver.shows("esc close")
        await click_on(driver, "scroll")  # names no key
        await click_on(driver, "esc close")
        await driver.until(lambda: driver.app.screen is driver.app.dashboard, "the help closed")


async def test_rows_are_chosen_opened_and_scrolled_by_the_mouse(dashboard: Open, web: Container):
    async with dashboard() as driver:
        await driver.select("web")
        lines = driver.text.splitlines()
        y = next(y for y, line in enumerate(lines) if "● web" in line)
        await driver.pilot.click(offset=(8, y), times=2)
        await driver.until(lambda: driver.app.dashboard.active.id == "logs", "the log has the focus")


def test_a_place_in_words_is_the_word_or_the_gap():
    words = "2 Images  3 Logs"
    assert [word_at(words, x) for x in (-1, 0, 7, 8, 9, 10, 15, 16)] == [None, 0, 0, None, None, 1, 1, None]


async def test_a_press_on_what_is_just_being_removed_is_for_nothing(dashboard: Open, web: Container):
    async with dashboard() as driver:
        await driver.shows("ready")
        under, _ = driver.app.screen.get_widget_and_offset_at(40, 14)
        assert under is not None
        parent, under._parent = under._parent, None  # as for the moment between its removal and the next painting
        driver.app.post_message(events.MouseDown(None, 40, 14, 0, 0, 1, False, False, False, 40, 14))
        await driver.pilot.pause()
        under._parent = parent
        assert driver.app._exception is None
        await driver.press("1")
        assert driver.app.dashboard.containers.table.has_focus
