"""Pulls in the background, any number at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

from engine.errors import Conflict, EngineError, InvalidInput, NetworkError, RuntimeFailure
from engine.models import Image
from engine.reference import parse
from tui import format as short
from tui.operations import Cancelled, Operations, command, explain
from tui.sanitize import plain
from tui.state.pulls import Pull

if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.models import Progress
    from tui.state.world import World

# what goes wrong only when the image is here: its container was refused, or could not be started
NOT_OF_THE_PULL = (Conflict, NetworkError, RuntimeFailure)
Work = Callable[["Engine", Callable[["Progress"], None]], Awaitable[object]]


def start_pull(
    operations: Operations,
    world: World,
    reference: str,
    *,
    edit: Callable[[], None] | None = None,
    over: Callable[[Pull], None] | None = None,
) -> None:
    """Start pulling `reference`, unless that is going on already; what an earlier pull has left is gone on with.

    `edit` opens what it was asked for with; `over` is called at its end, whichever that is.
    """
    running = world.pulls.get(reference)
    if running is not None and not running.outcome:
        return
    had = _named(world.images, reference)

    def done(result: object) -> str:
        if isinstance(result, Image) and result.id == had:  # this name had it: under another one it would be new here
            return f"{plain(reference)} is up to date"
        return f"pulled {plain(reference)}"

    with_progress(
        operations,
        world,
        reference,
        command("pull", reference),
        lambda engine, progress: engine.pull(reference, progress=progress),
        done=done,
        again=partial(start_pull, operations, world, reference, edit=edit, over=over),
        edit=edit,
        over=over,
        at_once=True,
    )


def with_progress(
    operations: Operations,
    world: World,
    reference: str,
    line: str,
    work: Work,
    *,
    done: str | Callable[[object], str],
    then: Callable[[object], None] | None = None,
    again: Callable[[], None] | None = None,
    edit: Callable[[], None] | None = None,
    over: Callable[[Pull], None] | None = None,
    at_once: bool = False,
) -> None:
    """An action that may pull `reference` on its way: its progress is shown as a chip and in the list of images.

    `at_once` shows it before the first word of progress; otherwise a run of an image that is here shows no chip.
    """
    pull = Pull(reference, again=again, edit=edit, started=time.monotonic())

    async def body(engine: Engine) -> object:
        def advance(progress: Progress) -> None:
            pull.advance(progress, time.monotonic())
            if world.pulls.get(reference) is not pull:
                world.pulls[reference] = pull
                world.tell("pulls")  # from here on the dashboard paints ten times a second by itself

        # a task of its own: cancelling a pull must not look like the end of the dashboard to those who wait for it
        task = asyncio.ensure_future(work(engine, advance))
        pull.stop = task.cancel  # type: ignore[assignment]
        try:
            result = await task
        except asyncio.CancelledError:
            pull.outcome = "cancelled"
            current = asyncio.current_task()
            if current is not None and current.cancelling():
                raise
            raise Cancelled(_cancelled(pull) + operations.words("; {app.pull}, Enter goes on")) from None
        except NOT_OF_THE_PULL:
            pull.outcome = "done"
            raise
        except EngineError as error:
            pull.outcome, pull.error = "failed", error
            raise
        except Exception as error:  # nobody foresaw it: the panel names the report, as the status row would
            sentence, hint = explain(error, line)
            pull.outcome, pull.error = "failed", EngineError(sentence, hint=hint)
            raise pull.error from error
        else:
            pull.outcome = "done"
        finally:
            pull.outcome = pull.outcome or "failed"
            pull.ended = time.monotonic()
            world.tell("pulls")
            if over is not None:
                over(pull)
        return result

    async def watched(engine: Engine) -> object:
        """As `body`; a failure that no panel shows names the key that shows it, however late it comes."""
        try:
            return await body(engine)
        except EngineError as error:
            if pull.outcome == "failed" and not pull.told and world.pulls.get(reference) is pull:
                why = operations.words("{app.pull} shows why")
                told = EngineError(f"{error}; {why}", hint=error.hint)
                told.container_id = error.container_id
                raise told from error
            raise

    if at_once:
        world.pulls[reference] = pull
    operations.run(line, watched, done=done, then=then, told=lambda: pull.told)
    world.tell("pulls")


def _named(images: Iterable[Image], reference: str) -> str:
    """The id of the image that has this very name; empty if none has, or if the name cannot be read."""
    try:
        name = parse(reference).canonical
    except InvalidInput:
        return ""
    return next((image.id for image in images for own in image.references if parse(own).canonical == name), "")


def _cancelled(pull: Pull) -> str:
    """What stays of a pull that was cancelled, in a sentence."""
    kept = f"; {short.size(pull.current)} of {short.size(pull.total)} are kept" if pull.current else ""
    return f"cancelled the pull of {plain(pull.reference)}{kept}"
