"""The command log: nothing of it is cut, and its lines can be taken to a shell."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest
from rich.text import Text
from textual.worker import WorkerCancelled

from engine.models import Container, Progress
from engine.settings import Settings
from tests.tui.conftest import Driver, Open
from tui import operations
from tui.app import Pilothouse
from tui.state.world import Entry

LONG = "manifest for registry.example.com:5000/team/application-with-a-long-name:2026-11-25 was not found there"


async def test_a_long_failure_is_shown_whole_and_c_copies_the_line_under_the_cursor(dashboard: Open):
    async with dashboard(140, 40) as driver:
        await driver.press("escape")  # from the welcome
        for number in range(3):
            line = f"pilothouse pull {'x' * 40}/{'y' * 40}:{number}"
            hint = "check the tag, or log in: pilothouse login registry.example.com:5000"
            driver.world.log.append(Entry(line, time.time(), 0.2, "failed", LONG, hint))
        driver.world.tell("log")
        await driver.shows("Command log", "✗ pilothouse pull")
        pane = driver.app.dashboard.query_one("#commands")
        whole = "".join(pane.view.render_line(row).text.strip() for row in range(pane.view.size.height))
        assert LONG.replace(" ", "") in whole.replace(" ", "") and "registry.example.com:5000" in whole
        driver.app.dashboard.enter(pane)
        await driver.until(lambda: pane.has_focus_within, "the log has the focus")
        await driver.press("c")
        assert driver.app.clipboard.endswith(":2") and driver.app.clipboard.startswith("pilothouse pull xxx")
        await driver.press("k", "k")
        await driver.shows("▸")
        await driver.press("c")
        assert driver.app.clipboard.endswith(":0")
        await driver.press("G", "c")
        assert driver.app.clipboard.endswith(":2")


async def test_only_what_took_long_is_told_in_a_toast_too(dashboard: Open, monkeypatch: pytest.MonkeyPatch):
    async def work(_: object) -> None:
        pass

    async with dashboard() as driver:
        told: list[str] = []
        monkeypatch.setattr(driver.app, "notify", lambda sentence, **_: told.append(sentence))
        driver.app.operations.run("pilothouse pull quick", work, done="pulled quick")
        await driver.says("pulled quick")
        monkeypatch.setattr(operations, "LONG", 0.0)
        driver.app.operations.run("pilothouse pull slow", work, done="pulled slow")
        await driver.until(lambda: told == ["pulled slow"], "a toast of the slow one alone")


async def test_a_pull_that_ends_after_the_dashboard_was_closed_is_cancelled_and_no_more(
    dashboard: Open, web: Container
):
    """Panes without a screen would fail, and a timer would be told of on the user's terminal: nothing ended it."""
    begun, free = asyncio.Event(), asyncio.Event()

    class SlowToEnd:
        async def pull(self, reference: str, *, progress: Callable[[Progress], None]) -> None:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                await free.wait()

    async with dashboard() as driver:
        driver.app._engine = SlowToEnd()
        driver.app.start_pull("busybox")
        await begun.wait()
        (worker,) = (worker for worker in driver.app.workers if worker.group == "operations")
        driver.app.exit()
    free.set()
    with pytest.raises(WorkerCancelled):
        await worker.wait()
    assert driver.last == "cancelled"
    assert not [task.get_name() for task in asyncio.all_tasks() if "timer" in task.get_name()]


async def test_ctrl_c_names_the_key_in_force_that_closes_the_dashboard(settings: Settings, web: Container):
    app = Pilothouse(settings)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        driver = Driver(app, pilot)
        await driver.select("web")
        await driver.press("ctrl+c")
        await driver.shows(" ✓ q closes the dashboard; containers go on")
        assert "ctrl+q" not in driver.text
        await driver.press("slash", "ctrl+c")
        await driver.shows(" ✓ Esc, then q closes the dashboard")
        await driver.press("escape", "question_mark", "ctrl+c")
        assert driver.last.startswith("Esc, then q closes")
        await driver.press("escape", "ctrl+q")
        assert app._exit_renderables == [Text("1 container runs on.")]
