"""Removing images by Docker's rules: names first, then the image, and neither from under a container."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from engine.errors import Conflict, InvalidInput
from engine.images import config, gc, records
from engine.models import Removed
from engine.reference import Reference
from engine.reference import parse as parse_reference
from engine.runtime.status import status
from engine.state import events

if TYPE_CHECKING:
    from engine.settings import Settings
    from engine.state.database import Database


def remove(settings: Settings, database: Database, reference_or_id: str, *, force: bool) -> list[Removed]:
    """See `store.remove`."""
    image_id = records.find(database, reference_or_id)
    with gc.collecting(settings):
        with database.transaction() as connection:
            removal = _Removal(settings, connection, image_id, force)
            if removal.named_by(reference_or_id):
                removal.by_name(reference_or_id)
            else:
                removal.by_id()
        for record in removal.done:
            action, name = ("untag", record.untagged) if record.untagged else ("delete", record.deleted)
            if record.untagged or record.deleted == image_id:
                events.append(str(settings.journal), "image", action, image_id, name)
        gc.remove_garbage(settings, database)
    return removal.done


class _Removal:
    """One `rmi` inside its transaction: what it finds, and what it has done so far."""

    def __init__(self, settings: Settings, connection: sqlite3.Connection, image_id: str, force: bool) -> None:
        self.connection = connection
        self.image_id = image_id
        self.short_id = image_id.removeprefix("sha256:")[:12]
        self.force = force
        self.done: list[Removed] = []
        users = connection.execute("SELECT id FROM containers WHERE image_id = ? ORDER BY created", (image_id,))
        self.users = [row["id"] for row in users]
        self.running = [user for user in self.users if status(settings, user).live]
        self.names = [
            parse_reference(row["reference"])
            for table in ("image_tags", "image_digests")
            for row in connection.execute(
                f"SELECT reference FROM {table} WHERE image_id = ? ORDER BY reference", (image_id,)
            )
        ]

    def named_by(self, text: str) -> bool:
        """Whether the user gave a name of the image, not its ID."""
        try:
            return self._key(parse_reference(text)) in map(self._key, self.names)
        except InvalidInput:
            return False

    def by_name(self, text: str) -> None:
        reference = parse_reference(text)
        if not self.force and self._one_name() and self.users:
            raise Conflict(
                f'conflict: unable to remove repository reference "{text}" (must force) - container'
                f" {self.users[0][:12]} is using its referenced image {self.short_id}",
                hint="remove the container first, or use --force",
            )
        self._untag(next(name for name in self.names if self._key(name) == self._key(reference)))
        if not reference.digest and not any(name.tag and name.name == reference.name for name in self.names):
            for name in [name for name in self.names if name.name == reference.name]:
                self._untag(name)  # digests of a repository that no tag speaks of any more
        if self.names:
            return
        if self._conflict():
            return  # it stays, without a name
        self._delete()

    def by_id(self) -> None:
        if conflict := self._conflict(names_matter=not self._one_name()):
            reason, way_out = conflict
            raise Conflict(
                f"conflict: unable to delete {self.short_id} ({way_out}) - {reason}",
                hint="stop and remove the container first" if self.users else "use --force, or remove each name",
            )
        for name in list(self.names):
            self._untag(name)
        self._delete()

    def _conflict(self, *, names_matter: bool = False) -> tuple[str, str] | None:
        """What stands in the way, and whether force would help."""
        if self.running:
            return f"image is being used by running container {self.running[0][:12]}", "cannot be forced"
        if self.force:
            return None
        if names_matter:
            return "image is referenced in multiple repositories", "must be forced"
        if self.users:
            return f"image is being used by stopped container {self.users[0][:12]}", "must be forced"
        return None

    def _one_name(self) -> bool:
        """At most one tag, and digests only of the same repository."""
        tags = [name for name in self.names if not name.digest]
        repositories = {name.name for name in self.names}
        return len(self.names) <= 1 or (len(tags) <= 1 and len(repositories) == 1)

    def _untag(self, name: Reference) -> None:
        table = "image_digests" if name.digest else "image_tags"
        self.connection.execute(f"DELETE FROM {table} WHERE reference = ?", (name.canonical,))
        self.names.remove(name)
        self.done.append(Removed(untagged=name.familiar))

    def _delete(self) -> None:
        self.done.append(Removed(deleted=self.image_id))
        if self.users:  # stopped ones, under force: their root filesystem needs the layers
            self.connection.execute("UPDATE images SET removed = 1 WHERE id = ?", (self.image_id,))
            return
        layers = self.connection.execute(
            "SELECT s.diff_id, s.name FROM image_layers l JOIN snapshots s ON s.name = l.snapshot"
            " WHERE l.image_id = ? ORDER BY l.position",
            (self.image_id,),
        ).fetchall()
        gc.release(self.connection, self.image_id)
        still_used = {row["snapshot"] for row in self.connection.execute("SELECT snapshot FROM image_layers")}
        chain = config.chain_ids(tuple(row["diff_id"] for row in layers))
        for row, chain_id in reversed(list(zip(layers, chain, strict=True))):
            if row["name"] not in still_used:
                self.done.append(Removed(deleted=chain_id))

    @staticmethod
    def _key(reference: Reference) -> str:
        return f"{reference.name}@{reference.digest}" if reference.digest else reference.canonical
