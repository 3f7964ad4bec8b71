"""`pilothouse rmi`: remove images, or names of images."""

from __future__ import annotations

from engine.cli.drive import drive, opened
from engine.cli.each import tell
from engine.cli.flags import IMAGES, Arguments, Command, Flag
from engine.cli.terminal import put
from engine.errors import EngineError, NotFound

COMMAND = Command(
    "rmi",
    "[OPTIONS] IMAGE [IMAGE...]",
    "Remove one or more images",
    (Flag("force", bool, "Force removal of the image", short="f"),),
    minimum=1,
    arguments=IMAGES,
)


def run(args: Arguments) -> int:
    failed = 0
    with opened(args) as engine:
        for name in args.words:
            try:
                for removed in drive(engine.remove_image(name, force=args.force)):
                    put(f"Untagged: {removed.untagged}\n" if removed.untagged else f"Deleted: {removed.deleted}\n")
            except EngineError as error:
                tell(error)
                failed |= not (args.force and isinstance(error, NotFound))
    return int(failed)
