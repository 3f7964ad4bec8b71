"""Images made on this machine: layers and a config handed in as they are, put into the store like pulled ones."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from engine.errors import InvalidInput, StoreError
from engine.images import blobs, config, durability, gc, records, snapshots, store
from engine.images.compression import GZIP_MAGIC, ZSTD_MAGIC, decompressed
from engine.images.streams import unpack_stream
from engine.models import Descriptor, Image
from engine.reference import parse as parse_reference
from engine.registry import platforms
from engine.registry.manifests import OCI_MANIFEST
from engine.state import events

if TYPE_CHECKING:
    from engine.settings import Settings
    from engine.state.database import Database

CHUNK_BYTES = 256 << 10
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"


def add_image(
    settings: Settings,
    database: Database,
    config_document: Mapping[str, Any],
    layers: Sequence[str | os.PathLike[str] | IO[bytes]],
    reference: str,
) -> Image:
    """Put an image into the store under `reference`.

    :param config_document: an image-spec config; `rootfs` is filled in, and what it lacks of the platform.
    :param layers: tar archives, plain or compressed, from lowest to topmost: paths or binary streams.

    Raises InvalidInput (reference), BadImage (layers, config), StoreError.
    """
    name = parse_reference(reference)
    if name.digest:
        raise InvalidInput("an image made here cannot be named by a digest", hint="use a tag")
    here = platforms.local()
    document = {"architecture": here.architecture, "os": here.os, **config_document}
    if here.variant and document["architecture"] == here.architecture:
        document.setdefault("variant", here.variant)
    blobs.prepare(settings)
    durability.mend(settings, database)
    with gc.pulling(settings):
        added: list[_Added] = []
        for layer in layers:
            added.append(_add_layer(settings, database, layer, added))
        document["rootfs"] = {"type": "layers", "diff_ids": [layer.diff_id for layer in added]}
        text = json.dumps(document)
        document = config.parse(text)
        image_id = blobs.write(settings, text.encode())
        content = manifest(image_id, len(text.encode()), [layer.descriptor for layer in added])
        records.insert(
            database,
            image_id=image_id,
            manifest_digest=blobs.write(settings, content),
            document=document,
            config_text=text,
            layers=[(layer.snapshot, layer.descriptor.digest, layer.descriptor.size) for layer in added],
            tags=[name.canonical],
            digest_reference="",
        )
    durability.settle(settings, [layer.snapshot for layer in added if layer.is_new])
    events.append(str(settings.journal), "image", "import", image_id, name.familiar)
    gc.collect(settings, database)
    return store.image(settings, database, image_id)


class _Added:
    """A layer that is in the store."""

    def __init__(self, stream: _Measured, diff_id: str, snapshot: str, *, is_new: bool) -> None:
        self.snapshot = snapshot
        self.is_new = is_new
        self.diff_id = diff_id
        self.descriptor = Descriptor(LAYER_TYPE + stream.suffix, stream.digest, stream.size)


class _Measured:
    """The chunks of a file on their way through, counted and hashed."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.size = 0
        self.suffix = ""

    def __iter__(self) -> Iterator[bytes]:
        while chunk := self._file.read(CHUNK_BYTES):
            if not self.size:
                self.suffix = {GZIP_MAGIC: "+gzip", ZSTD_MAGIC[:2]: "+zstd"}.get(chunk[:2], "")
            self.size += len(chunk)
            self._hash.update(chunk)
            yield chunk

    @property
    def digest(self) -> str:
        return "sha256:" + self._hash.hexdigest()


def _add_layer(
    settings: Settings, database: Database, layer: str | os.PathLike[str] | IO[bytes], lower: Sequence[_Added]
) -> _Added:
    with _opened(layer) as file, snapshots.staged(settings) as staged:
        content = str(staged / snapshots.CONTENT)
        stream = _Measured(file)
        diff_hash = hashlib.sha256()
        unpacked = unpack_stream(decompressed(iter(stream)), diff_hash, content)
        diff_id = "sha256:" + diff_hash.hexdigest()
        chain = config.chain_ids((*(below.diff_id for below in lower), diff_id))[-1]
        snapshot = snapshots.find(settings, database, diff_id, chain)
        is_new = not snapshot
        if is_new:
            snapshot = snapshots.commit(
                settings,
                database,
                staged,
                diff_id=diff_id,
                chain_id=chain,
                size=unpacked.size,
                implied=unpacked.implied,
                lower=[added.snapshot for added in lower],
            )
    return _Added(stream, diff_id, snapshot, is_new=is_new)


@contextmanager
def _opened(layer: str | os.PathLike[str] | IO[bytes]) -> Iterator[IO[bytes]]:
    if not isinstance(layer, str | os.PathLike):
        yield layer
        return
    try:
        with Path(layer).open("rb") as file:
            yield file
    except OSError as error:
        raise StoreError(f"cannot read the layer {layer}: {error.strerror}") from error


def manifest(image_id: str, config_size: int, layers: Sequence[Descriptor]) -> bytes:
    """A manifest for a config and layers."""
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": image_id,
                "size": config_size,
            },
            "layers": [{"mediaType": layer.media_type, "digest": layer.digest, "size": layer.size} for layer in layers],
        }
    ).encode()
