"""`L`: an archive's path is asked for, and its images are loaded while the dashboard goes on."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Input

from engine.engine import Engine
from engine.models import Image
from tests.conftest import SMALL
from tests.tui.conftest import Driver, Open
from tui.loading import said


@pytest.fixture
async def archive(engine: Engine, image: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`localhost/small:1` in a file of the working directory, and no more in the store."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "a small one.tar"
    await engine.save([SMALL], str(file))
    await engine.remove_image(SMALL)
    return file


async def ask(driver: Driver, path: str) -> None:
    await driver.shows("Load an archive")
    field = driver.app.screen.query_one(Input)
    field.value = path
    field.action_end()
    await driver.pilot.pause()


async def test_without_a_network_the_welcome_loads_an_archive(dashboard: Open, archive: Path, private_home: Path):
    config = private_home / "config" / "pilothouse" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text('[registry.mirrors]\n"docker.io" = ["http://127.0.0.1:9"]\n')  # nobody listens there
    async with dashboard() as driver:
        await driver.shows("No network: load an archive (L)", "L Load")
        await driver.press("L")
        await ask(driver, "a small one.tar")
        await driver.shows("→ ", "M")
        await driver.press("enter")
        await driver.says(f"loaded {SMALL}")
        await driver.shows("localhost/small:1", "1 Containers")  # the lists have taken the place of the welcome
        entry = next(entry for entry in driver.world.log if entry.command.startswith("pilothouse load"))
        assert (entry.command, entry.state) == (f"pilothouse load -i '{archive}'", "ok")


async def test_in_the_list_of_images_it_loads_too_and_a_failure_is_one_sentence(
    dashboard: Open, archive: Path, engine: Engine, tmp_path: Path
):
    await engine.add_host_image("localhost/other:1")
    bad = tmp_path / "bad.tar"
    bad.write_bytes(b"no archive " * 100)
    async with dashboard(100, 30) as driver:
        await driver.shows("2 Images 1")
        await driver.press("2")
        await driver.until(lambda: driver.app.dashboard.images.has_focus_within, "the list has the focus")
        await driver.press("L")
        await ask(driver, str(bad))
        await driver.press("enter")
        await driver.says("this is no image archive")
        await driver.shows("✗ this is no image archive")
        assert driver.world.log[-1].state == "failed" and len(driver.world.images) == 1
        await driver.press("L")
        await ask(driver, str(archive))
        await driver.press("enter")
        await driver.shows("2 Images 2", "localhost/small:1")


async def test_the_palette_and_the_footer_lead_to_it(dashboard: Open, archive: Path, engine: Engine):
    await engine.add_host_image("localhost/other:1")
    async with dashboard(120, 30) as driver:
        await driver.shows("2 Images 1")
        await driver.press("colon")
        await driver.type("images load")
        await driver.shows("Images: Load  (L)")
        await driver.press("enter")
        await driver.shows("Load an archive")
        await driver.press("escape")
        await driver.press("2")
        await driver.shows("L Load")
        line = next(row for row, text in enumerate(driver.text.splitlines()) if "L Load" in text)
        await driver.pilot.click(offset=(driver.text.splitlines()[line].index("L Load"), line))
        await driver.shows("Load an archive")


async def test_what_is_no_file_is_told_while_it_is_typed_and_the_rest_of_a_name_is_offered(
    dashboard: Open, archive: Path, engine: Engine
):
    await engine.add_host_image("localhost/other:1")
    async with dashboard(100, 30) as driver:
        await driver.shows("2 Images 1")
        await driver.press("2", "L")
        await ask(driver, "/nowhere/x")
        await driver.shows("✗ No such file or directory")
        await driver.press("enter")
        await driver.shows("Load an archive")
        await ask(driver, ".")
        await driver.shows("✗ a directory; an archive is a file")
        await ask(driver, "./a sm")
        await driver.shows("./a small one.tar")  # the offer
        await driver.press("right")
        await driver.shows("→ ")
        await driver.press("enter")
        await driver.says("loaded")


def test_many_names_are_counted():
    from engine.models import Loaded

    many = [Loaded("sha256:" + "a" * 64, name) for name in ("a:1", "b:1", "c:1", "d:1", "e:1")]
    assert said(many) == "loaded a:1, b:1, c:1, 2 others"
    assert said([Loaded("sha256:" + "a" * 64)]) == "loaded an image without a name, aaaaaaaaaaaa"
