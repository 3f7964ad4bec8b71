"""The inspect document as a tree, by keys, on a real container."""

from __future__ import annotations

import json

from engine.engine import Engine
from engine.models import Container, Image, RunOptions
from tests.tui.conftest import Driver, Open, sleeper
from tui.inspect.pane import InspectPane, nodes


async def opened(driver: Driver) -> InspectPane:
    await driver.press("i")
    pane = driver.app.dashboard.query_one(InspectPane)
    await driver.until(lambda: pane.outline.total, "the document was read")
    return pane


async def test_it_folds_and_unfolds_by_every_key(dashboard: Open, web: Container):
    async with dashboard(80, 30) as driver:
        await driver.select("web")
        pane = await opened(driver)
        await driver.shows("web · Inspect", "▾ State")
        pane.outline.select(".State")
        await driver.press("enter")
        assert pane.outline.node(".State.Pid") is not None
        await driver.until(lambda: "▸ State" in driver.text and "ExitCode" not in driver.text, "it folded")
        await driver.press("right", "right", "left")
        assert pane.outline.cursor_key == ".State"
        await driver.shows("▾ State", "ExitCode")
        await driver.press("l", "j", "h", "h")
        await driver.until(lambda: "▸ State" in driver.text, "it folded")
        before = len(pane.outline.rows)
        await driver.press("asterisk")
        assert len(pane.outline.rows) > before
        await driver.press("asterisk")
        assert len(pane.outline.rows) < before


async def test_value_and_path_are_copied(dashboard: Open, engine: Engine, image: Image):
    await engine.run(sleeper("web", labels={"com.example/tier": "front"}))
    async with dashboard(80, 30) as driver:
        await driver.select("web")
        pane = await opened(driver)
        await driver.press("slash")
        await driver.type("example")
        await driver.shows("1 of")
        await driver.press("enter", "c")
        assert driver.app.clipboard == "front"
        await driver.press("C")
        assert driver.app.clipboard == '.Config.Labels["com.example/tier"]'
        await driver.press("escape")
        assert not pane.outline.search
        pane.outline.select(".Config")
        await driver.press("c")
        assert json.loads(driver.app.clipboard)["Labels"] == {"com.example/tier": "front"}


async def test_a_search_shows_what_fits_with_what_holds_it(dashboard: Open, web: Container):
    async with dashboard(80, 30) as driver:
        await driver.select("web")
        await opened(driver)
        await driver.press("slash")
        await driver.type("exitcode")
        await driver.until(lambda: "ExitCode" in driver.text and "Hostname" not in driver.text, "only what fits")
        await driver.shows("▾ State", "1 of")
        await driver.type("zzz")
        await driver.shows("match. Esc clears.")
        await driver.press("escape")
        await driver.shows("Created", "▾ State")


async def test_a_long_value_is_shown_whole_and_cannot_steer_the_terminal(dashboard: Open, engine: Engine, image: Image):
    long = "begins " + "x" * 300 + "\x1b[31m[red]\x9b2Jend"
    await engine.create(RunOptions("localhost/small:1", ("true",), name="evil", labels={"\x1b]0;t": long}))
    async with dashboard(80, 30) as driver:
        await driver.select("evil")
        await opened(driver)
        await driver.press("slash")
        await driver.type("begins")
        await driver.shows("1 of")
        assert not set(driver.text) & {"\x1b", "\x9b"}
        await driver.press("enter", "enter")
        await driver.shows("esc close", "begins xxx")
        await driver.press("end", "escape")
        assert not set(driver.text) & {"\x1b", "\x9b"}


def test_paths_are_those_of_jq():
    values: dict[str, object] = {}
    nodes({"a": {"b c": [1, {"d": None}]}, 'q"': "x"}, values)
    assert values == {
        ".a": {"b c": [1, {"d": None}]},
        '.a["b c"]': [1, {"d": None}],
        '.a["b c"][0]': 1,
        '.a["b c"][1]': {"d": None},
        '.a["b c"][1].d': None,
        '.["q\\""]': "x",
    }
