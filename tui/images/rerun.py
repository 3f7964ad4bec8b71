"""Running a container anew in the place of another, which is only given up when the new one runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from engine.errors import EngineError
from engine.models import State

if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.models import Container, Progress, RunOptions

ASIDE = "-replaced"  # what the old one is called while the new one starts


async def run_in_place(
    engine: Engine, old: Container, options: RunOptions, progress: Callable[[Progress], None]
) -> Container:
    """Stop `old` and put it aside, run the new one, then remove `old`.

    If the new one cannot be started, the old one has its name back and runs again if it did. Raises as Engine.run.
    """
    if not any(options.image in image.references for image in await engine.images()):
        await engine.pull(options.image, progress=progress)  # first, so that the old one runs meanwhile
    now = await engine.container(old.id)
    was_running = now.running or now.state is State.RESTARTING
    await engine.stop(old.id)
    try:
        await engine.rename(old.id, f"{now.name}{ASIDE}-{now.short_id[:6]}")
        new = await engine.run(options, progress=progress)
    except BaseException:
        await _put_back(engine, now, was_running)
        raise
    await engine.remove(old.id, force=True)
    return new


async def _put_back(engine: Engine, old: Container, was_running: bool) -> None:
    """As far as it goes: the failure that is told is the one that led here."""
    try:
        for container in await engine.containers():
            if container.name == old.name and container.id != old.id:
                await engine.remove(container.id, force=True)  # created, and could not be started
        if (await engine.container(old.id)).name != old.name:
            await engine.rename(old.id, old.name)
        if was_running:
            await engine.start(old.id)
    except EngineError:
        return
