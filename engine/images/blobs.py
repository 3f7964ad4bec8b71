"""The content store: manifests and configs as an OCI image layout, and the parts of layers that are being downloaded.

As in Docker, a layer's blob is dropped once it is unpacked and verified: keeping it would cost half as much disk again.
image-spec, image-layout.md allows that ("the blobs directory MAY be missing referenced blobs").
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from engine.errors import StoreError, VerificationFailed
from engine.registry.digests import digest as digest_of
from engine.registry.digests import has_digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.settings import Settings

LAYOUT = {"imageLayoutVersion": "1.0.0"}


def path(settings: Settings, digest: str) -> Path:
    """Where a blob is kept. `digest` must have been validated: algorithm and hexadecimal digits."""
    algorithm, _, encoded = digest.partition(":")
    return settings.images / "blobs" / algorithm / encoded


def partial(settings: Settings, digest: str) -> Path:
    """Where a layer is downloaded to. It stays after a broken pull, and the next one goes on from its end."""
    return staging(settings) / (digest.replace(":", "-") + ".partial")


def staging(settings: Settings) -> Path:
    return settings.images / "staging"


def prepare(settings: Settings) -> None:
    """Make the directories and the marker of the layout. Raises StoreError."""
    marker = settings.images / "oci-layout"
    try:
        for directory in (settings.images / "blobs" / "sha256", staging(settings)):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not marker.exists():
            _replace(settings, marker, json.dumps(LAYOUT).encode())
    except OSError as error:
        raise _cannot("prepare", settings.images, error) from error


def write(settings: Settings, content: bytes, algorithm: str = "sha256") -> str:
    """Keep a manifest or config; returns its digest. It is complete and on the disk, or it is not there."""
    digest = digest_of(content, algorithm)
    target = path(settings, digest)
    try:
        if not target.exists():
            target.parent.mkdir(mode=0o700, exist_ok=True)
            _replace(settings, target, content)
    except OSError as error:
        raise _cannot("write", target, error) from error
    return digest


def read(settings: Settings, digest: str) -> bytes:
    """A manifest or config. Raises StoreError if it is not there, VerificationFailed if it was changed."""
    name = path(settings, digest)
    try:
        content = name.read_bytes()
    except OSError as error:
        raise _cannot("read", name, error) from error
    if not has_digest(content, digest):
        raise VerificationFailed(f"{name} is damaged", hint="remove the image and pull it again")
    return content


def write_index(settings: Settings, manifests: Sequence[tuple[str, str]]) -> None:
    """Tell other programs what the layout holds: (manifest digest, reference or "") of each image.

    A copy for reading only: what the engine believes is in the database.
    """
    entries = []
    for digest, reference in manifests:
        try:
            content = path(settings, digest).read_bytes()
            media_type = json.loads(content).get("mediaType", "application/vnd.oci.image.manifest.v1+json")
        except (OSError, ValueError):
            continue
        entry: dict[str, object] = {"mediaType": media_type, "digest": digest, "size": len(content)}
        if reference:
            entry["annotations"] = {"org.opencontainers.image.ref.name": reference}
        entries.append(entry)
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": entries}
    target = settings.images / "index.json"
    try:
        _replace(settings, target, json.dumps(index, indent=1).encode(), durable=False)
    except OSError as error:
        raise _cannot("write", target, error) from error


def _replace(settings: Settings, target: Path, content: bytes, *, durable: bool = True) -> None:
    temporary = staging(settings) / (os.urandom(8).hex() + ".new")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        temporary.rename(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        fd = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def _cannot(verb: str, target: Path, error: OSError) -> StoreError:
    return StoreError(
        f"cannot {verb} {target}: {error.strerror or error}", hint="check that the disk is neither full nor read-only"
    )
