"""`pilothouse unpause`: let paused containers go on."""

from __future__ import annotations

from engine.cli.drive import drive
from engine.cli.each import for_each
from engine.cli.flags import RUNNING, Arguments, Command

COMMAND = Command(
    "unpause",
    "CONTAINER [CONTAINER...]",
    "Unpause all processes within one or more containers",
    minimum=1,
    arguments=RUNNING,
)


def run(args: Arguments) -> int:
    return for_each(args, args.words, lambda engine, name: drive(engine.unpause(name)))
