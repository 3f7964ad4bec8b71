"""`pilothouse restart`: stop containers if they run, and start them."""

from __future__ import annotations

from engine.cli.ending import FLAGS, end_each
from engine.cli.flags import CONTAINERS, Arguments, Command

COMMAND = Command(
    "restart",
    "[OPTIONS] CONTAINER [CONTAINER...]",
    "Restart one or more containers",
    FLAGS,
    minimum=1,
    arguments=CONTAINERS,
)


def run(args: Arguments) -> int:
    return end_each(args, lambda engine: engine.restart)
