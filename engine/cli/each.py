"""One action on every name of a command line: each success printed, each failure told, the others still done."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from engine.cli.drive import opened
from engine.cli.terminal import put, say
from engine.errors import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.cli.flags import Arguments
    from engine.engine import Engine

Act = Callable[["Engine", str], object]
AT_ONCE = 16


def for_each(args: Arguments, names: Sequence[str], act: Act, *, at_once: bool = False, starter: str = "") -> int:
    """Do `act` for each name and print the name; 1 if one of them failed.

    `at_once`: for what mostly waits (stop), so that several graces do not add up. Every thread has its own engine.
    `starter`: who starts containers here, if that is not the user.
    """
    if at_once and len(names) > 1:
        return _at_once(args, names, act)
    failed = 0
    with opened(args, starter=starter) as engine:
        for name in names:
            try:
                act(engine, name)
            except EngineError as error:
                tell(error)
                failed = 1
            else:
                put(f"{name}\n")
    return failed


def tell(error: EngineError) -> None:
    """A failure that does not end the command."""
    say(f"Error: {error.message}")
    if error.hint:
        say(error.hint)


def _at_once(args: Arguments, names: Sequence[str], act: Act) -> int:
    from concurrent.futures import ThreadPoolExecutor

    def one(name: str) -> EngineError | None:
        try:
            with opened(args) as engine:
                act(engine, name)
        except EngineError as error:
            return error
        return None

    failed = 0
    with ThreadPoolExecutor(min(len(names), AT_ONCE)) as threads:
        for name, error in zip(names, threads.map(one, names), strict=True):
            if error is None:
                put(f"{name}\n")
            else:
                tell(error)
                failed = 1
    return failed
