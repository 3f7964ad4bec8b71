"""`pilothouse rm`: remove containers."""

from __future__ import annotations

from engine.cli.drive import drive, opened
from engine.cli.each import tell
from engine.cli.flags import CONTAINERS, Arguments, Command, Flag
from engine.cli.terminal import put
from engine.errors import EngineError, NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.engine import Engine

COMMAND = Command(
    "rm",
    "[OPTIONS] CONTAINER [CONTAINER...]",
    "Remove one or more containers",
    (
        Flag("force", bool, "Force the removal of a running container (uses SIGKILL)", short="f"),
        Flag("volumes", bool, "Remove anonymous volumes associated with the container", short="v"),
    ),
    minimum=1,
    arguments=CONTAINERS,
)


def run(args: Arguments) -> int:
    with opened(args) as engine:
        return max(_remove(engine, name, args) for name in args.words)


def _remove(engine: Engine, name: str, args: Arguments) -> int:
    try:
        drive(engine.remove(name, force=args.force, volumes=args.volumes))
    except EngineError as error:
        tell(error)
        # what is not there need not be removed by force: docker-rm(1)
        return 0 if args.force and isinstance(error, NotFound) else 1
    put(f"{name}\n")
    return 0
