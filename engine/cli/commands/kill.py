"""`pilothouse kill`: send a signal to containers."""

from __future__ import annotations

from engine.cli.drive import drive
from engine.cli.each import for_each
from engine.cli.flags import RUNNING, Arguments, Command, Flag

COMMAND = Command(
    "kill",
    "[OPTIONS] CONTAINER [CONTAINER...]",
    "Kill one or more running containers",
    (Flag("signal", str, "Signal to send to the container", short="s", default="KILL"),),
    minimum=1,
    arguments=RUNNING,
)


def run(args: Arguments) -> int:
    return for_each(args, args.words, lambda engine, name: drive(engine.kill(name, args.signal or "KILL")))
