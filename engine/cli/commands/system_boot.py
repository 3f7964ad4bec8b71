"""`pilothouse system boot`: start what the machine was to run, once it has come up."""

from __future__ import annotations

from engine.cli.drive import drive, opened
from engine.cli.each import for_each
from engine.cli.flags import Arguments, Command
from engine.containers.starter import POLICY

COMMAND = Command("system boot", "", "Start the containers whose restart policy says so", maximum=0)


def run(args: Arguments) -> int:
    with opened(args) as engine:
        names = [container.name for container in drive(engine.due_at_boot())]
    return for_each(args, names, lambda engine, name: drive(engine.start(name)), starter=POLICY)
