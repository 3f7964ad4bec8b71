"""A dashboard that nobody uses looks less often at what changes by itself."""

from __future__ import annotations

from collections import Counter

import pytest

from engine.models import Container
from tests.tui.conftest import Open

SECONDS = 4


@pytest.mark.parametrize(("alone", "most"), [(-1.0, SECONDS // 2 + 1), (1000.0, SECONDS + 1)])
async def test_left_alone_it_reads_use_every_other_second_and_the_clock_goes_on(
    dashboard: Open, web: Container, monkeypatch: pytest.MonkeyPatch, alone: float, most: int
):
    monkeypatch.setattr("tui.app.ALONE", alone)
    async with dashboard() as driver:
        told: Counter[str] = Counter()
        driver.world.watch(lambda: told.update(["load"]), "load")
        driver.world.watch(lambda: told.update(["stats"]), "stats")
        await driver.until(lambda: told["load"] >= SECONDS, "the clock went on")
        assert most - 2 <= told["stats"] <= most


async def test_a_key_or_the_mouse_is_use_and_time_alone_is_not(dashboard: Open, web: Container):
    async with dashboard() as driver:
        for use in (driver.press("down"), driver.pilot.hover(offset=(3, 3))):
            driver.app._used -= 100
            assert driver.app.is_alone
            await use
            assert not driver.app.is_alone
