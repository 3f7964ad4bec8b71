"""`pilothouse rename`: give a container another name."""

from __future__ import annotations

from engine.cli.drive import drive, opened
from engine.cli.flags import CONTAINERS, Arguments, Command

COMMAND = Command("rename", "CONTAINER NEW_NAME", "Rename a container", minimum=2, maximum=2, arguments=CONTAINERS)


def run(args: Arguments) -> int:
    with opened(args) as engine:
        drive(engine.rename(*args.words))
    return 0
