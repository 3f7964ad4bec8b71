"""`pilothouse diff`: what a container changed of its image's files."""

from __future__ import annotations

from engine.cli.drive import drive, opened
from engine.cli.flags import CONTAINERS, Arguments, Command
from engine.cli.terminal import put

COMMAND = Command(
    "diff",
    "CONTAINER",
    "Inspect changes to files or directories on a container's filesystem",
    minimum=1,
    maximum=1,
    arguments=CONTAINERS,
)


def run(args: Arguments) -> int:
    with opened(args) as engine:
        changes = drive(engine.changes(args.words[0]))
    for change in changes:
        put(f"{change.kind} {change.path}\n")
    return 0
