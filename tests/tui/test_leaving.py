"""What works in the background for a part of the dashboard that is being taken away."""

from __future__ import annotations

import asyncio
import gc
import weakref

from textual import events
from textual.app import ComposeResult
from textual.widgets import Static

from tests.tui.conftest import Open
from tui.dialogs.dialog import Dialog


class Lingering(Static):
    """Keeps what is around it half taken away."""

    def __init__(self) -> None:
        super().__init__()
        self.reached, self.let_go = asyncio.Event(), asyncio.Event()

    async def on_unmount(self, _: events.Unmount) -> None:
        self.reached.set()
        await self.let_go.wait()


class Asking(Dialog[None]):
    """Has work under way that will write its verdict."""

    def __init__(self) -> None:
        super().__init__("A question")
        self.lingering, self.answer, self.looked = Lingering(), asyncio.Event(), asyncio.Event()

    def inside(self) -> ComposeResult:
        yield Static("", id="verdict")
        yield self.lingering

    async def look(self) -> None:
        await self.answer.wait()
        self.looked.set()
        self.query_one("#verdict", Static).update("a verdict")
        self.query_one("#no-such-widget")


async def test_work_for_a_dialog_that_closes_ends_with_it_and_nothing_is_said(dashboard: Open):
    async with dashboard() as driver:
        asking = Asking()
        await driver.app.push_screen(asking)
        driver.app.behind(asking, "looking", asking.look)
        asking.action_close()  # a pilot's key would wait until all is gone
        await asking.lingering.reached.wait()
        while asking.query("#verdict"):  # noqa: ASYNC110 - Textual has no event for it
            await asyncio.sleep(0)
        asking.answer.set()
        await asking.looked.wait()
        asking.lingering.let_go.set()
        await driver.pilot.pause()
        assert not driver.world.log


async def test_what_a_dialog_showed_is_forgotten_within_a_minute(dashboard: Open):
    async with dashboard() as driver:
        asking = Asking()
        asking.lingering.let_go.set()
        await driver.app.push_screen(asking)
        await driver.shows("A question")
        shown = [weakref.ref(node._styles_cache) for node in asking.query("*")]
        await driver.press("escape")
        del asking
        driver.world.tell("minute")
        gc.collect()
        assert shown
        assert not any(found() for found in shown)


async def test_a_dialog_that_stays_tells_what_went_wrong_in_it(dashboard: Open):
    async with dashboard() as driver:
        asking = Asking()
        await driver.app.push_screen(asking)
        asking.lingering.let_go.set()
        driver.app.behind(asking, "looking", asking.look)
        asking.answer.set()
        await driver.says("NoMatches")
