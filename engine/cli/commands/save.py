"""`pilothouse save`: write images to an archive."""

from __future__ import annotations

import sys

from engine.cli.drive import drive, opened
from engine.cli.flags import FILES, IMAGES, Arguments, Command, Flag
from engine.errors import InvalidInput

COMMAND = Command(
    "save",
    "[OPTIONS] IMAGE [IMAGE...]",
    "Save one or more images to a tar archive (streamed to STDOUT by default)",
    (Flag("output", str, "Write to a file, instead of STDOUT", short="o", complete=FILES),),
    minimum=1,
    arguments=IMAGES,
)


def run(args: Arguments) -> int:
    if not args.output and sys.stdout.isatty():
        raise InvalidInput("cowardly refusing to save to a terminal. Use the -o flag or redirect")
    with opened(args) as engine:
        drive(engine.save(args.words, args.output or _write))
    return 0


def _write(content: bytes) -> None:
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()  # now, or a full disk would show when nobody expects it
