"""Manifests and indexes, read with suspicion: what a registry sends decides what is fetched and unpacked.

Sources: image-spec manifest.md, image-index.md, descriptor.md; Docker's manifest-v2-2.md.
"""

from __future__ import annotations

import json

from engine.errors import BadImage, NotFound, RegistryError, Unsupported
from engine.frozen import dataclass
from engine.models import Descriptor, Platform
from engine.reference import is_digest
from engine.registry import platforms
from engine.registry.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
ACCEPT = ", ".join((OCI_INDEX, DOCKER_INDEX, OCI_MANIFEST, DOCKER_MANIFEST))

MAX_MANIFEST = 4 << 20  # bytes: distribution-spec, "Pushing Manifests"
MAX_CONFIG = 8 << 20  # bytes
MAX_LAYERS = 1000  # far more than Docker's 127; each costs a directory and an overlay mount option
_MAX_SIZE = 1 << 50  # bytes of a blob, a pebibyte: beyond it a number is a mistake or an attack

_MANIFESTS = (OCI_MANIFEST, DOCKER_MANIFEST)
_INDEXES = (OCI_INDEX, DOCKER_INDEX)
_SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1"
_CONFIGS = (
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
    "application/octet-stream",  # very old versions of Docker wrote this
)
_LAYERS = tuple(
    f"application/vnd.oci.image.layer.{kind}v1.tar{compression}"
    for kind in ("", "nondistributable.")
    for compression in ("", "+gzip", "+zstd")
) + tuple(
    f"application/vnd.docker.image.rootfs.{kind}diff.tar{compression}"
    for kind in ("", "foreign.")
    for compression in ("", ".gzip", ".zstd")
)


@dataclass(frozen=True, slots=True)
class Entry:
    """An index's entry; `platform` is None where the index does not say."""

    descriptor: Descriptor
    platform: Platform | None


@dataclass(frozen=True, slots=True)
class Index:
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Manifest:
    media_type: str
    config: Descriptor
    layers: tuple[Descriptor, ...]  # from the lowest to the topmost


@dataclass(frozen=True, slots=True)
class ResolvedManifest:
    """What a reference means on one platform: all that is needed to fetch the image."""

    manifest_digest: str
    media_type: str
    manifest: bytes  # as the registry has it; its digest is `manifest_digest`
    config: Descriptor
    layers: tuple[Descriptor, ...]  # from the lowest to the topmost; the same one may occur twice
    platform: Platform
    index_digest: str = ""  # of the index it was chosen from; empty if the reference names a manifest


def is_foreign(descriptor: Descriptor) -> bool:
    """Whether its content may only be had from its own URLs."""
    return ".nondistributable." in descriptor.media_type or ".foreign." in descriptor.media_type


def parse(body: bytes, content_type: str, host: str, what: str) -> Index | Manifest:
    """Read a manifest or index that `host` sent for `what`.

    Raises: RegistryError for what is no such document, BadImage for one that breaks the specification, Unsupported for
    schema 1 and for artifacts that are no container images.
    """
    host, what = printable(host), printable(what)
    sent_type = content_type.partition(";")[0].strip().lower()
    if sent_type in ("text/html", "application/xhtml+xml") or body.lstrip()[:1] == b"<":
        raise RegistryError(
            f"{host} answered with a web page instead of the manifest of {what}",
            hint="check the registry's name, and whether a proxy or a Wi-Fi login stands in between",
        )
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise RegistryError(
            f"{host} answered with something that is not JSON instead of the manifest of {what}",
            hint="check the registry's name, and whether a proxy stands in between",
        ) from None
    if not isinstance(document, dict):
        raise BadImage(f"the manifest of {what} from {host} is not a JSON object")
    if sent_type.startswith(_SCHEMA_1) or document.get("schemaVersion") == 1:
        raise Unsupported(
            f"{what} on {host} has a manifest of schema 1, a format that Docker has abandoned",
            hint="push the image again with a current program; its registry then has it in schema 2 or OCI form",
        )
    if document.get("schemaVersion") != 2:
        raise BadImage(f"the manifest of {what} from {host} has no schemaVersion 2")
    own_type = document.get("mediaType", "")
    known = (*_MANIFESTS, *_INDEXES)
    if own_type and own_type not in known:
        raise Unsupported(f"{what} on {host} is not a container image: {printable(str(own_type), 80)}")
    if own_type in known and sent_type in known and own_type != sent_type:
        raise BadImage(f"the manifest of {what} from {host} calls itself {own_type} and was sent as {sent_type}")
    # One text that is a manifest to one program and an index to another hides content: CVE-2021-41190.
    if "manifests" in document and ("layers" in document or "config" in document):
        raise BadImage(f"the manifest of {what} from {host} is ambiguous: it has both manifests and layers")
    media_type = own_type or (sent_type if sent_type in known else "")
    if media_type in _INDEXES or (not media_type and "manifests" in document):
        return _index(document, what)
    return _manifest(document, media_type or OCI_MANIFEST, what)


def choose(index: Index, wanted: Platform, what: str) -> Entry:
    """The entry for a platform.

    Raises: NotFound, naming the platforms there are.
    """
    usable = [one for one in index.entries if one.descriptor.media_type in (*_MANIFESTS, *_INDEXES)]
    offered = [one for one in usable if one.platform is not None]
    place = platforms.best(wanted, [one.platform for one in offered if one.platform is not None])
    if place >= 0:
        return offered[place]
    for entry in usable:
        if entry.platform is None:
            return entry
    raise no_platform(what, wanted, [one.platform for one in offered if one.platform is not None])


def no_platform(what: str, wanted: Platform, offered: list[Platform]) -> NotFound:
    # attestations stand in an index as platform unknown/unknown
    names = dict.fromkeys(printable(str(one), 60) for one in offered if one.os != "unknown")
    there = ", ".join(names) or "nothing that can run"
    first = next(iter(names), "")
    return NotFound(
        f"no matching manifest for {wanted} in {printable(what)}: it has {there}",
        hint=f"choose one with --platform, for example --platform {first}" if first else "",
    )


def platform_of(config: bytes, what: str) -> Platform | None:
    """The platform an image config names; None if it names none.

    Raises: BadImage if it is no JSON object.
    """
    try:
        document = json.loads(config)
    except (ValueError, RecursionError):
        raise BadImage(f"the config of {printable(what)} is not JSON") from None
    if not isinstance(document, dict):
        raise BadImage(f"the config of {printable(what)} is not a JSON object")
    return _platform(document)


def _index(document: Mapping[str, Any], what: str) -> Index:
    entries = document.get("manifests")
    if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
        raise BadImage(f"the index of {what} has no list of manifests")
    found = []
    for entry in entries:
        named = entry.get("platform")
        found.append(Entry(_descriptor(entry, what), _platform(named) if isinstance(named, dict) else None))
    return Index(tuple(found))


def _manifest(document: Mapping[str, Any], media_type: str, what: str) -> Manifest:
    config, layers = document.get("config"), document.get("layers")
    if not isinstance(config, dict) or not isinstance(layers, list):
        raise BadImage(f"the manifest of {what} lacks a config or layers")
    config_type = config.get("mediaType")
    if config_type not in _CONFIGS or document.get("artifactType"):
        kind = document.get("artifactType") or config_type
        raise Unsupported(
            f"{what} is not a container image: unsupported media type {printable(str(kind), 80)}",
            hint="it is an artifact (a chart, a signature ...) that another program understands",
        )
    if len(layers) > MAX_LAYERS:
        raise BadImage(f"the manifest of {what} has {len(layers)} layers, more than the limit of {MAX_LAYERS}")
    found = tuple(_descriptor(one, what) for one in layers)
    for layer in found:
        if layer.media_type not in _LAYERS:
            raise Unsupported(
                f"{what} has a layer of a kind that is not supported: {printable(layer.media_type, 80)}",
                hint="tars are, uncompressed or with gzip or zstd; not encrypted ones",
            )
    return Manifest(media_type, _descriptor(config, what), found)


def _descriptor(document: object, what: str) -> Descriptor:
    if not isinstance(document, dict):
        raise BadImage(f"the manifest of {what} has a descriptor that is not a JSON object")
    media_type, digest, size = document.get("mediaType"), document.get("digest"), document.get("size")
    urls = document.get("urls") or []
    if not isinstance(media_type, str) or not isinstance(digest, str) or not is_digest(digest):
        raise BadImage(f"the manifest of {what} has a descriptor without media type or with an invalid digest")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= _MAX_SIZE:
        raise BadImage(f"the manifest of {what} has a descriptor with an impossible size")
    if not isinstance(urls, list) or not all(isinstance(url, str) for url in urls):
        raise BadImage(f"the manifest of {what} has a descriptor whose urls are no list of strings")
    return Descriptor(media_type, digest, size, tuple(urls))


def _platform(document: Mapping[str, Any]) -> Platform | None:
    parts = [document.get(key) or "" for key in ("os", "architecture", "variant")]
    system, architecture, variant = (part if isinstance(part, str) else "" for part in parts)
    if not system or not architecture:
        return None
    return Platform(system, architecture, variant)
