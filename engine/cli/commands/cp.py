"""`pilothouse cp`: files between a container and the host."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from engine.cli.drive import drive, opened
from engine.cli.flags import CONTAINERS, FILES, Arguments, Command, Flag
from engine.cli.terminal import say
from engine.errors import InvalidInput

COMMAND = Command(
    "cp",
    "[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n        pilothouse cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH",
    "Copy files/folders between a container and the local filesystem",
    (
        Flag("archive", bool, "Keep owners and set-user-ID bits of what is copied from a container", short="a"),
        Flag("follow-link", bool, "Always follow symbol link in SRC_PATH", short="L"),
        Flag("quiet", bool, "Suppress progress output: there is none", short="q"),
    ),
    minimum=2,
    maximum=2,
    arguments=f"{CONTAINERS} {FILES}",
)
_CHUNK = 1 << 18  # bytes


def run(args: Arguments) -> int:
    (from_container, source), (to_container, destination) = (split(word) for word in args.words)
    if from_container and to_container:
        raise InvalidInput("copying between containers is not supported")
    if not from_container and not to_container:
        raise InvalidInput("must specify at least one container source")
    with opened(args) as engine:
        if to_container:
            what = _input() if source == "-" else source
            drive(engine.copy_to(to_container, what, destination, follow=args.follow_link))
            return 0
        if destination == "-" and sys.stdout.isatty():
            raise InvalidInput("refusing to write an archive to a terminal", hint="send it to a file or a program")
        target = sys.stdout.buffer.write if destination == "-" else destination
        left_out = drive(
            engine.copy_from(from_container, source, target, follow=args.follow_link, keep_owners=args.archive)
        )
    if left_out:
        say(f"{len(left_out)} device nodes were not made on this host, {left_out[0]} among them")
    return 0


def split(word: str) -> tuple[str, str]:
    """Container and path; no container for a path of the host: one that begins with `/` or `.` always is."""
    container, colon, path = word.partition(":")
    if not colon or word.startswith(("/", ".")):
        return "", word
    return container, path or "/"


def _input() -> Iterator[bytes]:
    while piece := sys.stdin.buffer.read(_CHUNK):
        yield piece
