"""`pilothouse volume create`: make an empty volume, or find that it is there."""

from __future__ import annotations

from engine.cli.drive import drive, opened
from engine.cli.flags import Arguments, Command, Flag
from engine.cli.terminal import put
from engine.errors import InvalidInput

COMMAND = Command(
    "volume create",
    "[OPTIONS] [VOLUME]",
    "Create a volume",
    (
        Flag("driver", str, "Specify volume driver name", short="d", default="local"),
        Flag("label", list, "", hidden=True),
        Flag("name", str, "", hidden=True),
        Flag("opt", list, "", short="o", hidden=True),
    ),
    maximum=1,
)


def run(args: Arguments) -> int:
    name = args.words[0] if args.words else args.name
    if args.driver != "local":
        raise InvalidInput(
            f'create {name}: error looking up volume plugin {args.driver}: plugin "{args.driver}" not found',
            hint="volumes are directories of this machine: the driver is local",
        )
    if args.opt or args.label:
        what = "options" if args.opt else "labels"
        raise InvalidInput(f"create {name}: volumes have no {what} here", hint="leave them out")
    with opened(args) as engine:
        put(f"{drive(engine.create_volume(name)).name}\n")
    return 0
