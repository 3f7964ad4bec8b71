"""Prune shows what would go and the bytes freed before anything goes."""

from __future__ import annotations

from engine.engine import Engine
from engine.images import blobs
from engine.models import Image, Mount, RunOptions
from engine.settings import Settings
from tests.tui.conftest import Open, sleeper


async def test_what_can_be_had_again_is_ticked_and_y_prunes_it(dashboard: Open, engine: Engine, image: Image):
    await engine.create(sleeper("ended"))
    mounts = (Mount("volume", "/data", "kept"),)
    await engine.run(RunOptions("localhost/small:1", ("sh", "-c", "echo 1 > /data/f"), name="other", mounts=mounts))
    await engine.wait("other")
    await engine.remove("other")
    async with dashboard() as driver:
        await driver.press("X")
        await driver.shows(
            "Prune: what would go",
            "[x]  stopped container  ended",
            "[ ]  unused image",
            "[ ]  unused volume",
            "DATA LOSS",
            "frees 0B of",
        )
        await driver.press("j", "space")
        await driver.shows("[x]  unused image")
        await driver.until(lambda: "frees 0B" not in driver.text, "the image's bytes are counted")
        await driver.press("k", "space")
        await driver.shows("kept by ended", "frees 0B of")
        await driver.press("space")
        await driver.shows("once ended is gone")
        await driver.press("y")
        await driver.says("freed (1 container, ")
        await driver.until(lambda: not driver.world.containers and not driver.world.images, "gone")
        assert "pilothouse system prune -a" in [entry.command for entry in driver.world.log]
        assert [item.id for item in (await engine.stock()).items] == ["kept"]


async def test_with_nothing_to_prune_it_says_so(dashboard: Open):
    async with dashboard() as driver:
        await driver.press("2", "X")
        await driver.shows("Nothing to prune")
        await driver.press("y", "escape")
        await driver.until(lambda: "Prune:" not in driver.text, "closed")
        assert not driver.world.log


async def test_what_unfinished_pulls_have_left_is_named_without_its_beginning_cut_off(
    dashboard: Open, settings: Settings, image: Image
):
    blobs.partial(settings, f"sha256:{'a' * 64}").write_bytes(bytes(999))
    async with dashboard(80, 24) as driver:
        await driver.press("X")
        await driver.shows("[x]  unfinished pulls  layers  ")
