"""The first run: real checks of this machine, something to run at a key, a tour that ends for good."""

from __future__ import annotations

from pathlib import Path

from engine.engine import Engine
from engine.models import Container, Image
from engine.settings import Settings
from tests.conftest import traces
from tests.support.layers import LayerTar
from tests.support.registry import RegistryServer
from tests.tui.conftest import Open
from tui.state import memory
from tui.welcome import checks
from tui.welcome.tour import SENTENCES


async def test_what_a_container_needs_is_tried_for_real_and_leaves_nothing(settings: Settings):
    settings.root.mkdir(parents=True)
    found = {check.name: check for check in await checks.of_machine(settings)}
    assert list(found) == ["namespaces", "overlayfs", "cgroups", "network", "ports"]
    assert all(check.good for check in found.values()), found
    assert list(settings.root.iterdir()) == [] and traces(settings) == []


async def test_a_root_that_cannot_hold_an_overlay_is_told():
    # /proc holds no directory anybody makes: the trial has no place, which is what a read-only root looks like
    found = {
        check.name: check for check in await checks.of_machine(Settings(Path("/proc/ph/root"), Path("/proc/ph/run")))
    }
    assert found["overlayfs"].good  # nothing of the path exists: the trial is made where temporary files are
    found = {check.name: check for check in await checks.of_machine(Settings(Path("/proc"), Path("/proc")))}
    assert not found["overlayfs"].good and "/proc" in found["overlayfs"].how


async def test_the_registry_is_looked_for_where_images_would_come_from(private_home: Path):
    config = private_home / "config" / "pilothouse" / "config.toml"
    config.parent.mkdir(parents=True)
    async with RegistryServer() as registry:
        config.write_text(f'[registry.mirrors]\n"docker.io" = ["http://{registry.host}"]\n')
        assert (await checks.of_registry()).good
    found = await checks.of_registry()
    assert not found.good and registry.host in found.how


async def test_the_welcome_says_what_it_found_and_how_to_go_on(dashboard: Open, private_home: Path):
    config = private_home / "config" / "pilothouse" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text('[registry.mirrors]\n"docker.io" = ["http://127.0.0.1:9"]\n')  # nobody listens there
    async with dashboard() as driver:
        await driver.shows("Welcome aboard", "✓ namespaces", "✓ overlayfs", "cgroup v", "! no network", "the demo")
        await driver.shows("No network: load an archive (L). The demo", "Nothing is pulled or started until")
        assert driver.app.dashboard._welcome.table.cursor_key == "demo"
        await driver.press("i")
        await driver.shows("127.0.0.1:9:")
        await driver.press("escape")
        await driver.shows("1 Containers", "No containers yet")
        assert "Welcome aboard" not in driver.text.splitlines()[1]


async def test_enter_pulls_and_runs_what_was_typed_and_the_lists_appear(dashboard: Open, settings: Settings):
    layer = LayerTar().file("hello", b"x").build()
    async with RegistryServer() as registry, dashboard(120, 30) as driver:
        registry.put_image("team/app", "1", [layer], config={"Cmd": ["/hello"]})
        await driver.press("slash")
        await driver.type("UPPER")
        await driver.press("enter")
        await driver.says("must be lowercase")
        for _ in range(5):
            await driver.press("backspace")
        await driver.type(f"{registry.host}/team/app:1")
        await driver.press("enter")
        await driver.shows("1 Containers", "team/app")
        await driver.until(lambda: len(driver.world.images) == 1, "pulled")
        assert not driver.app.dashboard.has_class("-welcome")
        assert driver.world.log[-1].command == f"pilothouse run -d {registry.host}/team/app:1"


async def test_the_choice_goes_into_the_form_or_is_only_pulled(dashboard: Open, private_home: Path):
    config = private_home / "config" / "pilothouse" / "config.toml"
    config.parent.mkdir(parents=True)
    async with RegistryServer() as registry, dashboard() as driver:
        config.write_text(f'[registry.mirrors]\n"docker.io" = ["http://{registry.host}"]\n')
        registry.put_image("library/redis", "7-alpine", [LayerTar().file("a", b"x").build()])
        await driver.shows("redis:7-alpine")
        driver.app.dashboard._welcome.table.select("redis")
        await driver.press("n")
        await driver.shows("Run a container", "redis:7-alpine")
        await driver.press("escape")
        await driver.press("p")
        await driver.until(lambda: driver.world.images, "the image came")
        await driver.shows("redis", "No containers.")


async def test_the_demo_is_one_key_away(dashboard: Open, settings: Settings):
    async with dashboard(120, 30) as driver:
        await driver.shows("Welcome aboard")
        await driver.press("D")
        await driver.says("the demo runs")
        await driver.shows("demo-web", "demo-logger", "demo-job")


async def test_the_tour_has_five_sentences_and_ends_for_good(dashboard: Open, web: Container):
    memory.remember(tour="")
    async with dashboard(120, 30) as driver:
        await driver.shows("Tour 1/5", "s starts and stops")
        for place in range(2, 6):
            await driver.press("f3")
            await driver.shows(f"Tour {place}/5")
        await driver.press("f3")
        await driver.until(lambda: "Tour" not in driver.text, "the tour ended")
    assert len(SENTENCES) == 5
    async with dashboard(120, 30) as driver:
        await driver.shows("web")
        await driver.pilot.pause(0.1)
        assert "Tour" not in driver.text
        await driver.press("f3")  # asked for, it begins again
        await driver.shows("Tour 1/5")
        await driver.press("f4")
        await driver.until(lambda: "Tour" not in driver.text, "the tour was dismissed")


async def test_the_welcome_returns_when_everything_is_gone(dashboard: Open, engine: Engine, image: Image):
    async with dashboard() as driver:
        await driver.shows("No containers.")
        await engine.remove_image("localhost/small:1")
        await driver.shows("Welcome aboard")


async def test_enter_on_a_choice_runs_it_with_the_command_line_shown(dashboard: Open, private_home: Path):
    config = private_home / "config" / "pilothouse" / "config.toml"
    config.parent.mkdir(parents=True)
    async with RegistryServer() as registry, dashboard(120, 40) as driver:
        config.write_text(f'[registry.mirrors]\n"docker.io" = ["http://{registry.host}"]\n')
        registry.put_image("library/busybox", "latest", [LayerTar().file("a", b"x").build()])
        await driver.shows("busybox")
        driver.app.dashboard._welcome.table.select("busybox")
        await driver.press("enter")
        await driver.until(lambda: driver.world.images, "the image came")
        commands = [entry.command for entry in driver.world.log]
        assert any(line.startswith("pilothouse run -d --name clock busybox sh -c") for line in commands), commands
