"""`pilothouse system prune`: remove stopped containers, and with them images and volumes that nothing uses."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from engine.cli.flags import Arguments, Command, Flag
from engine.cli.pruning import FILTER, FORCE, ask_and_prune, spare_images

if TYPE_CHECKING:
    from engine.models import Stock, Stored

COMMAND = Command(
    "system prune",
    "[OPTIONS]",
    "Remove unused data",
    (
        Flag("all", bool, "Remove all unused images, not just dangling ones", short="a"),
        FILTER,
        FORCE,
        Flag("volumes", bool, "Prune anonymous volumes"),
    ),
    maximum=0,
)


def run(args: Arguments) -> int:
    what = [
        "all stopped containers",
        *(["all anonymous volumes not used by at least one container"] if args.volumes else []),
        "all images without at least one container associated to them" if args.all else "all dangling images",
        "layers of unfinished pulls",
    ]
    warning = "\n".join(("WARNING! This will remove:", *(f"  - {line}" for line in what), ""))

    def choice(stock: Stock, fits: Callable[[Stored], bool]) -> Iterable[Stored]:
        containers = [item for item in stock.of("container") if not item.active and fits(item)]
        yield from containers
        yield from filter(fits, spare_images(stock, containers, every=args.all))
        gone = {item.id for item in containers}
        if args.volumes:
            yield from (v for v in stock.of("volume") if v.dangling and gone.issuperset(v.users) and fits(v))
        if not args.filter:
            yield from (item for item in stock.of("leftovers") if not item.active)

    return ask_and_prune(args, warning, choice)
