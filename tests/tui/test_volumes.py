"""The volumes by keys alone, on the real engine."""

from __future__ import annotations

from pathlib import Path

from engine.engine import Engine
from engine.models import Image, Mount
from tests.tui.conftest import Driver, Open, sleeper


async def used(engine: Engine, name: str, volume: str) -> None:
    await engine.run(sleeper(name, mounts=(Mount("volume", "/data", volume),)))


async def filled(engine: Engine, name: str, content: bytes) -> None:
    volume = await engine.create_volume(name)
    Path(volume.path, "file").write_bytes(content)


def rows(driver: Driver) -> list[str]:
    pane = driver.app.dashboard.volumes
    return [row.key for row in pane.table.rows] if pane is not None else []


async def test_without_volumes_the_list_says_how_one_is_made(dashboard: Open, image: Image):
    async with dashboard() as driver:
        await driver.press("5")
        await driver.shows("5 Volumes", "No volumes. A container creates one with -v name:/path.")
        await driver.press("d", "enter", "c")
        assert driver.app.screen is driver.app.dashboard


async def test_each_volume_has_its_size_and_its_users_and_enter_goes_to_one(
    dashboard: Open, engine: Engine, image: Image
):
    await filled(engine, "data", b"x" * 4200)
    await used(engine, "web", "shared")
    await used(engine, "api", "shared")
    async with dashboard() as driver:
        await driver.shows("2 Images 1  5 Volumes 2")
        await driver.press("5")
        await driver.shows("VOLUME", "data", "4.1K", "unused", "shared", "api +1", "0B")
        assert driver.app.dashboard.volumes is not None
        assert "Enter Used by" not in driver.text
        await driver.press("j")
        await driver.shows("Enter Used by", "shared: used by api, web.")
        assert "d Delete" not in driver.text
        await driver.press("d")
        await driver.says("shared: in use by api, web")
        await driver.press("enter")
        await driver.until(lambda: driver.app.dashboard.containers.table.has_focus, "the list of containers")
        container = driver.container("api")
        assert container is not None
        assert driver.world.subject == container.id


async def test_what_another_terminal_does_to_volumes_shows_by_itself(dashboard: Open, engine: Engine, image: Image):
    async with dashboard(140, 40) as driver:
        await driver.shows("2 Images 1")
        assert "Volumes" not in driver.text
        await engine.create_volume("fresh")
        await driver.shows("5 Volumes 1", "fresh", "unused")
        await used(engine, "web", "fresh")
        await driver.until(lambda: "unused" not in driver.text, "it is used")
        await engine.remove("web", force=True)
        await driver.shows("unused")
        await engine.remove_volume("fresh")
        await driver.until(lambda: "5 Volumes" not in driver.text, "the list has gone")


async def test_remove_says_what_is_lost_and_takes_only_what_nothing_uses(dashboard: Open, engine: Engine, image: Image):
    await filled(engine, "data", b"x" * 4200)
    await engine.create_volume("empty")
    await used(engine, "web", "shared")
    async with dashboard() as driver:
        await driver.press("5")
        await driver.shows("data", "4.1K", "shared")
        await driver.press("A")
        await driver.shows("3 marked", "d Delete 3")
        await driver.press("d")
        await driver.shows(
            "Remove 2 volumes?",
            "data  DATA LOSS: its 4.1K are gone for good",
            "empty  it is empty",
            "1 marked volume in use: it stays.",
        )
        await driver.press("enter")  # Cancel has the focus
        await driver.until(lambda: driver.app.screen is driver.app.dashboard, "the question is gone")
        assert len(await engine.volumes()) == 3
        await driver.press("d", "y")
        await driver.says("removed 2 volumes")
        await driver.until(lambda: rows(driver) == ["shared"], "what is in use stays")
        assert any(entry.command == "pilothouse volume rm data empty" for entry in driver.world.log)


async def test_volumes_are_copied_sorted_filtered_and_the_list_is_remembered(
    dashboard: Open, engine: Engine, image: Image
):
    await filled(engine, "alpha", b"x")
    await filled(engine, "beta", b"x" * 100)
    async with dashboard() as driver:
        await driver.press("5", "c")
        await driver.shows("Copy from alpha", "flag that mounts it")
        await driver.press("v")
        await driver.until(lambda: driver.app.clipboard == "-v alpha:/data", "the flag was copied")
        await driver.shows("100B")
        while driver.app.dashboard.volumes.table.sort_column != "size":  # type: ignore[union-attr]
            await driver.press("S")
        await driver.until(lambda: rows(driver) == ["beta", "alpha"], "the largest first")
        await driver.press("slash")
        await driver.type("zz")
        await driver.shows("0 of 2 match `zz`. Esc clears.")
        await driver.press("escape", "slash")
        await driver.type("status:unused")
        await driver.press("enter", "q")
    async with dashboard() as driver:
        await driver.until(lambda: rows(driver) == ["beta", "alpha"], "the list of last time, in its order")
        await driver.shows("status:unused")


async def test_prune_never_ticks_a_volume_by_itself(dashboard: Open, engine: Engine, image: Image):
    await filled(engine, "data", b"x" * 4200)
    async with dashboard(100, 24) as driver:
        await driver.press("5")
        await driver.shows("data")
        await driver.press("X")
        await driver.shows("[ ]", "unused volume", "DATA LOSS")
        assert "[x]" not in driver.text
        await driver.press("y")
        assert [volume.name for volume in await engine.volumes()] == ["data"]
        while driver.app.screen.query_one("Table").cursor_key != "volume:data":  # type: ignore[attr-defined]
            await driver.press("j")
        await driver.press("space", "y")
        await driver.says("1 volume")
        await driver.until(lambda: not driver.world.volumes, "the volume is gone")
        assert driver.world.log[-1].command == "pilothouse volume rm data"
