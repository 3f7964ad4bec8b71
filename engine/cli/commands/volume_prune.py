"""`pilothouse volume prune`: remove volumes that no container uses."""

from __future__ import annotations

from engine.cli.filters import group
from engine.cli.flags import Arguments, Command, Flag
from engine.cli.pruning import FILTER, FORCE, ask_and_prune

COMMAND = Command(
    "volume prune",
    "[OPTIONS]",
    "Remove unused local volumes",
    (Flag("all", bool, "Remove all unused volumes, not just anonymous ones", short="a"), FILTER, FORCE),
    maximum=0,
)


def run(args: Arguments) -> int:
    group(args.filter, ("label", "label!"))
    which = "all" if args.all else "anonymous"
    return ask_and_prune(
        args,
        f"WARNING! This will remove {which} local volumes not used by at least one container.",
        lambda stock, fits: [
            item for item in stock.of("volume") if not item.active and (args.all or item.dangling) and fits(item)
        ],
    )
