"""`pilothouse load`: bring the images of an archive into the store."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

from engine.cli.drive import drive, opened
from engine.cli.flags import FILES, Arguments, Command, Flag
from engine.cli.terminal import columns, put, safe
from engine.cli.units import human_size
from engine.errors import InvalidInput, StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.models import Progress

COMMAND = Command(
    "load",
    "[OPTIONS]",
    "Load images from a tar archive or standard input",
    (
        Flag("input", str, "Read from tar archive file, instead of standard input", short="i", complete=FILES),
        Flag("platform", str, "Load only the given platform of an image for several"),
        Flag("quiet", bool, "Suppress the load output", short="q"),
    ),
    maximum=0,
)
_CHUNK = 1 << 18  # bytes
_CLEAR = "\r\x1b[K"


def run(args: Arguments) -> int:
    if not args.input and sys.stdin.isatty():
        raise InvalidInput("requested load from stdin, but stdin is empty", hint="name a file with -i")
    progress = _line if sys.stdout.isatty() and not args.quiet else None
    with opened(args) as engine:
        try:
            loaded = drive(engine.load(args.input or _input(), platform=args.platform, progress=progress))
        finally:
            if progress:
                sys.stdout.write(_CLEAR)
    for one in loaded:
        if one.replaced:
            put(
                f"The image {one.reference} already exists,"
                f" renaming the old one with ID {one.replaced} to empty string\n"
            )
        put(f"Loaded image: {one.reference}\n" if one.reference else f"Loaded image ID: {one.image_id}\n")
    return 0


def _line(step: Progress) -> None:
    of = f"/{human_size(step.total)}" if step.total else ""
    text = f"Loading {safe(step.reference)}  {human_size(step.current)}{of}" if step.action == "loading" else ""
    sys.stdout.write(_CLEAR + text[: columns() - 1])
    sys.stdout.flush()


def _input() -> Iterator[bytes]:
    try:
        while piece := os.read(sys.stdin.fileno(), _CHUNK):
            yield piece
    except OSError as error:
        raise StoreError(f"cannot read standard input: {error.strerror or error}") from error
