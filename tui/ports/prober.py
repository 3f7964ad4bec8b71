"""When published ports are knocked at: often until the first answer, then seldom and only while somebody looks.

A HEAD request stands in the log of the application that gets it, so none is sent without need: never for UDP, never to
a container whose row is not on screen once it has answered, never again to what speaks a protocol of its own. (Such a
server counts connections that end early; MySQL shuts the whole host out after a hundred of them, max_connect_errors.)
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.models import Container, PortMapping, Probe, State
from tui import urls
from tui.ports.findings import Door

if TYPE_CHECKING:
    from engine.engine import Engine
    from tui.state.world import World

FIRST = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0)  # seconds between knocks until the first answer ...
AGAIN = 10.0  # ... and from then on
PATIENT = 12  # knocks without any answer after which a port is only tried while it is looked at
TOGETHER = 8
GATHER = 0.03  # seconds
GLANCE = 1.0  # seconds in which a row that comes into view is noticed


@dataclass(slots=True)
class Watch:
    """One door: how often it was tried, when again (CLOCK_MONOTONIC), what answered there."""

    started: float  # of the container: after a restart all begins anew
    due: float
    tries: int = 0
    known: str = ""
    proven: bool = False
    busy: bool = False


class Prober:
    """Fills `world.ports.probes`. `visible` names the containers that are looked at."""

    def __init__(
        self, world: World, engine: Callable[[], Awaitable[Engine]], visible: Callable[[], Collection[str]]
    ) -> None:
        self._world = world
        self._engine = engine
        self._visible = visible
        self._watches: dict[Door, Watch] = {}
        self._wake = asyncio.Event()
        self._gate = asyncio.Semaphore(TOGETHER)
        self._telling: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """For ever, or not at all if probing is switched off."""
        self._world.watch(self._wake.set, "containers")
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    self._wake.clear()
                    self.look_around()
                    for door in self.due(time.monotonic()):
                        self._watches[door].busy = True
                        group.create_task(self._knock(door))
                    await self._rest()
        finally:
            self._world.forget(self._wake.set)
            if self._telling is not None:
                self._telling.cancel()

    def look_around(self) -> None:
        """Take up the doors of containers that have started, drop those of others."""
        now = time.monotonic()
        running = [container for container in self._world.containers.values() if container.running]
        if self._world.ports.keep(running):
            self._tell_soon()
        doors = {
            (container.id, mapping): container
            for container in running
            for mapping in container.ports
            if mapping.protocol == "tcp" and mapping.host_port
        }
        for gone in self._watches.keys() - doors.keys():
            del self._watches[gone]
        for door, container in doors.items():
            watch = self._watches.get(door)
            if watch is None or watch.started != container.started:
                known = "tcp" if urls.other_service(door[1]) else ""
                if watch is not None:
                    known = watch.known or known
                    self._world.ports.forget(container.id)
                self._watches[door] = Watch(container.started, now, known=known)

    def due(self, now: float) -> list[Door]:
        if not self._world.ports.probing:
            return []
        visible = self._visible()
        return [
            door
            for door, watch in self._watches.items()
            if watch.due <= now
            and not watch.busy
            and (door[0] in visible or not (watch.proven or watch.tries >= PATIENT))
            and (container := self._world.containers.get(door[0])) is not None
            and container.state is State.RUNNING  # a paused one would only seem to be silent
        ]

    def again(self, container: Container, mapping: PortMapping) -> None:
        """What listens there has changed: begin anew."""
        watch = self._watches.get((container.id, mapping))
        if watch is not None and not watch.busy:
            self._watches[container.id, mapping] = Watch(watch.started, time.monotonic(), known=watch.known)
            self._wake.set()

    async def now(self, container: Container, mapping: PortMapping) -> Probe:
        """Knock at once, also where probing is switched off."""
        door = (container.id, mapping)
        watch = self._watches.setdefault(door, Watch(container.started, time.monotonic()))
        return await self._ask(door, watch)

    async def _knock(self, door: Door) -> None:
        watch = self._watches[door]
        try:
            async with self._gate:
                await self._ask(door, watch)
        finally:
            watch.busy = False
            self._wake.set()

    async def _ask(self, door: Door, watch: Watch) -> Probe:
        found = await (await self._engine()).probe(door[1], known=watch.known)
        watch.tries += 1
        if found.answers:
            watch.proven, watch.known = True, found.kind
        wait = AGAIN if watch.proven or watch.tries > len(FIRST) else FIRST[watch.tries - 1]
        watch.due = math.inf if found.kind == "tcp" else time.monotonic() + wait
        if self._watches.get(door) is watch:  # else it has ended or begun anew meanwhile
            self._world.ports.probes[door] = found
            self._tell_soon()
        return found

    def _tell_soon(self) -> None:
        """Answers that come close together are painted together."""
        if self._telling is None:
            self._telling = asyncio.get_running_loop().call_later(GATHER, self._tell)

    def _tell(self) -> None:
        self._telling = None
        self._world.tell("ports")

    async def _rest(self) -> None:
        """Until the next door is due, or a container changes."""
        now = time.monotonic()
        due = min((watch.due for watch in self._watches.values() if not watch.busy), default=math.inf)
        # one that is due and was passed over is not looked at: its row may come into view
        wait = None if due == math.inf else GLANCE if due <= now else min(due - now, 60.0)
        try:
            async with asyncio.timeout(wait):
                await self._wake.wait()
        except TimeoutError:
            return
