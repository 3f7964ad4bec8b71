"""Writing images as an archive that Docker, podman and `load` read: an OCI layout with Docker's manifest.json beside.

As the store keeps no blobs, layers are written anew from their snapshots. Where that gives other bytes than the layer
was made of, its diff ID is another one, the config names that, and so the ID of the image in the archive differs.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from engine.errors import InvalidInput, NotFound, StoreError
from engine.images import blobs, config, durability, gc, layer_tar, layout, records, store, tar_write
from engine.images.archive_forms import INDEX, MANIFEST, NAME, REF_NAME, blob_name
from engine.models import Descriptor
from engine.reference import parse as parse_reference
from engine.registry.manifests import OCI_INDEX, OCI_MANIFEST
from engine.state import events

if TYPE_CHECKING:
    from typing import Any

    from engine.models import Image
    from engine.reference import Reference
    from engine.settings import Settings
    from engine.state.database import Database

Write = Callable[[bytes], object]


def save(settings: Settings, database: Database, words: Sequence[str], target: str | Write) -> None:
    """Write images to a file, which is there when it is whole, or to a function that takes the bytes.

    :param words: names and IDs, as in docker-save(1): a name without a tag means every tag of its repository.

    Raises NotFound, AmbiguousName, InvalidInput, StoreError (disk full, a damaged image). What `target` raises for
    bytes is let through if it is no OSError, or a BrokenPipeError.
    """
    durability.mend(settings, database)
    blobs.prepare(settings)
    # As a pull does: nobody deletes a layer meanwhile. What `rmi` could not delete for that, the end of this does.
    with gc.pulling(settings):
        chosen = _chosen(database, words)
        images = [(store.image_of_container(settings, database, image_id), names) for image_id, names in chosen.items()]
        if isinstance(target, str):
            with _file(target) as write:
                _Archive(settings, write).put(images)
        else:
            _Archive(settings, _guarded(target, "the archive")).put(images)
    for image, names in images:
        events.append(str(settings.journal), "image", "save", image.id, names[0].familiar if names else "")
    gc.collect(settings, database)


def _chosen(database: Database, words: Sequence[str]) -> dict[str, list[Reference]]:
    """The names to save of each image, by its ID."""
    chosen: dict[str, list[Reference]] = {}
    for word in words:
        for image_id, name in _meant(database, word):
            names = chosen.setdefault(image_id, [])
            if name and name not in names:
                names.append(name)
    return chosen


def _meant(database: Database, word: str) -> list[tuple[str, Reference | None]]:
    try:
        reference: Reference | None = parse_reference(word)
    except InvalidInput:
        reference = None  # an ID of 64 digits is no name
    if reference and not reference.digest:
        whole = reference.name + ":"
        wanted = reference.canonical if ":" in word.rpartition("/")[2] else whole
        rows = database.query(
            "SELECT image_id, reference FROM image_tags WHERE substr(reference, 1, ?) = ? AND (? OR reference = ?)"
            " ORDER BY reference",
            (len(whole), whole, wanted == whole, wanted),
        )
        if rows:
            return [(row["image_id"], parse_reference(row["reference"])) for row in rows]
    return [(records.find(database, word), None)]


# where to -----------------------------------------------------------------------------------------
@contextmanager
def _file(path: str) -> Iterator[Write]:
    """A file of the name, complete or not there; what is no regular file (/dev/stdout, a pipe) is written as it is."""
    path = os.path.realpath(path)
    directory = os.path.dirname(path)
    temporary = ""
    try:
        kind = _kind(path)
        if kind == stat.S_IFDIR:
            raise InvalidInput("failed to save image: cannot write to a directory")
        if kind in (0, stat.S_IFREG):
            fd, temporary = tempfile.mkstemp(prefix=".pilothouse-", dir=directory)
        else:
            fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        with os.fdopen(fd, "wb") as file:
            yield _guarded(file.write, path)
            file.flush()
            if temporary:
                os.fsync(fd)
                os.rename(temporary, path)
                temporary = ""
    except (FileNotFoundError, NotADirectoryError) as error:
        reason = (error.strerror or str(error)).lower()
        raise NotFound(f"failed to save image: invalid output path: stat {directory}: {reason}") from error
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        if temporary:
            os.unlink(temporary)


def _kind(path: str) -> int:
    try:
        return stat.S_IFMT(os.stat(path).st_mode)
    except FileNotFoundError:
        return 0


def _guarded(write: Write, shown: str) -> Write:
    def guarded(content: bytes) -> None:
        try:
            write(content)
        except BrokenPipeError:  # the reader has gone: the front end knows what that means to it
            raise
        except OSError as error:
            raise _cannot_write(shown, error) from error

    return guarded


def _cannot_write(path: str, error: OSError) -> StoreError:
    return StoreError(
        f"cannot write {path}: {error.strerror or error}", hint="check that the disk is neither full nor read-only"
    )


# what ---------------------------------------------------------------------------------------------
class _Archive:
    """The archive that is being written: blobs as they become known, then the documents that name them."""

    def __init__(self, settings: Settings, write: Write) -> None:
        self._settings = settings
        self._write = write
        self._written: set[str] = set()
        self._layers: dict[str, Descriptor] = {}  # by the directory of the snapshot

    def put(self, images: Sequence[tuple[Image, Sequence[Reference]]]) -> None:
        for directory in ("blobs", "blobs/sha256"):
            self._header(directory, 0, tarfile.DIRTYPE, 0o755)
        index: list[dict[str, Any]] = []
        manifest: list[dict[str, Any]] = []
        for image, names in images:
            layers = [self._layer(layer.snapshot) for layer in image.layers]
            text = self._config(image, layers)
            image_id = self._blob(text)
            content = layout.manifest(image_id, len(text), layers)
            described = {
                "mediaType": OCI_MANIFEST,
                "digest": self._blob(content),
                "size": len(content),
                "platform": _platform(image),
            }
            for name in names:
                index.append({**described, "annotations": {NAME: name.canonical, REF_NAME: name.canonical}})
            if not names:
                index.append(described)
            manifest.append(
                {
                    "Config": blob_name(image_id),
                    "RepoTags": [name.familiar for name in names] or None,
                    "Layers": [blob_name(layer.digest) for layer in layers],
                }
            )
        self._member(INDEX, {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": index})
        self._member(MANIFEST, manifest)
        self._member("oci-layout", blobs.LAYOUT)
        self._write(tar_write.END)

    def _config(self, image: Image, layers: Sequence[Descriptor]) -> bytes:
        """As it is, if its layers are; else with their new diff IDs."""
        text = blobs.read(self._settings, image.id)
        document = config.parse(text)
        diff_ids = [layer.digest for layer in layers]
        if tuple(diff_ids) == config.diff_ids(document):
            return text
        document["rootfs"] = {"type": "layers", "diff_ids": diff_ids}
        return json.dumps(document, separators=(",", ":")).encode()

    def _layer(self, snapshot: str) -> Descriptor:
        """Write a layer, unless it is in the archive already."""
        if snapshot in self._layers:
            return self._layers[snapshot]
        # Its name is its digest and stands before it, so it is made once for that; not in memory, it may be large.
        with _spool(self._settings) as spool:
            whole = hashlib.sha256()
            try:
                for piece in layer_tar.stream(snapshot):
                    whole.update(piece)
                    spool.write(piece)
                spool.flush()
                size = spool.tell()
                spool.seek(0)
            except OSError as error:
                raise StoreError(
                    f"cannot read a layer out of {snapshot}: {error.strerror or error}",
                    hint="check that the disk is not full, and run `pilothouse system check`",
                ) from error
            found = Descriptor(layout.LAYER_TYPE, f"sha256:{whole.hexdigest()}", size)
            if found.digest not in self._written:
                self._written.add(found.digest)
                self._header(blob_name(found.digest), size)
                while piece := spool.read(tar_write.CHUNK_BYTES):
                    self._write(piece)
                self._write(bytes(-size % tarfile.BLOCKSIZE))
        self._layers[snapshot] = found
        return found

    def _blob(self, content: bytes) -> str:
        digest = blobs.digest_of(content)
        if digest not in self._written:
            self._written.add(digest)
            self._put(blob_name(digest), content)
        return digest

    def _member(self, name: str, document: object) -> None:
        self._put(name, json.dumps(document, separators=(",", ":")).encode())

    def _put(self, name: str, content: bytes) -> None:
        self._header(name, len(content))
        self._write(content + bytes(-len(content) % tarfile.BLOCKSIZE))

    def _header(self, name: str, size: int, kind: bytes = tarfile.REGTYPE, mode: int = 0o644) -> None:
        entry = tarfile.TarInfo(name)
        entry.size, entry.type, entry.mode = size, kind, mode
        self._write(tar_write.header(entry))


def _spool(settings: Settings) -> IO[bytes]:
    try:
        return tempfile.TemporaryFile(dir=blobs.staging(settings))
    except OSError as error:
        raise StoreError(f"cannot write to {blobs.staging(settings)}: {error.strerror or error}") from error


def _platform(image: Image) -> dict[str, str]:
    platform = image.platform
    parts = {"architecture": platform.architecture, "os": platform.os or "linux", "variant": platform.variant}
    return {key: value for key, value in parts.items() if value}
