"""`pilothouse volume ls`: the volumes there are."""

from __future__ import annotations

from engine.cli.drive import drive, opened
from engine.cli.filters import fits, group, has_labels, parse_filter, yes_or_no
from engine.cli.flags import Arguments, Command, Flag
from engine.cli.listing import listing
from engine.cli.rows import Row
from engine.cli.terminal import put

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.models import Volume

COMMAND = Command(
    "volume ls",
    "[OPTIONS]",
    "List volumes",
    (
        Flag(
            "filter",
            parse_filter,
            "Provide filter values (e.g. 'dangling=true', 'name=data')",
            short="f",
            value="filter",
            many=True,
        ),
        Flag("format", str, "Format output: 'table', 'table TEMPLATE', 'json' or a Go template"),
        Flag("quiet", bool, "Only display volume names", short="q"),
    ),
    maximum=0,
)
HEADERS = {
    "Availability": "AVAILABILITY",
    "Driver": "DRIVER",
    "Group": "GROUP",
    "Labels": "LABELS",
    "Links": "LINKS",
    "Mountpoint": "MOUNTPOINT",
    "Name": "VOLUME NAME",
    "Scope": "SCOPE",
    "Size": "SIZE",
    "Status": "STATUS",
}
UNKNOWN = "N/A"  # as Docker says of what belongs to clusters, and of what it does not measure for a list


def run(args: Arguments) -> int:
    wanted = group(args.filter, ("dangling", "driver", "label", "name"))
    unused = yes_or_no("dangling", wanted.get("dangling", []))
    with opened(args) as engine:
        found = [
            volume
            for volume in drive(engine.volumes())
            if (unused is None or unused == (not volume.users))
            and ("driver" not in wanted or "local" in wanted["driver"])
            and has_labels(volume.labels, wanted.get("label", []))
            and ("name" not in wanted or fits(volume.name, wanted["name"]))
        ]
    if args.quiet and args.format in ("", "table"):
        put("".join(f"{volume.name}\n" for volume in found))
    else:
        put(listing([_row(volume) for volume in found], args.format, HEADERS, ("Driver", "Name")))
    return 0


def _row(volume: Volume) -> Row:
    labels = volume.labels
    return Row(
        {
            "Availability": lambda: UNKNOWN,
            "Driver": lambda: "local",
            "Group": lambda: UNKNOWN,
            "Labels": lambda: ",".join(f"{key}={value}" for key, value in labels.items()),
            "Links": lambda: str(len(volume.users)),
            "Mountpoint": lambda: volume.path,
            "Name": lambda: volume.name,
            "Scope": lambda: "local",
            "Size": lambda: UNKNOWN,
            "Status": lambda: UNKNOWN,
        },
        {"Label": lambda name: labels.get(name, "")},
    )
