"""An engine that is open, as the dashboard's: from a request to a process that runs."""

from __future__ import annotations

import asyncio
import statistics
import time

from engine.engine import Engine
from engine.models import RunOptions
from engine.settings import Settings
from tests.bench.peers import BUSYBOX, ROUNDS, Peer, settings_of
from tests.bench.table import OWN, Table

IDLE = ("sh", "-c", "trap 'exit 0' TERM; while :; do sleep 1000 & wait; done")
SETTLED = 0.2  # seconds between measurements, for what goes on behind a command


def warm(table: Table, everyone: list[Peer]) -> None:
    """A run, and stop + start, without an interpreter's start."""
    runs, cycles = asyncio.run(_warm(settings_of(everyone[0])))
    for what, values, goal in (("run, engine open", runs, 35), ("stop + start, engine open", cycles, 60)):
        table.milliseconds(what, {OWN: statistics.median(values)}, goal, absolute=True)


async def _warm(settings: Settings) -> tuple[list[float], list[float]]:
    runs: list[float] = []
    cycles: list[float] = []
    async with Engine.open(settings) as engine:
        for _ in range(ROUNDS):
            begin = time.perf_counter()
            container = await engine.run(RunOptions(image=BUSYBOX, command=IDLE, detach=True))
            runs.append(time.perf_counter() - begin)
            await asyncio.sleep(SETTLED)
            begin = time.perf_counter()
            await engine.stop(container.id)
            await engine.start(container.id)
            cycles.append(time.perf_counter() - begin)
            await engine.remove(container.id, force=True)
            await asyncio.sleep(SETTLED)
    return runs, cycles
