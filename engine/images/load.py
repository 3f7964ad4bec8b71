"""Bringing the images of an archive into the store: read and unpacked in one go, checked, and then made visible."""

from __future__ import annotations

import hashlib
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import BadImage, EngineError, NotFound, StoreError, Unsupported
from engine.images import archive, archive_forms, blobs, config, durability, gc, layer_tar, records, snapshots
from engine.images.progress import INTERVAL
from engine.images.streams import unpack_stream, wrong_diff_id
from engine.models import Loaded, Progress
from engine.registry import platforms
from engine.runtime.statefile import boot_id
from engine.state import events

if TYPE_CHECKING:
    from engine.images.archive import LayerFile
    from engine.images.archive_forms import Content
    from engine.settings import Settings
    from engine.state.database import Database

CHUNK_BYTES = 1 << 18

Heard = Callable[[Progress], None]


def load(
    settings: Settings,
    database: Database,
    source: str | Iterable[bytes],
    *,
    platform: str = "",
    progress: Heard | None = None,
) -> list[Loaded]:
    """Bring every image of an archive into the store; what was loaded, in the archive's order, once for each name.

    :param source: the path of a file, or its bytes. OCI layouts and Docker's archives; plain, gzip or zstd.
    :param platform: os/architecture[/variant], where the archive has an image for several; "" means this machine's.
    :param progress: called from this thread as the archive is read; what it raises ends the load.

    A load that fails or is killed leaves nothing visible of the image it was at. Raises InvalidInput, NotFound (file,
    platform), BadImage, VerificationFailed, Unsupported, StoreError.
    """
    wanted = platforms.parse(platform) if platform else platforms.local()
    name = os.path.basename(source) if isinstance(source, str) else "-"
    chunks = _file(source, progress) if isinstance(source, str) else _told(iter(source), name, 0, progress)
    blobs.prepare(settings)
    durability.mend(settings, database)
    try:
        with gc.pulling(settings):  # what is staged is nobody's garbage
            known = _Known(settings, database)
            with archive.read(settings, chunks, known) as read:
                found = archive_forms.contents(read, wanted, explicit=bool(platform))
                if not found:
                    raise BadImage("the archive holds no image")
                loaded = _Store(settings, database, found).all()
    finally:
        with suppress(EngineError):  # what has failed before is what to tell about
            gc.collect(settings, database)
    if progress:
        progress(Progress(name, "", "done"))
    return loaded


def _file(path: str, progress: Heard | None) -> Iterator[bytes]:
    """Opened at once: a mistyped name is told before anything else."""
    try:
        file = open(path, "rb", buffering=0)  # noqa: SIM115  # closed with the generator that reads it
    except OSError as error:
        kind = NotFound if isinstance(error, FileNotFoundError | NotADirectoryError) else StoreError
        raise kind(f"open {path}: {(error.strerror or str(error)).lower()}") from error

    def chunks() -> Iterator[bytes]:
        with file:
            try:
                while chunk := file.read(CHUNK_BYTES):
                    yield chunk
            except OSError as error:  # here, or unpacking would take it for its own
                raise StoreError(f"cannot read {path}: {error.strerror or error}") from error

    return _told(chunks(), os.path.basename(path), os.fstat(file.fileno()).st_size, progress)


def _told(chunks: Iterator[bytes], name: str, total: int, progress: Heard | None) -> Iterator[bytes]:
    current, due = 0, 0.0
    for chunk in chunks:
        current += len(chunk)
        if progress and time.monotonic() >= due:
            due = time.monotonic() + INTERVAL
            progress(Progress(name, "", "loading", current, total))
        yield chunk


class _Known:
    """The layers that the store has on whatever lower ones, by the digest of the blob each was made of."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database

    def __call__(self, digest: str) -> str:
        rows = self._database.query(
            "SELECT s.diff_id FROM image_layers l JOIN snapshots s ON s.name = l.snapshot"
            " WHERE l.digest = ? AND s.chain_id = '' AND s.boot IN ('', ?)"
            " UNION SELECT diff_id FROM snapshots WHERE diff_id = ? AND chain_id = '' AND boot IN ('', ?)",
            (digest, boot_id(), digest, boot_id()),
        )
        found = (row["diff_id"] for row in rows)
        return next((diff for diff in found if snapshots.find(self._settings, self._database, diff, "")), "")


class _Store:
    """The images of one archive on their way into the store."""

    def __init__(self, settings: Settings, database: Database, contents: list[Content]) -> None:
        self._settings = settings
        self._database = database
        self._contents = contents
        self._uses = Counter(id(layer) for content in contents for layer, _ in content.layers)
        self._new: list[str] = []

    def all(self) -> list[Loaded]:
        """Check every image before the first becomes visible."""
        for content in self._contents:
            _check(content)
        ready = [(content, self._snapshots(content)) for content in self._contents]
        loaded = [one for content, names in ready for one in self._record(content, names)]
        durability.settle(self._settings, self._new)
        return loaded

    def _snapshots(self, content: Content) -> list[str]:
        """The names of the layers' snapshots, from lowest to topmost."""
        diff_ids = config.diff_ids(config.parse(content.config))
        names: list[str] = []
        for (layer, _), diff_id, chain_id in zip(content.layers, diff_ids, config.chain_ids(diff_ids), strict=True):
            name = snapshots.find(self._settings, self._database, diff_id, chain_id)
            if not name:
                name = snapshots.commit(
                    self._settings,
                    self._database,
                    self._staged(layer),
                    diff_id=diff_id,
                    chain_id=chain_id,
                    size=layer.content_size,
                    implied=layer.implied,
                    lower=names,
                )
                self._new.append(name)
            self._uses[id(layer)] -= 1
            names.append(name)
        return names

    def _staged(self, layer: LayerFile) -> Path:
        """The staged directory of a layer, to be taken away; a copy of it if it may be wanted on other layers too."""
        if layer.staged is None:
            raise StoreError("a layer that was in the store has gone from it", hint="load the archive again")
        if not layer.implied or self._uses[id(layer)] == 1:
            return layer.staged
        copy = snapshots.stage(self._settings)  # should what follows fail, the next collection takes it away
        content = layer_tar.stream(str(layer.staged / snapshots.CONTENT))
        unpack_stream(content, hashlib.sha256(), str(copy / snapshots.CONTENT))
        return copy

    def _record(self, content: Content, names: list[str]) -> list[Loaded]:
        """Make an image visible, under all its names at once."""
        settings, image_id = self._settings, content.image_id
        tags = [name.canonical for name in content.names]
        before = {tag: self._named(tag) for tag in tags}
        blobs.write(settings, content.config, image_id.partition(":")[0])
        records.insert(
            self._database,
            image_id=image_id,
            manifest_digest=blobs.write(settings, content.manifest),
            document=config.parse(content.config),
            config_text=content.config.decode(),
            layers=[
                (name, descriptor.digest, descriptor.size)
                for name, (_, descriptor) in zip(names, content.layers, strict=True)
            ],
            tags=tags,
            digest_reference="",
        )
        events.append(str(settings.journal), "image", "load", image_id, next((n.familiar for n in content.names), ""))
        if not content.names:
            return [Loaded(image_id)]
        return [
            Loaded(image_id, name.familiar, before[name.canonical] if before[name.canonical] != image_id else "")
            for name in content.names
        ]

    def _named(self, tag: str) -> str:
        rows = self._database.query("SELECT image_id FROM image_tags WHERE reference = ?", (tag,))
        return rows[0]["image_id"] if rows else ""


def _check(content: Content) -> None:
    """Raises BadImage, VerificationFailed, Unsupported."""
    document = config.parse(content.config)
    try:
        content.config.decode()
    except UnicodeDecodeError:  # JSON may be UTF-16 too; the database wants text
        raise BadImage("the config of an image in the archive is not UTF-8") from None
    system = config.platform(document).os or "linux"
    if system != "linux":
        raise Unsupported(f"the archive's image is for {system!r} and cannot be used here")
    diff_ids = config.diff_ids(document)
    if len(diff_ids) != len(content.layers):
        raise BadImage(
            f"the manifest of an image in the archive has {len(content.layers)} layers and its config {len(diff_ids)}"
        )
    for (layer, _), diff_id in zip(content.layers, diff_ids, strict=True):
        if layer.diff_id != diff_id:
            raise wrong_diff_id(layer.diff_id, diff_id)
