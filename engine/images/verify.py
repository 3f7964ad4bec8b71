"""Looking whether the store holds what its rows say: configs, manifests, and layers as they were unpacked."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator
from typing import TYPE_CHECKING

from engine.errors import EngineError
from engine.frozen import dataclass
from engine.images import blobs, config, snapshots
from engine.images.attributes import shown
from engine.images.durability import DAMAGED
from engine.images.records import is_name
from engine.models import Finding
from engine.reference import is_digest
from engine.reference import parse as parse_reference
from engine.runtime.statefile import boot_id

if TYPE_CHECKING:
    import sqlite3

    from engine.settings import Settings
    from engine.state.database import Database

CENSUS = "census"  # beside the content of a snapshot: the digest of all of it, as the first check found it
SLACK_SECONDS = 5.0  # between the move of a layer to its place and its entry in the database
CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Damage:
    """An image that lacks something only a registry can give. `reference` is by digest, empty if it has none."""

    image_id: str
    shown: str
    reference: str
    platform: str
    problems: tuple[str, ...]
    snapshots: tuple[str, ...]


def identifiers(database: Database, *, mend: bool) -> Iterator[Finding]:
    """The IDs of images: layers, names and containers still say what a damaged one was, if the config has that digest.

    To be asked before rows that refer to nothing are put aside: those would go with it.
    """
    known = {row[0] for row in database.query("SELECT id FROM images")}
    wanted = {
        row[0] for row in database.query("SELECT image_id FROM image_layers UNION SELECT image_id FROM containers")
    }
    for row in database.query("SELECT rowid, id, config FROM images"):
        digest = _digest(_bytes(row["config"]), "sha256:")
        if row["id"] not in wanted and digest in wanted - known:
            if mend:
                with database.transaction() as connection:
                    connection.execute("UPDATE images SET id = ? WHERE rowid = ?", (digest, row["rowid"]))
            yield Finding(
                f"image {digest[7:19]}", "its ID in the database is damaged", "restored from its config", True
            )


def rows(settings: Settings, database: Database, *, mend: bool) -> Iterator[Finding]:
    """The configs, which are kept twice: each copy is made good from the other one; then what else an entry says."""
    for row in _entries(database, "ORDER BY id"):
        digest, subject = row["id"], f"image {row['id'][7:19]}"
        kept = _digest(_bytes(row["config"]), digest) == digest
        try:
            blob = blobs.read(settings, digest)
        except EngineError:
            blob = b""
        if not kept and blob:
            if mend:
                with database.transaction() as connection:
                    connection.execute("UPDATE images SET config = ? WHERE id = ?", (blob.decode(), digest))
            yield Finding(subject, "its entry in the database is damaged", "restored from its config", True)
        elif kept and not blob:
            if mend:
                blobs.path(settings, digest).unlink(missing_ok=True)
                blobs.prepare(settings)
                blobs.write(settings, row["config"].encode(), digest.partition(":")[0])
            yield Finding(subject, "its config is missing or damaged", "restored from the database", True)
        if kept and _is_misread(database, digest, row["config"], mend):
            yield Finding(subject, "its entry in the database is damaged", "restored from its config", True)


def _entries(database: Database, order: str) -> list[sqlite3.Row]:
    """The images, without those whose ID is damaged: the check puts them aside."""
    rows = database.query(f"SELECT * FROM images {order}")
    return [row for row in rows if isinstance(row["id"], str) and is_digest(row["id"])]


def _is_misread(database: Database, image_id: str, text: str, mend: bool) -> bool:
    """Whether an entry says something else than the config and the layers it was made of."""
    document = config.parse(text)
    platform = config.platform(document)
    (size,) = database.query(
        "SELECT coalesce(sum(s.size), 0) FROM image_layers l JOIN snapshots s ON s.name = l.snapshot"
        " WHERE l.image_id = ?",
        (image_id,),
    )[0]
    values = (platform.os, platform.architecture, platform.variant, config.created(document), size)
    (row,) = database.query("SELECT os, architecture, variant, created, size FROM images WHERE id = ?", (image_id,))
    if tuple(row) == values:
        return False
    if mend:
        with database.transaction() as connection:
            connection.execute(
                "UPDATE images SET os = ?, architecture = ?, variant = ?, created = ?, size = ? WHERE id = ?",
                (*values, image_id),
            )
    return True


def damages(settings: Settings, database: Database, *, mend: bool) -> list[Damage]:
    """The images of which a config, a manifest or a layer cannot be restored from what is here.

    With `mend` what a layer holds now is noted where it never was, so that the next check finds what changes unseen.
    """
    broken = {name: problem for name, problem in _snapshots(settings, database, mend) if problem}
    found = []
    for row in _entries(database, "ORDER BY created DESC"):
        problems: list[str] = []
        if _digest(_bytes(row["config"]), row["id"]) != row["id"]:
            problems.append("its config is damaged")  # both copies, or `rows` would have mended it
        if not _is_kept(settings, row["manifest_digest"]):
            problems.append("its manifest is missing or damaged")
        layers = [
            layer["snapshot"]
            for layer in database.query(
                "SELECT snapshot FROM image_layers WHERE image_id = ? ORDER BY position", (row["id"],)
            )
        ]
        lost = tuple(dict.fromkeys(name for name in layers if name in broken))
        problems += [f"layer {layers.index(name) + 1} of {len(layers)} {broken[name]}" for name in lost]
        if problems:
            found.append(_damage(database, row, tuple(problems), lost))
    return found


def set_aside(settings: Settings, database: Database, damage: Damage) -> None:
    """Let nobody use the damaged parts any more, so that a pull brings them anew."""
    with database.transaction() as connection:
        connection.executemany(
            "UPDATE snapshots SET boot = ? WHERE name = ?", [(DAMAGED, name) for name in damage.snapshots]
        )
    (row,) = database.query("SELECT manifest_digest FROM images WHERE id = ?", (damage.image_id,))
    for digest in (row["manifest_digest"], damage.image_id):
        if not _is_kept(settings, digest) and is_digest(digest):
            blobs.path(settings, digest).unlink(missing_ok=True)


def trust_again(settings: Settings, database: Database, damage: Damage) -> None:
    """The damaged parts could not be replaced: keep them as they are rather than lose the image."""
    with database.transaction() as connection:
        connection.executemany(
            "UPDATE snapshots SET boot = '' WHERE name = ? AND boot = ?",
            [(name, DAMAGED) for name in damage.snapshots],
        )


def _is_kept(settings: Settings, digest: str) -> bool:
    """Whether a manifest or config is there and whole."""
    if not isinstance(digest, str) or not is_digest(digest):
        return False  # what names it is damaged
    try:
        return bool(blobs.read(settings, digest))
    except EngineError:
        return False


def _damage(database: Database, row: sqlite3.Row, problems: tuple[str, ...], lost: tuple[str, ...]) -> Damage:
    names = [
        found["reference"]
        for table in ("image_tags", "image_digests")
        for found in database.query(
            f"SELECT reference FROM {table} WHERE image_id = ? ORDER BY reference", (row["id"],)
        )
        if is_name(found["reference"])
    ]
    shown = ", ".join(parse_reference(name).familiar for name in names if "@" not in name) or row["id"][7:19]
    platform = "/".join(part for part in (row["os"], row["architecture"], row["variant"]) if part)
    reference = next((name for name in names if "@" in name), "")
    return Damage(row["id"], shown, reference, platform, problems, lost)


def _snapshots(settings: Settings, database: Database, mend: bool) -> Iterator[tuple[str, str]]:
    """Each snapshot that should be whole, with what is wrong with it; empty if nothing is."""
    for row in database.query(
        "SELECT name, created, boot FROM snapshots WHERE boot IN ('', ?, ?)", (boot_id(), DAMAGED)
    ):
        if row["boot"] == DAMAGED:
            yield row["name"], "was found damaged by an earlier check"
        else:
            yield row["name"], _snapshot(settings, row["name"], row["created"], mend)


def _snapshot(settings: Settings, name: str, created: float, mend: bool) -> str:
    above = settings.snapshots / name
    try:
        fd = os.open(above, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return "is missing"
    try:
        # of a root that was copied to another disk every time of change is new, and says nothing
        moved = os.stat(fd).st_ctime_ns
        is_copied = moved / 1e9 > created + SLACK_SECONDS
        known = _read_census(fd)
        census = _Census(fd, 0 if is_copied or known else moved)
        if census.changed:
            return f"was changed after it was unpacked: {census.changed}"
        if not known and mend:
            _write_census(fd, census.digest)
        elif known and known != census.digest:
            return "is not what an earlier check saw"
        return ""
    except OSError as error:
        where = f" ({os.fsdecode(error.filename)})" if error.filename else ""
        return f"cannot be read: {error.strerror}{where}"
    finally:
        os.close(fd)


class _Census:
    """One walk over a snapshot: a digest of every name, attribute and byte, and the first path changed too late."""

    def __init__(self, above: int, latest: int) -> None:
        self._hash = hashlib.sha256()
        self._latest = latest
        self.changed = ""
        root = os.open(snapshots.CONTENT, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=above)
        try:
            for path, directories, files, fd in os.fwalk(".", dir_fd=root, onerror=_raise):
                directories.sort()  # also the order in which the walk goes on
                for name in sorted((*directories, *files)):
                    self._entry(path, name, fd)
        finally:
            os.close(root)
        self.digest = self._hash.hexdigest()

    def _entry(self, path: str, name: str, directory: int) -> None:
        found = os.stat(name, dir_fd=directory, follow_symlinks=False)
        if self._latest and found.st_ctime_ns > self._latest and not self.changed:
            self.changed = shown(os.fsencode(f"{path}/{name}".removeprefix("./")))
        facts = (found.st_mode, found.st_uid, found.st_gid, found.st_rdev, found.st_mtime_ns)
        self._hash.update(json.dumps([os.fsencode(f"{path}/{name}").hex(), facts]).encode())
        if stat.S_ISLNK(found.st_mode):
            self._hash.update(os.fsencode(os.readlink(name, dir_fd=directory)))
        elif stat.S_ISREG(found.st_mode):
            self._content(name, directory)

    def _content(self, name: str, directory: int) -> None:
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NOATIME | os.O_CLOEXEC, dir_fd=directory)
        try:
            while piece := os.read(fd, CHUNK_BYTES):
                self._hash.update(piece)
        finally:
            os.close(fd)


def _raise(error: OSError) -> None:
    raise error


def _read_census(above: int) -> str:
    try:
        fd = os.open(CENSUS, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=above)
    except FileNotFoundError:
        return ""
    try:
        return os.read(fd, 100).decode("ascii", "replace")
    finally:
        os.close(fd)


def _write_census(above: int, digest: str) -> None:
    """Not on a read-only store: then the next check looks as this one did."""
    try:
        fd = os.open(CENSUS, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=above)
    except OSError:
        return
    try:
        os.write(fd, digest.encode())
    finally:
        os.close(fd)


def _bytes(text: str | bytes) -> bytes:
    """Of a column that should be text: what is not UTF-8 comes as bytes."""
    return text if isinstance(text, bytes) else text.encode()


def _digest(content: bytes, like: str) -> str:
    algorithm = like.partition(":")[0]
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"
