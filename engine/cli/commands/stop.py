"""`pilothouse stop`: ask containers to end, and end them if they do not."""

from __future__ import annotations

from engine.cli.ending import FLAGS, end_each
from engine.cli.flags import RUNNING, Arguments, Command

COMMAND = Command(
    "stop",
    "[OPTIONS] CONTAINER [CONTAINER...]",
    "Stop one or more running containers",
    FLAGS,
    minimum=1,
    arguments=RUNNING,
)


def run(args: Arguments) -> int:
    return end_each(args, lambda engine: engine.stop)
