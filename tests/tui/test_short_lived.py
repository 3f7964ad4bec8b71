"""A start went well, and what it started is over again: the row does not go on saying that it was started."""

from __future__ import annotations

import re
from dataclasses import replace

from engine.engine import Engine
from engine.models import Container, Event, Image, RunOptions, State
from tests.tui.conftest import Open, sleeper
from tui.short_lived import ShortLived
from tui.state.world import World


async def test_what_ends_right_after_its_start_is_told_with_code_and_length(
    dashboard: Open, engine: Engine, image: Image
):
    await engine.run(RunOptions(image="localhost/small:1", name="brief", command=("sh", "-c", "exit 3"), detach=True))
    async with dashboard(120, 40) as driver:
        await driver.select("brief")
        await driver.shows("exit 3")
        await driver.press("s")
        await driver.says("started brief")
        await driver.says("brief exited (3) after ")
        await driver.shows("✗ brief exited (3) after ", "it chose to stop")
        assert "✓ started brief" not in driver.text
        driver.app.open_run_form("localhost/small:1")
        await driver.shows("Run a container", "✓ here")
        driver.app.screen.query_one("#name").value = "once"
        driver.app.screen.query_one("#command").value = "true"
        await driver.press("ctrl+g")
        await driver.shows("✓ once exited (0) after ")


async def test_what_removes_itself_is_told_too(dashboard: Open, image: Image):
    async with dashboard(120, 40) as driver:
        await driver.until(lambda: driver.world.images, "the image is known")
        driver.app.open_run_form("localhost/small:1")
        await driver.shows("Run a container", "✓ here")
        driver.app.screen.query_one("#name").value = "once"
        driver.app.screen.query_one("#command").value = "sh -c 'exit 4'"
        driver.app.screen.query_one("#remove").value = True
        await driver.press("ctrl+g")
        await driver.shows("✗ once exited (4) ")
        await driver.until(lambda: not driver.world.containers, "gone, also from the list")


def test_of_what_is_gone_before_it_was_seen_to_end_the_events_tell():
    world = World()
    ShortLived(world, ["c1"], began=100.0)
    assert not world.log, "of its end nothing is known"
    world.events.append(Event(99.0, "container", "die", "c1", "once", {"exitCode": "1"}, 1))
    world.events.append(Event(101.0, "container", "die", "c1", "once", {"exitCode": "4"}, 2))
    ShortLived(world, ["c1"], began=100.0)
    assert [(entry.state, entry.sentence) for entry in world.log] == [("failed", "once exited (4) and was removed")]


async def test_what_an_action_returns_late_does_not_hide_what_came_after(dashboard: Open, web: Container):
    async with dashboard() as driver:
        await driver.select("web")
        ended = replace(web, state=State.EXITED, pid=0, finished=web.started + 1)
        driver.world.put(ended)
        driver.app.operations.put(web)
        assert driver.world.containers[web.id] is ended
        driver.app.operations.put(again := replace(web, started=web.started + 2))
        assert driver.world.containers[web.id] is again


async def test_of_several_each_end_is_told_and_an_end_that_was_asked_for_is_not(
    dashboard: Open, engine: Engine, image: Image
):
    for name in ("one", "two"):
        await engine.create(RunOptions(image="localhost/small:1", name=name, command=("true",)))
    await engine.create(sleeper("long"))
    async with dashboard(120, 40) as driver:
        await driver.shows("one", "two", "long")
        await driver.press("A", "s")
        await driver.says("started 3 containers")
        await driver.until(lambda: driver.last.count("exited (0)") == 2, "both ends are told in one sentence")
        await driver.press("escape")
        await driver.select("long")
        await driver.press("s")
        await driver.says("stopped long")
        await driver.shows("✓ stopped long")
        assert not any("long exited" in entry.sentence for entry in driver.world.log)


async def test_the_log_and_the_card_tell_the_same_length_of_a_run(dashboard: Open, engine: Engine, image: Image):
    for number in range(3):
        await engine.run(RunOptions(image="localhost/small:1", name=f"brief-{number}", command=("echo", "hi")))
    async with dashboard(160, 50) as driver:
        for number in range(3):
            await driver.select(f"brief-{number}")
            await driver.shows(f"brief-{number} exited", "run 1 · exited 0 after")
            ran = re.search(r"ran (\S+ ms)", driver.text)
            after = re.search(r"exited 0 after (\S+ ms)", driver.text)
            assert ran is not None
            assert after is not None
            assert ran[1] == after[1]
