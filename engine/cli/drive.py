"""Running the engine's coroutines without an event loop.

An Engine opened with `threads=False` blocks instead of waiting, so its coroutines never suspend and importing
asyncio (45 ms) is not needed for them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import contextmanager

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    from engine.cli.flags import Arguments
    from engine.engine import Engine
    from engine.settings import Settings

    Result = TypeVar("Result")


def drive(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine that never suspends to its end and return its result."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    coroutine.close()
    raise RuntimeError(f"{coroutine!r} waits for an event loop; it needs asyncio.run")


def iterate(items: AsyncIterator[Result]) -> Iterator[Result]:
    """The items of an async iterator that never suspends."""
    try:
        while True:
            try:
                yield drive(items.__anext__())  # type: ignore[arg-type]
            except StopAsyncIteration:
                return
    finally:
        close = getattr(items, "aclose", None)
        if close is not None:
            drive(close())


def settings_of(args: Arguments) -> Settings:
    """The root the global options name."""
    from engine.settings import Settings

    return Settings.load(args.root, args.runroot)


@contextmanager
def opened(args: Arguments, *, mend: bool = True, starter: str = "") -> Iterator[Engine]:
    """An engine for one command, on the root the global options name. Drive its coroutines with `drive`.

    `starter`: who starts containers by it, if that is not the user.
    """
    from engine.cli.terminal import say
    from engine.engine import Engine
    from engine.frozen import replace

    engine = Engine.open(replace(settings_of(args), starter=starter), threads=False, mend=mend)
    drive(engine.__aenter__())
    told = 0
    try:
        for notice in engine.notices:
            told += 1
            say(f"WARNING: {notice}")
        yield engine
    finally:
        for notice in engine.notices[told:]:
            say(f"WARNING: {notice}")
        drive(engine.__aexit__(None, None, None))
