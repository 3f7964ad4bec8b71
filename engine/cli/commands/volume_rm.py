"""`pilothouse volume rm`: remove volumes that no container uses, with all they hold."""

from __future__ import annotations

from engine.cli.drive import drive
from engine.cli.each import for_each
from engine.cli.flags import VOLUMES, Arguments, Command, Flag
from engine.errors import NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.engine import Engine

COMMAND = Command(
    "volume rm",
    "[OPTIONS] VOLUME [VOLUME...]",
    "Remove one or more volumes. You cannot remove a volume that is in use by a container",
    (Flag("force", bool, "Do not fail for volumes that are not there", short="f"),),
    minimum=1,
    arguments=VOLUMES,
)


def run(args: Arguments) -> int:
    def remove(engine: Engine, name: str) -> None:
        try:
            drive(engine.remove_volume(name))
        except NotFound:
            if not args.force:
                raise

    return for_each(args, args.words, remove)
