"""`pilothouse images`: the images in the store."""

from __future__ import annotations

from engine.cli.drive import drive, opened
from engine.cli.filters import group, has_labels, parse_filter, yes_or_no
from engine.cli.flags import IMAGES, Arguments, Command, Flag
from engine.cli.listing import listing
from engine.cli.terminal import put
from engine.errors import InvalidInput

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.models import Image

COMMAND = Command(
    "images",
    "[OPTIONS] [REPOSITORY[:TAG]]",
    "List images",
    (
        Flag("all", bool, "Show all images (an image without a name is shown in any case)", short="a"),
        Flag("digests", bool, "Show digests"),
        Flag(
            "filter", parse_filter, "Filter output based on conditions provided", short="f", value="filter", many=True
        ),
        Flag("format", str, "Format output: 'table', 'table TEMPLATE', 'json' or a Go template"),
        Flag("no-trunc", bool, "Don't truncate output"),
        Flag("quiet", bool, "Only show image IDs", short="q"),
    ),
    maximum=1,
    arguments=IMAGES,
)
FILTERS = frozenset(("dangling", "label", "before", "since", "reference"))
NONE = "<none>"


def run(args: Arguments) -> int:
    from engine.cli.imagerows import HEADERS, TABLE, TABLE_WITH_DIGESTS, image_rows, names, short_id

    wanted = group(args.filter, FILTERS)
    patterns = [*wanted.get("reference", []), *args.words]
    dangling = yes_or_no("dangling", wanted.get("dangling", []))
    with opened(args) as engine:
        found = [
            (image, [name for name in names(image) if _named(name, patterns)])
            for image in _within(engine, drive(engine.images()), wanted)
            if has_labels(image.config.labels, wanted.get("label", []))
            and (dangling is None or dangling == (not image.references))
        ]
    if args.quiet and args.format in ("", "table"):
        ids = [image.id if args.no_trunc else short_id(image.id) for image, chosen in found for _ in chosen]
        put("".join(f"{image_id}\n" for image_id in ids))
        return 0
    rows = [row for image, chosen in found for row in image_rows(image, chosen, truncate=not args.no_trunc)]
    put(listing(rows, args.format, HEADERS, TABLE_WITH_DIGESTS if args.digests else TABLE))
    return 0


def _within(engine: Engine, images: list[Image], wanted: dict[str, list[str]]) -> list[Image]:
    """The images made before, or after, the named ones."""
    before = [drive(engine.image(name)).created for name in wanted.get("before", [])]
    since = [drive(engine.image(name)).created for name in wanted.get("since", [])]
    return [
        image
        for image in images
        if all(image.created < moment for moment in before) and all(image.created > moment for moment in since)
    ]


def _named(name: tuple[str, str, str], patterns: list[str]) -> bool:
    """Whether `repository[:tag]` patterns, with `*` as in a shell's file names, allow a name."""
    from engine.reference import parse

    repository, tag, digest = name
    if not patterns:
        return True
    for pattern in patterns:
        try:
            wanted = parse(pattern)
        except InvalidInput:
            head, _, rest = pattern.partition(":")
            if _fits_path(repository, head) and _fits_path(tag, rest or "*"):
                return True
            continue
        said_tag = ":" in pattern.rpartition("/")[2].partition("@")[0]
        if repository != wanted.familiar_name or (said_tag and tag != wanted.tag):
            continue
        if not wanted.digest or wanted.digest == digest:
            return True
    return False


def _fits_path(text: str, pattern: str) -> bool:
    """As path.Match of Go: `*` does not cross a `/`."""
    from fnmatch import fnmatchcase

    parts, patterns = text.split("/"), pattern.split("/")
    return len(parts) == len(patterns) and all(map(fnmatchcase, parts, patterns))
