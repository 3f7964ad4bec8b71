"""A dashboard that nobody uses looks less often at what changes by itself."""

from __future__ import annotations

import time
from collections import Counter
from itertools import pairwise

import pytest

from engine.engine import Engine
from engine.models import Container, Listener
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


async def test_left_alone_it_looks_at_ports_half_as_often(
    dashboard: Open, web: Container, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("tui.app.ALONE", -1.0)
    monkeypatch.setattr("tui.ports.lookout.LOOK", 0.5)
    looks: list[float] = []
    listeners = Engine.listeners

    async def counted(engine: Engine, container: str) -> tuple[Listener, ...]:
        looks.append(time.monotonic())
        return await listeners(engine, container)

    monkeypatch.setattr(Engine, "listeners", counted)
    async with dashboard(200, 40) as driver:
        await driver.select("web")
        await driver.until(lambda: len(looks) >= 5, "it looks again and again")
    assert min(later - sooner for sooner, later in pairwise(looks[2:])) > 0.9


async def test_a_key_or_the_mouse_is_use_and_time_alone_is_not(dashboard: Open, web: Container):
    async with dashboard() as driver:
        for use in (driver.press("down"), driver.pilot.hover(offset=(3, 3))):
            driver.app._used -= 100
            assert driver.app.is_alone
            await use
            assert not driver.app.is_alone
