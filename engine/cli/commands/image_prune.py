"""`pilothouse image prune`: remove images without a name, or all that no container uses."""

from __future__ import annotations

from engine.cli.flags import Arguments, Command, Flag
from engine.cli.pruning import FILTER, FORCE, ask_and_prune, spare_images

COMMAND = Command(
    "image prune",
    "[OPTIONS]",
    "Remove unused images",
    (Flag("all", bool, "Remove all unused images, not just dangling ones", short="a"), FILTER, FORCE),
    maximum=0,
)


def run(args: Arguments) -> int:
    every = args.all or ("dangling", "false") in args.filter
    what = "all images without at least one container associated to them" if every else "all dangling images"
    return ask_and_prune(
        args,
        f"WARNING! This will remove {what}.",
        lambda stock, fits: filter(fits, spare_images(stock, (), every=every)),
    )
