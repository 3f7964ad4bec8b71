"""Once a second: the machine's load, what the containers use, and what those on screen log."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import EngineError
from tui.state.log_pulse import LogPulse

if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.models import Container, Stats
    from engine.settings import Settings
    from tui.state.world import World


@dataclass(frozen=True, slots=True)
class Load:
    """The machine now. `cpu` in percent of all cores, None before the second look; the others in bytes."""

    cpu: float | None
    cpus: int
    used: int
    memory: int
    free_disk: int


class Readings:
    """Puts readings into a `World`. Everything that may block is done in one go, in a thread."""

    def __init__(self, settings: Settings, world: World) -> None:
        self._settings = settings
        self._world = world
        self._place: Path | None = None
        self._times = (0.0, 0.0)  # seconds of all processors: in all, and at rest

    async def take(
        self, engine: Engine | None, containers: Iterable[Container], unseen: Iterable[Container] = ()
    ) -> None:
        """Read the machine, the logs of `containers`, and the cgroups of those of both that run."""
        watched = list(containers)
        pulses = self._world.log_pulses
        for container in watched:
            if container.id not in pulses:
                pulses[container.id] = LogPulse(f"{self._settings.container_dir(container.id)}/log/container.log")
        looking = asyncio.to_thread(self._look, [(each, pulses[each.id]) for each in watched])
        running = [container.id for container in (*watched, *unseen) if container.running]
        load, used = await asyncio.gather(looking, self._used(engine, running))
        self._world.measure(used, load)

    async def _used(self, engine: Engine | None, running: list[str]) -> list[Stats]:
        if engine is None or not running:
            return []
        try:
            return await engine.stats(running)
        except EngineError:
            return []  # one ended between the list and the reading; the next second knows

    def _look(self, watched: list[tuple[Container, LogPulse]]) -> Load:
        for container, pulse in watched:
            pulse.look(container.started)
        return self._machine()

    def _machine(self) -> Load:
        import psutil

        memory = psutil.virtual_memory()
        if self._place is None:
            place = self._settings.root
            while not place.exists() and place != place.parent:
                place = place.parent
            self._place = place if place == self._settings.root else None
        else:
            place = self._place
        return Load(
            cpu=self._busy(),
            cpus=os.cpu_count() or 1,
            used=memory.total - memory.available,
            memory=memory.total,
            free_disk=shutil.disk_usage(place).free,
        )

    def _busy(self) -> float | None:
        """Percent since the last look. Not psutil's cpu_percent: that remembers per thread, and is 0 in a new one."""
        import psutil

        times = psutil.cpu_times()
        before = self._times
        # what guests of this machine use is counted in `user` and `nice` too
        self._times = sum(times) - times.guest - times.guest_nice, times.idle + times.iowait
        passed, rested = self._times[0] - before[0], self._times[1] - before[1]
        if not before[0] or passed <= 0:
            return None
        return max(0.0, min(100.0, 100 * (1 - rested / passed)))
