"""What an Engine watches as it happens: each waits for a descriptor in the Engine's gait, and takes what has come."""

from __future__ import annotations

from itertools import islice

from engine.containers import records, view

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from engine.gait import Gait
    from engine.models import Event, LogLine, LogQuery
    from engine.settings import Settings
    from engine.state.database import Database

BATCH = 1000  # log lines read at once
FIREWALL_SETTLES = 0.5  # seconds: a reload is many changes, which are taken together


async def logs(
    gait: Gait, settings: Settings, database: Database, container: str, query: LogQuery
) -> AsyncIterator[LogLine]:
    """See Engine.logs."""
    from engine.logs import reader

    record = await gait.call(records.find, database, container)
    directory = str(settings.container_dir(record.id) / "log")
    if not query.follow:
        lines = reader.read(directory, query)
        while batch := await gait.call(lambda: list(islice(lines, BATCH))):
            for line in batch:
                yield line
        return
    from engine.runtime import control

    follower = await gait.call(reader.Follower, directory, query)
    watch = None
    try:
        if view.is_live(settings, record.id):
            watch = await gait.call(control.exit_watch, settings, record.id)
        while True:
            ended = watch is None or watch.exit_code is not None
            while batch := await gait.call(follower.read):
                for line in batch:
                    yield line
            if follower.over:
                return
            if ended or watch is None:
                for line in follower.finish():
                    yield line
                return
            await gait.readable(follower.fileno(), watch.fileno())
            watch.read()
    finally:
        follower.close()
        if watch:
            watch.close()


async def exit_code(gait: Gait, settings: Settings, container_id: str) -> int:
    """See Engine.wait."""
    from engine.runtime import control

    watch = await gait.call(control.exit_watch, settings, container_id)
    try:
        while watch.exit_code is None:
            await gait.readable(watch.fileno())
            watch.read()
        return watch.exit_code
    finally:
        watch.close()


async def events(gait: Gait, settings: Settings, since: int | None) -> AsyncIterator[Event]:
    """See Engine.events."""
    from engine.state.events import EventReader

    reader = await gait.call(EventReader, str(settings.journal), since)
    try:
        while True:
            for event in reader.read():
                yield event
            await gait.readable(reader.fileno())
    finally:
        reader.close()


async def firewall(gait: Gait, mend: Callable[[], Awaitable[object]]) -> None:
    """Call `mend` at once and whenever somebody has changed the host's firewall; for ever, if there is one."""
    import asyncio

    from engine.network.firewall_watch import FirewallWatch

    try:
        watch = await gait.call(FirewallWatch)
    except OSError:
        return
    try:
        is_changed = True  # perhaps just before we began to watch
        while True:
            if is_changed:
                await mend()
            await gait.readable(watch.fileno())
            await asyncio.sleep(FIREWALL_SETTLES)
            is_changed = watch.read()
    finally:
        watch.close()
