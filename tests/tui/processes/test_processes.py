"""The processes of a container, live."""

from __future__ import annotations

import pytest

from engine.engine import Engine
from engine.models import Container, Image, Process, RunOptions
from tests.tui.conftest import Driver, Open
from tui.processes.pane import ProcessesPane, branches


@pytest.fixture
async def family(engine: Engine, image: Image) -> Container:
    command = ("sh", "-c", "sleep 1001 & sh -c 'sleep 1002; :' & while :; do wait; done")
    return await engine.run(RunOptions("localhost/small:1", command, name="family", detach=True))


async def opened(driver: Driver) -> ProcessesPane:
    await driver.select("family")
    driver.app.dashboard.go_to_tab("processes")
    await driver.shows("family · Processes", "sleep 1001", "sleep 1002")
    return driver.app.dashboard.query_one(ProcessesPane)


def words(pane: ProcessesPane) -> list[tuple[str, ...]]:
    return [process.command for process in pane._processes.values()]


async def test_the_tree_shows_who_started_whom_and_what_it_uses(dashboard: Open, family: Container):
    async with dashboard(100, 30) as driver:
        pane = await opened(driver)
        await driver.shows("PID", "USER", "MEM", "COMMAND", "root", "├─ ", "└─ ", "4 processes, 4 threads")
        await driver.until(lambda: "0.0%" in driver.text, "two readings")
        assert pane.table.rows[0].cells[0][0][0] == "1"
        await driver.press("c")
        assert driver.app.clipboard.startswith("sh -c 'sleep 1001 &")


async def test_a_long_command_line_is_cut_not_left_out(dashboard: Open, engine: Engine, image: Image):
    command = ("sh", "-c", "while :; do sleep 1; done # " + "and so on " * 30)
    await engine.run(RunOptions("localhost/small:1", command, name="family", detach=True))
    async with dashboard(100, 30) as driver:
        await driver.select("family")
        driver.app.dashboard.go_to_tab("processes")
        await driver.shows("sh -c while :; do sleep 1; done # and", "…")


async def test_one_process_is_killed_after_a_question(dashboard: Open, family: Container):
    async with dashboard(100, 30) as driver:
        pane = await opened(driver)
        place = next(row.key for row in pane.table.rows if row.cells[-1][-1][0].endswith("sleep 1001"))
        pane.table.select(place)
        await driver.press("K")
        await driver.shows("Send a signal to sleep (pid")
        await driver.press("escape")
        assert ("sleep", "1001") in words(pane)
        await driver.press("K")
        await driver.shows("Send a signal to sleep")
        await driver.press("t")
        await driver.says("sent SIGTERM to sleep")
        await driver.until(lambda: ("sleep", "1001") not in words(pane), "it went")
        assert any(entry.command.startswith("pilothouse exec family kill -s TERM") for entry in driver.world.log)
        await driver.press("g", "K")
        await driver.shows("the container ends with it")


async def test_one_that_does_not_run_says_so(dashboard: Open, engine: Engine, family: Container):
    async with dashboard(100, 30) as driver:
        await opened(driver)
        await engine.stop("family", grace=0)
        await driver.shows("family does not run: it has no processes.")


async def test_titles_cannot_steer_the_terminal(dashboard: Open, engine: Engine, image: Image):
    command = ("sh", "-c", "sleep 1000; :", "\x1b[31m[red]\x9b2J")
    await engine.run(RunOptions("localhost/small:1", command, name="family", detach=True))
    async with dashboard(200, 40) as driver:
        await driver.select("family")
        driver.app.dashboard.go_to_tab("processes")
        await driver.shows("sleep 1000", "[red]")
        assert not set(driver.text) & {"\x1b", "\x9b"}


def test_a_process_whose_parent_is_not_there_is_a_root():
    def process(pid: int, parent: int) -> Process:
        return Process(pid, pid, parent, "S", "x", (), 0, "root", 0.0, 0, 1, 0.0, pid)

    tree = [
        (process.pid, branch)
        for process, branch in branches([process(1, 0), process(5, 1), process(6, 5), process(7, 1), process(9, 99)])
    ]
    assert tree == [(1, ""), (5, "├─ "), (6, "│  └─ "), (7, "└─ "), (9, "")]
