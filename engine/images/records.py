"""Images as rows: read into `Image`, written in one transaction, found by name or ID."""

from __future__ import annotations

import time
from collections.abc import Sequence

from engine.errors import AmbiguousName, BadImage, InvalidInput, NotFound, StoreError
from engine.images import config, snapshots
from engine.models import Image, Layer
from engine.reference import Reference
from engine.reference import parse as parse_reference

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from typing import Any

    from engine.settings import Settings
    from engine.state.database import Database

_HEX = frozenset("0123456789abcdef")


def find(database: Database, reference_or_id: str) -> str:
    """The ID of the image that a name, a digest reference, an ID or a unique prefix of an ID stands for.

    A name wins over a prefix, as in Docker. Raises NotFound, AmbiguousName, InvalidInput.
    """
    try:
        reference: Reference | None = parse_reference(reference_or_id)
    except InvalidInput:
        if not is_id_like(reference_or_id):
            raise
        reference = None
    if reference is not None and (image_id := _named(database, reference)):
        return image_id
    if is_id_like(reference_or_id):
        prefix = "sha256:" + reference_or_id.removeprefix("sha256:")
        rows = database.query(
            "SELECT id FROM images WHERE removed = 0 AND substr(id, 1, ?) = ? LIMIT 2", (len(prefix), prefix)
        )
        if len(rows) > 1:
            raise AmbiguousName(
                f"image ID prefix {reference_or_id} is ambiguous", hint="give more digits of the ID, or a name"
            )
        if rows:
            return rows[0]["id"]
    shown = reference.familiar if reference is not None else reference_or_id
    raise NotFound(
        f"No such image: {shown}", hint=f"`pilothouse pull {shown}` fetches it" if reference is not None else ""
    )


def is_id_like(text: str) -> bool:
    """Whether it can be an image ID or the beginning of one."""
    digits = text.removeprefix("sha256:")
    return 0 < len(digits) <= 64 and _HEX.issuperset(digits)


def _named(database: Database, reference: Reference) -> str:
    if reference.digest:
        rows = database.query(
            "SELECT image_id FROM image_digests WHERE reference = ?", (f"{reference.name}@{reference.digest}",)
        )
    else:
        rows = database.query("SELECT image_id FROM image_tags WHERE reference = ?", (reference.canonical,))
    return rows[0]["image_id"] if rows else ""


def load(settings: Settings, database: Database, image_id: str) -> Image | None:
    """One image by its full ID; None if there is none. Raises StoreError if its entry is damaged."""
    damaged: list[StoreError] = []
    found = _load(settings, database, damaged, image_id)
    if damaged:
        raise damaged[0]
    return found[0] if found else None


def sound_and_damaged(settings: Settings, database: Database) -> tuple[list[Image], list[str]]:
    """All images that were not removed and can be read, newest first, and a sentence about each damaged entry."""
    damaged: list[StoreError] = []
    found = _load(settings, database, damaged)
    return found, [f"{error.message}: {error.hint}" for error in damaged]


def _load(settings: Settings, database: Database, damaged: list[StoreError], image_id: str = "") -> list[Image]:
    chosen, parameters = ("id = ?", (image_id,)) if image_id else ("removed = 0", ())
    rows = database.query(f"SELECT * FROM images WHERE {chosen} ORDER BY created DESC, pulled DESC, id", parameters)
    # One query a table, not one an image: `images` with fifty of them must not feel it.
    one = " WHERE image_id = ?" if image_id else ""
    tags, digests = (
        _names(database.query(f"SELECT image_id, reference FROM {table}{one} ORDER BY reference", parameters), damaged)
        for table in ("image_tags", "image_digests")
    )
    users = _grouped(database.query(f"SELECT image_id, id FROM containers{one} ORDER BY created DESC", parameters))
    layers: dict[str, list[Layer]] = {}
    for row in database.query(
        "SELECT l.image_id, l.digest, l.size, s.name, s.diff_id, s.size AS unpacked FROM image_layers l"
        f" JOIN snapshots s ON s.name = l.snapshot{one} ORDER BY l.image_id, l.position",
        parameters,
    ):
        layers.setdefault(row["image_id"], []).append(
            Layer(
                digest=row["digest"],
                diff_id=row["diff_id"],
                size=row["size"],
                unpacked_size=row["unpacked"],
                snapshot=snapshots.directory(settings, row["name"]),
            )
        )
    found: list[Image] = []
    for row in rows:
        try:
            found.append(
                _image(
                    row,
                    tags=tuple(tags.get(row["id"], ())),
                    digests=tuple(digests.get(row["id"], ())),
                    layers=tuple(layers.get(row["id"], ())),
                    users=tuple(users.get(row["id"], ())),
                )
            )
        except StoreError as error:
            damaged.append(error)
    return found


def is_name(text: object) -> bool:
    """Whether an entry of image_tags or image_digests can be read as the reference it should be."""
    try:
        return isinstance(text, str) and bool(parse_reference(text))
    except InvalidInput:
        return False


def insert(
    database: Database,
    *,
    image_id: str,
    manifest_digest: str,
    document: dict[str, Any],
    config_text: str,
    layers: Sequence[tuple[str, str, int]],
    tags: Sequence[str],
    digest_reference: str,
) -> None:
    """Write an image with its layers and names, all or nothing; one that is there gets the names.

    :param layers: (snapshot name, blob digest, blob size), from lowest to topmost.
    :param tags: canonical. They are taken away from the images that had them.
    :param digest_reference: repository@digest, or "".
    """
    platform = config.platform(document)
    with database.transaction() as connection:
        size = sum(_size(connection, name) for name, _, _ in layers)
        connection.execute(
            "INSERT INTO images (id, manifest_digest, os, architecture, variant, created, pulled, size, config)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE"
            " SET manifest_digest = excluded.manifest_digest, pulled = excluded.pulled, removed = 0",
            (
                image_id,
                manifest_digest,
                platform.os,
                platform.architecture,
                platform.variant,
                config.created(document),
                time.time(),
                size,
                config_text,
            ),
        )
        connection.execute("DELETE FROM image_layers WHERE image_id = ?", (image_id,))
        connection.executemany(
            "INSERT INTO image_layers (image_id, position, snapshot, digest, size) VALUES (?, ?, ?, ?, ?)",
            [(image_id, position, *layer) for position, layer in enumerate(layers)],
        )
        for tag in tags:
            name_image(connection, image_id, tag)
        if digest_reference:
            connection.execute(
                "INSERT INTO image_digests (reference, image_id) VALUES (?, ?)"
                " ON CONFLICT (reference) DO UPDATE SET image_id = excluded.image_id",
                (digest_reference, image_id),
            )


def name_image(connection: sqlite3.Connection, image_id: str, tag: str) -> None:
    """Give an image a canonical name, taking it away from the one that had it."""
    connection.execute(
        "INSERT INTO image_tags (reference, image_id) VALUES (?, ?)"
        " ON CONFLICT (reference) DO UPDATE SET image_id = excluded.image_id",
        (tag, image_id),
    )


def _size(connection: sqlite3.Connection, snapshot: str) -> int:
    return connection.execute("SELECT size FROM snapshots WHERE name = ?", (snapshot,)).fetchone()["size"]


def _names(rows: Sequence[sqlite3.Row], damaged: list[StoreError]) -> dict[str, list[str]]:
    """By image, the names that can be read."""
    for row in rows:
        if not is_name(row["reference"]):
            damaged.append(
                StoreError(
                    f"a name of image {str(row['image_id'])[7:19]} in the database is damaged ({row['reference']!r})",
                    hint="`pilothouse system check` puts it aside",
                )
            )
    return _grouped([row for row in rows if is_name(row["reference"])])


def _grouped(rows: Sequence[sqlite3.Row]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for key, value in rows:
        groups.setdefault(key, []).append(value)
    return groups


def _image(
    row: sqlite3.Row,
    *,
    tags: tuple[str, ...],
    digests: tuple[str, ...],
    layers: tuple[Layer, ...],
    users: tuple[str, ...],
) -> Image:
    try:
        if not isinstance(row["id"], str):
            raise BadImage("its ID is damaged")
        document = config.parse(row["config"])
    except BadImage as error:
        names = f" ({', '.join(parse_reference(name).familiar for name in tags)})" if tags else ""
        raise StoreError(
            f"the entry of image {str(row['id'])[7:19]}{names} in the database is damaged",
            hint="`pilothouse system check` restores it",
        ) from error
    return Image(
        id=row["id"],
        manifest_digest=row["manifest_digest"],
        references=tags,
        digests=digests,
        platform=config.platform(document),
        created=config.created(document),
        size=row["size"],
        config=config.execution(document),
        layers=layers,
        history=config.history(document),
        used_by=users,
    )
