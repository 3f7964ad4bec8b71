"""`pilothouse container prune`: remove all stopped containers."""

from __future__ import annotations

from engine.cli.flags import Arguments, Command
from engine.cli.pruning import FILTER, FORCE, ask_and_prune

COMMAND = Command("container prune", "[OPTIONS]", "Remove all stopped containers", (FILTER, FORCE), maximum=0)


def run(args: Arguments) -> int:
    return ask_and_prune(
        args,
        "WARNING! This will remove all stopped containers.",
        lambda stock, fits: [item for item in stock.of("container") if not item.active and fits(item)],
    )
