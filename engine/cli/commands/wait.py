"""`pilothouse wait`: block until containers stop, and print their exit codes."""

from __future__ import annotations

from engine.cli.drive import drive, opened
from engine.cli.each import tell
from engine.cli.flags import RUNNING, Arguments, Command
from engine.errors import EngineError

COMMAND = Command(
    "wait",
    "CONTAINER [CONTAINER...]",
    "Block until containers stop, then print their exit codes",
    minimum=1,
    arguments=RUNNING,
)


def run(args: Arguments) -> int:
    failed = 0
    with opened(args) as engine:
        for name in args.words:
            try:
                print(drive(engine.wait(name)), flush=True)
            except EngineError as error:
                tell(error)
                failed = 1
    return failed
