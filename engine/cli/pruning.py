"""What the prune commands have in common: the question, the filters, and how they tell what went."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from engine.cli.drive import drive, opened
from engine.cli.filters import group, has_labels, parse_filter
from engine.cli.flags import Arguments, Flag
from engine.cli.terminal import put, say
from engine.cli.units import human_size, moment
from engine.errors import InvalidInput

if TYPE_CHECKING:
    from engine.models import Pruned, Stock, Stored

FORCE = Flag("force", bool, "Do not prompt for confirmation", short="f")
FILTER = Flag(
    "filter", parse_filter, "Provide filter values (e.g. 'until=24h', 'label=a=b')", value="filter", many=True
)
Choice = Callable[["Stock", Callable[["Stored"], bool]], Iterable["Stored"]]


def ask_and_prune(args: Arguments, warning: str, choice: Choice) -> int:
    """Ask unless `--force` was given, remove what `choice` takes of the stock, and tell. A "no" is no failure."""
    fits = _test(args.filter)
    if not args.force and not confirmed(warning):
        return 0
    with opened(args) as engine:
        stock = drive(engine.stock())
        pruned = drive(engine.prune([item.key for item in choice(stock, fits)]))
    put(report(pruned))
    for problem in pruned.problems:
        say(f"Error: {problem}")
    return 1 if pruned.problems else 0


def confirmed(warning: str) -> bool:
    """Whether the user types `y`; the end of input means no."""
    put(f"{warning}\nAre you sure you want to continue? [y/N] ")
    sys.stdout.flush()
    answer = sys.stdin.readline()
    if not answer.endswith("\n"):
        put("\n")
    return answer.strip().lower() == "y"


def report(pruned: Pruned) -> str:
    """Docker's lists of what is gone, and the bytes won."""
    images = [
        f"untagged: {removed.untagged}" if removed.untagged else f"deleted: {removed.deleted}"
        for removed in pruned.images
    ]
    parts = []
    for title, lines in (
        ("Deleted Containers:", pruned.containers),
        ("Deleted Volumes:", pruned.volumes),
        ("Deleted Images:", images),
    ):
        if lines:
            parts.append("\n".join((title, *lines)) + "\n\n")
    return "".join((*parts, f"Total reclaimed space: {human_size(pruned.won, 4)}\n"))


def spare_images(stock: Stock, containers: Iterable[Stored], *, every: bool) -> list[Stored]:
    """The images that go when these containers are gone: those without a name, or `every` one that nothing uses."""
    leaving = {container.id for container in containers}
    return [item for item in stock.of("image") if (item.dangling or every) and leaving.issuperset(item.users)]


def _test(given: list[tuple[str, str]]) -> Callable[[Stored], bool]:
    wanted = group(given, ("dangling", "label", "label!", "until"))
    until = [moment(text) for text in wanted.get("until", ())]
    if len(until) > 1:
        raise InvalidInput("more than one until filter specified")

    def fits(item: Stored) -> bool:
        if until and (item.created or time.time()) > until[0]:
            return False
        refused = wanted.get("label!", [])
        return has_labels(item.labels, wanted.get("label", [])) and not (refused and has_labels(item.labels, refused))

    return fits
