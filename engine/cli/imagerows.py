"""An image as rows of `images`: one for each of its names."""

from __future__ import annotations

from engine.cli.rows import Row
from engine.cli.units import ago, go_time, human_size
from engine.reference import parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.models import Image

HEADERS = {
    "ID": "IMAGE ID",
    "Repository": "REPOSITORY",
    "Tag": "TAG",
    "Digest": "DIGEST",
    "CreatedSince": "CREATED",
    "CreatedAt": "CREATED AT",
    "Size": "SIZE",
    "Containers": "CONTAINERS",
    "VirtualSize": "SIZE",
    "SharedSize": "SHARED SIZE",
    "UniqueSize": "UNIQUE SIZE",
}
TABLE = ("Repository", "Tag", "ID", "CreatedSince", "Size")
TABLE_WITH_DIGESTS = ("Repository", "Tag", "Digest", "ID", "CreatedSince", "Size")
NONE = "<none>"


def names(image: Image) -> list[tuple[str, str, str]]:
    """(repository, tag, digest) for each name of an image, as people write them; `<none>` for what it lacks."""
    digests: dict[str, str] = {}
    for text in image.digests:
        reference = parse(text)
        digests[reference.familiar_name] = reference.digest
    found = []
    for text in image.references:
        reference = parse(text)
        name = reference.familiar_name
        found.append((name, reference.tag or NONE, digests.get(name, NONE)))
    tagged = {name for name, _, _ in found}
    found += [(name, NONE, digest) for name, digest in digests.items() if name not in tagged]
    return found or [(NONE, NONE, NONE)]


def image_rows(image: Image, chosen: Sequence[tuple[str, str, str]], *, truncate: bool) -> list[Row]:
    """A row for each of the chosen names."""
    return [_row(image, name, truncate) for name in chosen]


def short_id(image_id: str) -> str:
    return image_id.partition(":")[2][:12] or image_id[:12]


def _row(image: Image, name: tuple[str, str, str], truncate: bool) -> Row:
    repository, tag, digest = name
    return Row(
        {
            "ID": lambda: short_id(image.id) if truncate else image.id,
            "Repository": lambda: repository,
            "Tag": lambda: tag,
            "Digest": lambda: digest,
            "CreatedSince": lambda: ago(image.created),
            "CreatedAt": lambda: go_time(image.created) if image.created else "N/A",
            "Size": lambda: human_size(image.size),
            "VirtualSize": lambda: human_size(image.size, 4),
            "Containers": lambda: str(len(image.used_by)) if image.used_by else "N/A",
            "SharedSize": lambda: "N/A",
            "UniqueSize": lambda: "N/A",
        }
    )
