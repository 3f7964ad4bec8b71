"""What all lists do: filters, orders, marks."""

from __future__ import annotations

from engine.engine import Engine
from engine.models import Image
from tests.tui.conftest import Driver, Open, sleeper


async def test_where_only_what_runs_is_shown_a_filter_still_finds_the_rest(
    dashboard: Open, engine: Engine, image: Image
):
    await engine.run(sleeper("web"))
    await engine.create(sleeper("idle"))
    async with dashboard() as driver:
        await driver.shows("web", "idle")
        await driver.press("a", "slash")
        await driver.type("idl")
        await driver.shows("0 of 1 match `idl`. Esc clears.", "1 more does, not running: a shows all.")
        await driver.press("escape", "slash")
        await driver.type("status:created")
        await driver.until(lambda: driver.app.dashboard.containers.table.rows, "what the state asks for")
        await driver.shows("idle")
        assert "(running)" not in driver.text, "the title does not say that only what runs is listed"


async def test_sorting_goes_through_the_columns_each_both_ways_and_is_remembered(
    dashboard: Open, engine: Engine, image: Image
):
    for name in ("beta", "alpha"):
        await engine.create(sleeper(name))

    def names(driver: Driver) -> list[str]:
        return [row.cells[0][0][0] for row in driver.app.dashboard.containers.table.rows]

    async with dashboard() as driver:
        await driver.press("S")
        await driver.shows("NAME ▲", "S:name ▲")
        assert names(driver) == ["alpha", "beta"]
        await driver.press("S")
        await driver.shows("NAME ▼", "S:name ▼")
        assert names(driver) == ["beta", "alpha"]
        await driver.press("S")
        await driver.shows("STATE ▲")
        driver.app.dashboard.containers._sort("name", down=True)
        await driver.press("q")
    async with dashboard() as driver:
        await driver.shows("NAME ▼")
        await driver.pilot.click("#containers Table", offset=(5, 0))
        await driver.until(lambda: not driver.app.dashboard.containers.table.sort_column, "the engine's order")
        await driver.pilot.click("#containers Table", offset=(5, 0))
        await driver.shows("NAME ▲")
        await driver.pilot.click("#containers Table", offset=(5, 0))
        await driver.shows("NAME ▼")


async def test_sorting_by_key_leaves_out_a_column_that_gives_the_order_of_another(dashboard: Open, image: Image):
    async with dashboard(140, 40) as driver:
        pane = driver.app.dashboard.containers
        seen = []
        while not seen or pane.table.sort_column:
            await driver.press("S")
            seen.append(pane.table.sort_column)
        assert "cpu_trend" in pane.sorts, "a click on its heading sorts"
        assert seen[seen.index("cpu") : seen.index("cpu") + 3] == ["cpu", "cpu", "memory"]


async def test_the_logs_of_marked_containers_are_merged_from_the_list(dashboard: Open, engine: Engine, image: Image):
    for name in ("one", "two"):
        await engine.run(sleeper(name))
    async with dashboard(140, 24) as driver:
        await driver.shows("one", "two", "s Stop")
        assert "M Merge" not in driver.text
        await driver.press("M")
        await driver.says("mark two or more containers first")
        await driver.press("A")
        await driver.shows("M Merge 2")
        await driver.press("slash")
        await driver.type("two")
        await driver.press("enter", "M")
        await driver.says("1 of the 2 marked cannot be seen; Esc clears the filter")
        await driver.press("escape", "M")
        await driver.shows("two + one · Logs", "2 merged")
        await engine.stop("two")
        await driver.press("1", "a")
        await driver.shows("Containers 1", "2 marked, 1 hidden")
        await driver.press("M")
        await driver.says("1 of the 2 marked cannot be seen; a shows all")


async def test_marks_outlast_a_restart_that_a_filter_hides_and_keys_leave_alone_what_is_hidden(
    dashboard: Open, engine: Engine, image: Image
):
    for name in ("one", "two", "three"):
        await engine.run(sleeper(name))
    async with dashboard() as driver:
        await driver.shows("one", "two", "three")
        await driver.press("slash")
        await driver.type("status:running")
        await driver.press("enter")
        await driver.select("three")
        await driver.press("g", "space", "space")
        await driver.shows("2 marked", "r Restart 2")
        marked = set(driver.app.dashboard.containers.table.marks)
        await driver.press("r")
        await driver.says("restarted 2 containers")
        await driver.until(lambda: driver.app.dashboard.containers.table.hidden_marks == 0, "both have a row again")
        await driver.shows("2 marked", "r Restart 2")
        await driver.press("s")
        await driver.says("stopped 2 containers")
        await driver.shows("1 of 3 · 2 marked, 2 hidden")
        assert driver.app.dashboard.containers.table.marks == marked
        assert "s Stop" not in driver.text
        assert "d Delete" not in driver.text
        await driver.press("s")
        await driver.says("the 2 that are marked are hidden, and nothing was done; Esc clears")
        await driver.press("d")
        assert "Remove" not in driver.text
        assert driver.world.running == 1
        for key in marked:
            await engine.remove(key)
        await driver.until(lambda: "hidden" not in driver.text.splitlines()[1], "marks go with what is removed")
        await driver.shows("Containers 1", "s Stop")
