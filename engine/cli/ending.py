"""What `stop` and `restart` have in common: how containers are asked to end, and how long they have for it."""

from __future__ import annotations

from engine.cli.drive import drive
from engine.cli.each import for_each
from engine.cli.flags import Arguments, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from engine.engine import Engine

FLAGS = (
    Flag("signal", str, "Signal to send to the container", short="s"),
    Flag("time", int, "Seconds to wait before killing the container; -1 waits for ever", short="t"),
    Flag("timeout", int, "", hidden=True),
)


def end_each(args: Arguments, verb: Callable[[Engine], Callable[..., Coroutine[Any, Any, object]]]) -> int:
    """Do `verb` of the engine to each container, with the grace and the signal of the flags."""
    seconds = args.time if args.time is not None else args.timeout
    grace = None if seconds is None else float(seconds)

    def act(engine: Engine, name: str) -> object:
        return drive(verb(engine)(name, grace=grace, signal=args.signal or ""))

    return for_each(args, args.words, act, at_once=True)
