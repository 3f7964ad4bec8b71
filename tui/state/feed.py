"""The dashboard's one source of change: the engine's event stream.

Nothing is polled for what an event can tell. Events that come close together cost one look at the engine.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from engine.errors import EngineError, NotFound
from tui.sanitize import plain
from tui.state.world import Entry

if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.models import Event
    from tui.state.world import World

GATHER = 0.02  # seconds: a burst of events is taken together
MANY = 8  # more changed containers than this: one listing is cheaper than asking for each
RETRY = 1.0  # seconds until the stream is opened again after a failure


class Feed:
    """Keeps a `World` like the engine's, from `follow` until that is cancelled."""

    def __init__(self, engine: Engine, world: World) -> None:
        self._engine = engine
        self._world = world
        self._changed: set[str] = set()
        self._images_changed = False
        self._volumes_changed = False
        self._wake = asyncio.Event()
        self._told = 0  # of the engine's notices

    async def follow(self) -> None:
        """Load everything, then live on the events. Never returns; an engine error is shown and tried again."""
        while True:
            try:
                cursor = await self._engine.event_cursor()  # taken first, so that no change falls between
                await self.load()
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._listen(cursor))
                    group.create_task(self._apply())
                    group.create_task(self._engine.keep_network())
            except* EngineError as errors:
                first = errors.exceptions[0]
                while isinstance(first, BaseExceptionGroup):
                    first = first.exceptions[0]
                self._world.trouble = plain(str(first))
                self._world.tell("info")
            await asyncio.sleep(RETRY)

    async def load(self) -> None:
        """Everything anew."""
        world = self._world
        world.put_all(await self._engine.containers())
        await self._list_images()
        world.loaded, world.trouble = True, ""
        world.volumes = await self._engine.volumes()
        world.tell("images", "containers", "volumes")
        world.addresses = {**await self._engine.last_addresses(), **world.addresses}
        world.info = await self._engine.info()
        world.tell("info")

    async def _list_images(self) -> None:
        """The images, and in one sentence what the engine has found lost or damaged since it was last told."""
        self._world.images = await self._engine.images()
        if new := self._engine.notices[self._told :]:
            self._told += len(new)
            self._world.log.append(Entry("", time.time(), state="failed", sentence=plain("; ".join(new))))
            self._world.tell("log")

    async def _list_volumes(self) -> None:
        found = await self._engine.volumes()
        if found != self._world.volumes:
            self._world.volumes = found
            self._world.tell("volumes")

    async def _listen(self, cursor: int) -> None:
        async for event in self._engine.events(since=cursor):
            self._world.events.append(event)
            self._take(event)
            self._wake.set()

    def _take(self, event: Event) -> None:
        if event.kind == "container":
            self._changed.add(event.id)
            if event.action in ("create", "destroy"):
                self._images_changed = self._volumes_changed = True  # who uses them changes
        elif event.kind == "image":
            self._images_changed = True
        elif event.kind == "volume":
            self._volumes_changed = True
        elif event.kind == "network" and (container := event.attributes.get("container")):
            self._changed.add(container)

    async def _apply(self) -> None:
        while True:
            await self._wake.wait()
            await asyncio.sleep(GATHER)
            self._wake.clear()
            changed, self._changed = self._changed, set()
            images, self._images_changed = self._images_changed, False
            volumes, self._volumes_changed = self._volumes_changed, False
            if len(changed) > MANY:
                self._world.put_all(await self._engine.containers())
            else:
                for container_id in changed:
                    await self._look_at(container_id)
            if images:
                await self._list_images()
                self._world.tell("images")
            if volumes:
                await self._list_volumes()
            self._world.tell("events")

    async def _look_at(self, container_id: str) -> None:
        try:
            self._world.put(await self._engine.container(container_id))
        except NotFound:
            self._world.drop(container_id)
