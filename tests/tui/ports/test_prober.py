"""When ports are knocked at: counted by the containers' own words."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from engine.engine import Engine
from engine.models import Container, LogQuery
from tests.tui.ports.conftest import Serve
from tui.ports.prober import Prober
from tui.state.world import World

TURN = 0.1  # seconds between knocks, instead of ten


class Knocker:
    """A prober at work on a real engine, for a screen on which `visible` are looked at."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.world = World()
        self.visible: set[str] = set()
        self.prober = Prober(self.world, self._ready, lambda: self.visible)

    async def _ready(self) -> Engine:
        return self.engine

    async def refresh(self) -> None:
        self.world.put_all(await self.engine.containers())

    async def heard(self, words: bytes) -> int:
        return len([line async for line in self.engine.logs("many") if words in line.text])

    async def until_heard(self, times: int) -> None:
        async with asyncio.timeout(5):
            async for line in self.engine.logs("many", LogQuery(follow=True)):
                times -= b"pilothouse-probe" in line.text
                if not times:
                    return

    def kinds(self) -> list[str]:
        return sorted(probe.kind for probe in self.world.ports.probes.values())

    async def until(self, *kinds: str) -> None:
        async with asyncio.timeout(15):
            told = asyncio.Event()
            self.world.watch(told.set, "ports")
            while self.kinds() != sorted(kinds):
                told.clear()
                await told.wait()


@pytest.fixture
async def knocker(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Knocker]:
    monkeypatch.setattr("tui.ports.prober.AGAIN", TURN)
    knocker = Knocker(engine)
    work = asyncio.create_task(knocker.prober.run())
    yield knocker
    work.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await work


async def ready(engine: Engine, container: Container) -> None:
    async with asyncio.timeout(15):
        async for line in engine.logs(container.id, LogQuery(follow=True)):
            if line.text == b"ready":
                return


async def test_a_port_nobody_looks_at_is_knocked_at_until_it_answers_and_then_left_alone(
    knocker: Knocker, serve: Serve
):
    await ready(knocker.engine, await serve(80))
    await knocker.refresh()
    await knocker.until("http")
    await asyncio.sleep(5 * TURN)
    assert await knocker.heard(b"pilothouse-probe") == 1
    knocker.visible = {container.id for container in await knocker.engine.containers()}
    await knocker.until_heard(4)


async def test_what_speaks_no_http_is_disturbed_once(knocker: Knocker, serve: Serve):
    container = await serve(6000)
    await ready(knocker.engine, container)
    knocker.visible = {container.id}
    await knocker.refresh()
    await knocker.until("tcp")
    before = await knocker.heard(b"mute heard")
    await asyncio.sleep(5 * TURN)
    assert await knocker.heard(b"mute heard") == before


async def test_switched_off_nothing_is_sent(knocker: Knocker, serve: Serve):
    container = await serve(80)
    knocker.world.ports.probing = False
    await ready(knocker.engine, container)
    knocker.visible = {container.id}
    await knocker.refresh()
    await asyncio.sleep(5 * TURN)
    assert knocker.kinds() == []
    found = await knocker.prober.now(container, container.ports[0])
    assert found.kind == "http"
    await knocker.until_heard(1)


async def test_what_was_found_ends_with_the_container_and_begins_anew_with_it(knocker: Knocker, serve: Serve):
    container = await serve(80)
    await knocker.refresh()
    await knocker.until("http")
    await knocker.engine.stop(container.id, grace=0)
    await knocker.refresh()
    await knocker.until()
    await knocker.engine.start(container.id)
    await knocker.refresh()
    await knocker.until("http")
