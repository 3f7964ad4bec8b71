"""`pilothouse volume inspect`: everything about volumes, as JSON or by a template."""

from __future__ import annotations

from engine.cli.commands.inspect import FORMAT, show_each
from engine.cli.drive import drive
from engine.cli.flags import VOLUMES, Arguments, Command

COMMAND = Command(
    "volume inspect",
    "[OPTIONS] VOLUME [VOLUME...]",
    "Display detailed information on one or more volumes",
    (FORMAT,),
    minimum=1,
    arguments=VOLUMES,
)


def run(args: Arguments) -> int:
    return show_each(args, lambda engine, name: drive(engine.inspect_volume(name)))
