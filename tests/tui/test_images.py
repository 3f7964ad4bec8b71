"""Images: pulled with progress, run by a form that judges while one types, removed with a warning."""

from __future__ import annotations

import socket
import sqlite3
import time
from contextlib import closing

import pytest
from textual import events

from engine.engine import Engine
from engine.images.host import add_host_image
from engine.models import Container, Image, State
from engine.settings import Settings
from engine.state.database import Database
from tests.support.layers import LayerTar
from tests.support.registry import RegistryServer
from tests.tui.conftest import Open, sleeper
from tui.panes.container_actions import STOP


def add_image(settings: Settings, reference: str, *, marker: str) -> None:
    database = Database(settings.database)
    try:
        add_host_image(settings, database, reference, python=False, config={"Labels": {"marker": marker}})
    finally:
        database.close()


async def test_a_pull_shows_its_progress_and_the_image(dashboard: Open):
    layer = LayerTar().file("data", b"x" * 300_000).build()
    async with RegistryServer() as registry, dashboard(140, 40) as driver:
        registry.put_image("team/app", "1", [layer])
        await driver.press("P")
        await driver.shows("Pull an image")
        await driver.type("UPPER")
        await driver.shows("must be lowercase")
        for _ in range(5):
            await driver.press("backspace")
        await driver.type(f"{registry.host}/team/app:1")
        await driver.press("enter")
        await driver.says(f"pulled {registry.host}/team/app:1")
        await driver.shows("team/app:1", "Images 1")
        assert driver.world.log[-1].command == f"pilothouse pull {registry.host}/team/app:1"


async def test_a_pull_can_be_watched_and_cancelled(dashboard: Open):
    import random

    layer = LayerTar().file("data", random.Random(1).randbytes(2_000_000)).build()
    async with RegistryServer() as registry, dashboard(140, 40) as driver:
        registry.put_image("team/slow", "1", [layer])
        registry.faults.throttle = 200_000
        driver.app.start_pull(f"{registry.host}/team/slow:1")
        await driver.shows("pulling", "%")
        await driver.press("P")
        await driver.shows("Cancel the pull")
        await driver.press("b")
        await driver.until(lambda: "Cancel the pull" not in driver.text, "the dialog went to the background")
        await driver.shows("P: show and cancel")
        await driver.press("P")
        await driver.shows("Cancel the pull")
        await driver.press("escape")
        await driver.says("cancelled")
        assert not driver.world.images


async def test_a_refused_pull_says_why_and_what_to_do(dashboard: Open):
    async with RegistryServer(auth="basic") as registry, dashboard() as driver:
        registry.put_image("team/app", "1", [LayerTar().file("a", b"b").build()])
        driver.app.start_pull(f"{registry.host}/team/app:1")
        await driver.until(lambda: driver.world.log and driver.world.log[-1].state == "failed", "the pull failed")
        assert "login" in f"{driver.last} {driver.world.log[-1].hint}"
        await driver.shows("Pull failed", "The registry said", "Likely cause", f"L  log in to {registry.host}")


async def test_the_form_runs_a_container_and_goes_to_it(dashboard: Open, image: Image):
    async with dashboard() as driver:
        await driver.press("n")
        await driver.shows("Run a container", "needed")
        await driver.type("localhost/small:1")
        await driver.shows("✓ here")
        await driver.press("tab")
        await driver.type("mine")
        await driver.press("tab")
        await driver.type("sleep 1000")
        await driver.shows("$ pilothouse run -d --name mine localhost/small:1 sleep 1000")
        await driver.press("ctrl+g")
        await driver.says("started mine")
        await driver.shows("mine", "running")
        assert driver.world.log[-1].command == "pilothouse run -d --name mine localhost/small:1 sleep 1000"
        await driver.until(lambda: driver.app.dashboard.containers.current().name == "mine", "the cursor is on it")


async def test_the_form_finds_a_taken_name_and_port_and_mends_them(dashboard: Open, engine: Engine, image: Image):
    await engine.create(sleeper("mine"))
    with socket.create_server(("0.0.0.0", 0)) as holder, socket.socket() as other:
        other.bind(("", 0))
        port = holder.getsockname()[1]
        async with dashboard() as driver:
            await driver.press("2", "enter")
            await driver.shows("localhost/small:1")
            await driver.type("mine")
            await driver.shows("taken by", "1 problem")
            await driver.press("f2")
            await driver.shows("mine-2", "✓ free")
            await driver.press("tab", "tab")
            await driver.type(f"{port}:80")
            await driver.shows("✗ taken by")
            await driver.press("ctrl+g")  # leads to the problem, runs nothing
            await driver.pilot.pause(0.3)
            assert len(driver.world.containers) == 1
            await driver.press("f2")
            await driver.until(lambda: f"{port} is taken" not in driver.text, "another port")


async def test_a_pasted_docker_line_fills_the_form(dashboard: Open, image: Image):
    async with dashboard(120, 40) as driver:
        await driver.press("n")
        await driver.shows("Run a container", "needed")
        line = "docker run --rm -d --name pasted -p 18999:80 -e A=1 --memory 64m localhost/small:1 sleep 1"
        driver.app.post_message(events.Paste(line))
        await driver.shows("-p 18999:80", "A=1", "--memory 64m", "sleep 1", "[x] Remove (--rm)")
        driver.app.screen.query_one("#image").value = ""
        driver.app.post_message(events.Paste("docker run --gpus all nginx"))
        await driver.shows("gpus")


async def test_escape_throws_a_changed_form_away_only_when_pressed_twice(dashboard: Open, image: Image):
    async with dashboard() as driver:
        await driver.press("n", "escape")
        await driver.until(lambda: "Run a container" not in driver.text, "an untouched form just closes")
        await driver.press("n")
        await driver.type("x")
        await driver.press("escape")
        await driver.shows("changed: esc again")
        await driver.press("escape")
        await driver.until(lambda: "Run a container" not in driver.text, "closed")


async def test_layers_and_users_of_an_image_are_shown(dashboard: Open, web: Container):
    async with dashboard() as driver:
        await driver.press("2")
        await driver.shows("used by", "web", "MADE BY", "localhost/small:1")


async def test_removing_a_used_image_names_its_users_and_the_containers_go_on(dashboard: Open, web: Container):
    async with dashboard() as driver:
        await driver.press("2", "d")
        await driver.shows("Remove localhost/small:1?", "used by web")
        await driver.press("y")
        await driver.until(lambda: driver.world.log and driver.world.log[-1].state != "running", "answered")
        assert driver.container("web").state is State.RUNNING
        await driver.shows("Images")


async def test_several_images_are_removed_with_one_command_and_one_sentence(
    dashboard: Open, image: Image, settings: Settings
):
    for number in (1, 2):
        add_image(settings, f"localhost/more:{number}", marker=str(number))
    async with dashboard(120, 40) as driver:
        await driver.press("2")
        await driver.until(lambda: len(driver.world.images) == 3, "three images")
        await driver.press("A", "d")
        await driver.shows("Remove 3 images?")
        await driver.press("y")
        await driver.says("removed 3 images")
        await driver.until(lambda: not driver.world.images, "none is left")
        assert len(driver.world.log) == 1
        assert sorted(driver.world.log[0].command.split()[2:]) == [
            "localhost/more:1",
            "localhost/more:2",
            "localhost/small:1",
        ]


async def test_what_could_not_be_done_to_some_of_many_stands_in_one_panel(
    dashboard: Open, engine: Engine, image: Image, settings: Settings
):
    for number in (1, 2):
        add_image(settings, f"localhost/more:{number}", marker=str(number))
    gone = [await engine.create(sleeper(name)) for name in ("one", "two")]
    there = await engine.run(sleeper("three"))
    async with dashboard(120, 40) as driver:
        await driver.press("2")
        await driver.until(lambda: len(driver.world.images) == 3, "three images")
        chosen = list(driver.world.images)
        for name in ("localhost/more:1", "localhost/more:2"):
            await engine.remove_image(name)
        driver.app.dashboard.images._remove([image for image in chosen if not image.used_by], False)
        await driver.shows("removed 0 of 2", "✗ localhost/more:1", "✗ localhost/more:2", "y copy")
        await driver.press("y")
        assert "localhost/more:1  No such image" in driver.app.clipboard
        await driver.press("escape")
        for container in gone:
            await engine.remove(container.id)
        driver.app.operations.on_containers(STOP, [*gone, there], line="pilothouse stop one two three")
        await driver.shows("stopped 1 of 3", "✗ one  No such container", "✗ two  No such container")
        await driver.press("enter")
        assert driver.last.endswith("1 more failed")


async def test_a_damaged_image_is_named_and_the_others_are_listed(dashboard: Open, image: Image, settings: Settings):
    add_image(settings, "localhost/more:1", marker="1")
    with closing(sqlite3.connect(settings.database)) as connection, connection:
        connection.execute(
            "UPDATE images SET config = '{' WHERE id IN (SELECT image_id FROM image_tags WHERE reference LIKE '%more%')"
        )
    async with dashboard(100, 30) as driver:
        await driver.press("2")
        await driver.shows("2 Images 1", "localhost/small:1", "localhost/more:1) in the database is damaged")
        await driver.says("`pilothouse system check` restores it")


async def test_how_old_an_image_is_goes_on_by_itself(dashboard: Open, image: Image, monkeypatch: pytest.MonkeyPatch):
    real, later = time.time, 0.0
    monkeypatch.setattr(time, "time", lambda: real() + later)
    async with dashboard() as driver:
        await driver.press("escape", "2")
        await driver.shows("localhost/small:1", "s old")
        later = 2 * 3600.0
        await driver.until(lambda: driver.text.count("2h") == 2, "the age in the list, and that among the facts")
