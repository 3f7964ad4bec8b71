"""`pilothouse system df`: what takes room on the disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.cli.drive import drive, opened
from engine.cli.flags import Arguments, Command, Flag
from engine.cli.listing import listing, table
from engine.cli.rows import fixed_row
from engine.cli.terminal import put
from engine.cli.units import ago, human_size

if TYPE_CHECKING:
    from engine.cli.rows import Row
    from engine.models import Stock

COMMAND = Command(
    "system df",
    "[OPTIONS]",
    "Show disk usage",
    (
        Flag("format", str, "Format output: 'table', 'table TEMPLATE', 'json' or a Go template"),
        Flag("verbose", bool, "Show detailed information on space usage", short="v"),
    ),
    maximum=0,
)
HEADERS = {"Type": "TYPE", "TotalCount": "TOTAL", "Active": "ACTIVE", "Size": "SIZE", "Reclaimable": "RECLAIMABLE"}
KINDS = {"image": "Images", "container": "Containers", "volume": "Local Volumes", "leftovers": "Unfinished Pulls"}


def run(args: Arguments) -> int:
    with opened(args) as engine:
        stock = drive(engine.stock())
    put(_verbose(stock) if args.verbose else listing(_rows(stock), args.format, HEADERS, tuple(HEADERS)))
    return 0


def _rows(stock: Stock) -> list[Row]:
    rows = []
    for kind, title in KINDS.items():
        items = stock.of(kind)
        size = stock.size(kind)
        spare = stock.won([item.key for item in items if not item.active])
        share = f" ({100 * spare // size}%)" if size else ""
        rows.append(
            fixed_row(
                {
                    "Type": title,
                    "TotalCount": str(len(items)),
                    "Active": str(sum(item.active for item in items)),
                    "Size": human_size(size, 4),
                    "Reclaimable": human_size(spare, 4) + share,
                }
            )
        )
    return rows


def _verbose(stock: Stock) -> str:
    """A table for each kind; of an image's size, what it shares with others and what it has for itself."""
    holders: dict[str, int] = {}
    for image in stock.of("image"):
        for part, _ in dict(image.parts).items():
            holders[part] = holders.get(part, 0) + 1
    images = [["IMAGE", "IMAGE ID", "CREATED", "SIZE", "SHARED SIZE", "UNIQUE SIZE", "CONTAINERS"]]
    for image in stock.of("image"):
        shared = sum(size for part, size in dict(image.parts).items() if holders[part] > 1)
        sizes = (human_size(size, 4) for size in (image.size, shared, image.size - shared))
        name = "<none>" if image.dangling else image.name
        images.append([name, image.id[7:19], ago(image.created), *sizes, str(len(image.users))])
    containers = [["CONTAINER ID", "SIZE", "CREATED", "RUNNING", "NAMES"]]
    for one in stock.of("container"):
        running = "yes" if one.active else "no"
        containers.append([one.id[:12], human_size(one.size, 4), ago(one.created), running, one.name])
    volumes = [["VOLUME NAME", "LINKS", "SIZE"]]
    volumes += [[one.name, str(len(one.users)), human_size(one.size, 4)] for one in stock.of("volume")]
    return (
        f"Images space usage:\n\n{table(images)}\nContainers space usage:\n\n{table(containers)}"
        f"\nLocal Volumes space usage:\n\n{table(volumes)}"
    )
