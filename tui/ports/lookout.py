"""Who listens in the containers that are shown, who holds the ports that others will want, and when that is read."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.errors import EngineError
from engine.models import Container, Listener
from tui.ports.findings import Held

if TYPE_CHECKING:
    from engine.engine import Engine
    from tui.ports.prober import Prober
    from tui.state.world import World

LOOK = 2.0  # seconds between two looks; twice that while nobody uses the dashboard
PAUSE = 0.1  # seconds after a look at a change, however fast containers change


@dataclass(frozen=True, slots=True)
class Sought:
    """What is on screen: these containers, and perhaps whatever listens on the machine."""

    containers: tuple[Container, ...]
    whole_machine: bool = False


class Lookout:
    """Fills `world.ports`, beside what the prober finds by knocking.

    `sought` is asked before each look; None: there is nothing to be seen now. `looked` is called after one that found
    nothing new: what was "starting" may be overdue.
    """

    def __init__(
        self,
        world: World,
        prober: Prober,
        sought: Callable[[], Sought | None],
        *,
        is_alone: Callable[[], bool],
        looked: Callable[[], object],
    ) -> None:
        self._world = world
        self._prober = prober
        self._sought = sought
        self._is_alone = is_alone
        self._looked = looked
        self._stale = asyncio.Event()

    def again(self) -> None:
        """Look as soon as possible: something has changed."""
        self._stale.set()

    async def run(self, engine_ready: Callable[[], Awaitable[Engine]]) -> None:
        """For ever."""
        self._world.watch(self.again, "subject", "containers")
        try:
            engine = await engine_ready()
            while True:
                try:
                    async with asyncio.timeout(2 * LOOK if self._is_alone() else LOOK):
                        await self._stale.wait()
                except TimeoutError:
                    pass
                changed = self._stale.is_set()
                self._stale.clear()
                sought = self._sought()
                if sought is not None:
                    await self._look(engine, sought)
                if changed:
                    await asyncio.sleep(PAUSE)
        finally:
            self._world.forget(self.again)

    async def _look(self, engine: Engine, sought: Sought) -> None:
        found, before = self._world.ports, self._known()
        found.held = {door: held for door, held in found.held.items() if door[0] in self._world.containers}
        for container in sought.containers:
            if not container.running:
                await self._look_for_holders(engine, container)
                continue
            try:
                now = await engine.listeners(container.id)
            except EngineError:
                continue  # it has just ended: the next event says so
            old, found.listeners[container.id] = found.listeners.get(container.id), now
            if old is not None and old != now:
                self._knock_where_changed(container, old, now)
        if sought.whole_machine:
            found.host = await engine.host_listeners()
        if self._known() != before:
            self._world.tell("ports")
        else:
            self._looked()

    def _known(self) -> tuple[object, ...]:
        found = self._world.ports
        return dict(found.listeners), dict(found.held), found.host

    def _knock_where_changed(self, container: Container, old: tuple[Listener, ...], now: tuple[Listener, ...]) -> None:
        """Something listens that did not, or no longer; what has answered meanwhile need not be asked again."""
        before, after = ({(one.port, one.protocol) for one in listeners} for listeners in (old, now))
        for mapping in container.ports:
            port = (mapping.container_port, mapping.protocol)
            probe = self._world.ports.probe(container, mapping)
            if port in before ^ after and not (port in after and probe is not None and probe.answers):
                self._prober.again(container, mapping)

    async def _look_for_holders(self, engine: Engine, container: Container) -> None:
        """Who has the host ports that a container at rest will want, and which are free instead."""
        for mapping in container.ports:
            if not mapping.host_port:
                continue
            try:
                by = await engine.port_holder(mapping.host_ip, mapping.host_port, mapping.protocol)
                free = await engine.free_port(mapping.host_port + 1, mapping.protocol) if by else 0
            except EngineError as error:
                by, free = str(error), 0
            self._world.ports.held[container.id, mapping] = Held(by, free)
