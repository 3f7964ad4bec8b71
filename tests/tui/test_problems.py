"""What is said of an action that did not go well with all of several."""

from __future__ import annotations

from engine.models import Container
from engine.settings import Settings
from tests.tui.conftest import Driver, Open
from tui.app import Pilothouse
from tui.dialogs.problems import Problems
from tui.operations import Outcome
from tui.widgets.status import SHOWN_FAILED

LONG = 'OCI runtime create failed: exec: "nosuchcmd": executable file not found in $PATH'


async def test_a_long_problem_is_shown_whole_at_every_width_and_copied_as_one_line(dashboard: Open):
    async with dashboard(80, 24) as driver:
        driver.app.push_screen(Problems("restarted 1 of 2", [Outcome("bad", LONG)]))
        await driver.shows("✗ bad  OCI runtime create failed:", "file not found in $PATH")
        await driver.pilot.resize_terminal(44, 16)
        await driver.shows("✗ bad  OCI runtime create  ", "    $PATH")
        await driver.press("y")
        assert driver.app.clipboard == f"✗ bad  {LONG}"


async def test_a_toast_leaves_the_status_row_to_be_read(settings: Settings, web: Container):
    app = Pilothouse(settings)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        driver = Driver(app, pilot)
        await driver.select("web")
        app.operations.say(f"restarted 1 of 2; bad: {LONG}", failed=True)
        app.notify("stopped 4 containers", timeout=SHOWN_FAILED)
        sentence = ("✗ restarted 1 of 2; bad: OCI runtime create failed:", "file not found in $PATH")
        await driver.shows("stopped 4 containers", *sentence)
