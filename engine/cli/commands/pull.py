"""`pilothouse pull`: bring an image from a registry."""

from __future__ import annotations

from engine.cli.drive import opened
from engine.cli.flags import IMAGES, Arguments, Command, Flag

COMMAND = Command(
    "pull",
    "[OPTIONS] NAME[:TAG|@DIGEST]",
    "Download an image from a registry",
    (
        Flag("platform", str, "Set platform if the registry has the image for several"),
        Flag("quiet", bool, "Suppress verbose output", short="q"),
    ),
    minimum=1,
    maximum=1,
    arguments=IMAGES,
)


def run(args: Arguments) -> int:
    from engine.cli.pulling import pull
    from engine.reference import parse

    reference = parse(args.words[0])
    with opened(args) as engine:
        pull(engine, args.words[0], platform=args.platform, quiet=args.quiet)
    print(reference.canonical)
    return 0
