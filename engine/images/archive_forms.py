"""What images an archive holds: by the index of an OCI layout, else by Docker's manifest.json.

Where an archive has both, as those of Docker 25 and of ours, the index is believed, for it names everything by digest.
Sources: image-spec image-layout.md; Docker's image/spec/v1.2.md, "Combined Image JSON + Filesystem Changeset Format".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from engine.errors import BadImage, InvalidInput, RegistryError, Unsupported
from engine.frozen import dataclass
from engine.images import blobs, config, layout
from engine.images.archive import Archive, LayerFile, wrong_digest
from engine.models import Descriptor, Platform
from engine.reference import parse as parse_reference
from engine.registry import manifests
from engine.registry.digests import has_digest
from engine.registry.text import printable

if TYPE_CHECKING:
    from typing import Any

    from engine.reference import Reference

INDEX = "index.json"
MANIFEST = "manifest.json"
NAME = "io.containerd.image.name"
REF_NAME = "org.opencontainers.image.ref.name"
MAX_NESTING = 4  # indexes within indexes
MAX_IMAGES = 10_000


@dataclass(frozen=True, slots=True)
class Content:
    """One image of an archive; whether its layers are those of its config is still to be seen."""

    config: bytes
    manifest: bytes
    layers: tuple[tuple[LayerFile, Descriptor], ...]  # from lowest to topmost
    names: tuple[Reference, ...]

    @property
    def image_id(self) -> str:
        return str(json.loads(self.manifest)["config"]["digest"])


def contents(archive: Archive, wanted: Platform, *, explicit: bool) -> list[Content]:
    """The images, in the order of the archive; of those for several platforms the one for `wanted`.

    :param explicit: the user asked for this platform, so that an image for another one alone is refused.

    Raises BadImage, Unsupported, NotFound (none for this platform), VerificationFailed.
    """
    if INDEX in archive.documents and "oci-layout" in archive.documents:
        return list(_of_layout(archive, wanted, explicit=explicit))
    if MANIFEST in archive.documents:
        return list(_of_docker(archive))
    if "repositories" in archive.documents:
        raise Unsupported("the archive is of a Docker before 1.10", hint="load and save it with a newer Docker")
    raise BadImage(
        "the archive holds neither index.json nor manifest.json",
        hint="a tar of a mere file system is no image; give what `save` has written",
    )


# OCI ----------------------------------------------------------------------------------------------
def _of_layout(archive: Archive, wanted: Platform, *, explicit: bool) -> Iterator[Content]:
    _check_version(archive.document("oci-layout"))
    body = archive.document(INDEX)
    index = _parsed(body, manifests.OCI_INDEX, INDEX)
    if not isinstance(index, manifests.Index):
        raise BadImage("the archive's index.json is no index")
    docker_names = _docker_names(archive)
    groups: dict[str, list[manifests.Entry]] = {}
    names: dict[str, list[Reference]] = {}
    for entry, raw in zip(index.entries, json.loads(body)["manifests"], strict=True):
        if entry.platform is not None and entry.platform.os == "unknown":
            continue  # an attestation
        name = _annotated(raw.get("annotations"))
        group = name.canonical if name else entry.descriptor.digest
        groups.setdefault(group, []).append(entry)
        if name:
            names[group] = [name]
    found: dict[str, Content] = {}
    for group, entries in groups.items():
        document, content = _chosen(archive, entries, wanted, explicit=explicit)
        config_text = _blob(archive, document.config)
        if before := found.get(document.config.digest):
            given = (*before.names, *names.get(group, ()))
        else:
            given = tuple(names.get(group, docker_names.get(document.config.digest, ())))
        layers = tuple((_layer(archive, layer), layer) for layer in document.layers)
        found[document.config.digest] = Content(config_text, content, layers, tuple(dict.fromkeys(given)))
    yield from found.values()


def _check_version(content: bytes) -> None:
    try:
        version = json.loads(content)["imageLayoutVersion"]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise BadImage("the archive's oci-layout is malformed") from None
    if not isinstance(version, str) or not version.startswith("1."):
        raise Unsupported(f"the archive is an OCI layout of version {printable(str(version), 40)}; 1.x is supported")


def _chosen(
    archive: Archive, entries: list[manifests.Entry], wanted: Platform, *, explicit: bool, depth: int = 0
) -> tuple[manifests.Manifest, bytes]:
    """The manifest, parsed and as it stands, that the entries hold for a platform."""
    there = [entry for entry in entries if blob_name(entry.descriptor.digest) in archive.documents]
    if len(there) > 1 or explicit or (there and depth and there[0].platform is not None):
        entry = manifests.choose(manifests.Index(tuple(there or entries)), wanted, "the archive")
    else:
        entry = (there or entries)[0] if entries else manifests.choose(manifests.Index(()), wanted, "the archive")
    body = _blob(archive, entry.descriptor)
    document = _parsed(body, entry.descriptor.media_type, entry.descriptor.digest)
    if isinstance(document, manifests.Manifest):
        return document, body
    if depth == MAX_NESTING:
        raise BadImage("the archive nests indexes without end")
    return _chosen(archive, list(document.entries), wanted, explicit=explicit, depth=depth + 1)


def _parsed(body: bytes, media_type: str, what: str) -> manifests.Index | manifests.Manifest:
    try:
        return manifests.parse(body, media_type, "the archive", what)
    except RegistryError:  # its words are about servers
        raise BadImage(f"the archive's {printable(what, 80)} is not JSON") from None


def blob_name(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/", 1)


def _blob(archive: Archive, descriptor: Descriptor) -> bytes:
    content = archive.document(blob_name(descriptor.digest))
    if len(content) != descriptor.size or not has_digest(content, descriptor.digest):
        raise wrong_digest(descriptor.digest)
    return content


def _layer(archive: Archive, descriptor: Descriptor) -> LayerFile:
    found = archive.layer(blob_name(descriptor.digest))
    if found.size != descriptor.size:
        raise BadImage(f"the layer {descriptor.digest} has {found.size} bytes and its manifest {descriptor.size}")
    return found


def _annotated(annotations: object) -> Reference | None:
    """The name that an entry of index.json gives. A bare word is a tag of nobody knows what, as the spec has it."""
    if not isinstance(annotations, dict):
        return None
    for key in (NAME, REF_NAME):
        text = annotations.get(key)
        if isinstance(text, str) and (key == NAME or ":" in text or "/" in text):
            return _reference(text)
    return None


def _reference(text: str) -> Reference | None:
    try:
        name = parse_reference(text)
    except InvalidInput as error:
        raise BadImage(f"the archive names an image {printable(text, 80)!r}, which is no name") from error
    return None if name.digest else name


# Docker -------------------------------------------------------------------------------------------
def _of_docker(archive: Archive) -> Iterator[Content]:
    for name, names, layer_names in _docker_entries(archive):
        text = archive.document(name)
        _check_config_name(name, text)
        layers = [archive.layer(layer) for layer in layer_names]
        document = config.parse(text)
        if len(layers) != len(config.diff_ids(document)):
            raise BadImage(
                f"manifest.json of the archive has {len(layers)} layers for an image,"
                f" and its config {len(config.diff_ids(document))}"
            )
        described = [Descriptor(f"{layout.LAYER_TYPE}{layer.suffix}", layer.digest, layer.size) for layer in layers]
        image_id = blobs.digest_of(text)
        manifest = layout.manifest(image_id, len(text), described)
        yield Content(text, manifest, tuple(zip(layers, described, strict=True)), names)


def _check_config_name(name: str, text: bytes) -> None:
    """Docker calls a config by its digest, here as there."""
    digest = "sha256:" + name.rpartition("/")[2].removesuffix(".json")
    if len(digest) == 71 and not has_digest(text, digest):
        raise wrong_digest(digest)


def _docker_entries(archive: Archive) -> Iterator[tuple[str, tuple[Reference, ...], list[str]]]:
    """Config, names and layers of each image. Raises BadImage."""
    try:
        entries: Any = json.loads(archive.document(MANIFEST))
    except (ValueError, RecursionError):
        raise BadImage("the archive's manifest.json is not JSON") from None
    if not isinstance(entries, list) or len(entries) > MAX_IMAGES:
        raise BadImage("the archive's manifest.json is no list of images")
    for entry in entries:
        described = entry if isinstance(entry, dict) else {}
        name, tags, layers = described.get("Config"), described.get("RepoTags") or [], described.get("Layers") or []
        if (
            not isinstance(name, str)
            or not isinstance(tags, list)
            or not isinstance(layers, list)
            or not all(isinstance(word, str) for word in (*tags, *layers))
            or len(layers) > manifests.MAX_LAYERS
        ):
            raise BadImage("the archive's manifest.json is malformed")
        names = (_reference(tag) for tag in tags)
        yield _normal(name), tuple(dict.fromkeys(one for one in names if one)), [_normal(layer) for layer in layers]


def _normal(name: str) -> str:
    return "/".join(part for part in name.split("/") if part not in ("", "."))


def _docker_names(archive: Archive) -> dict[str, tuple[Reference, ...]]:
    """By image ID, what manifest.json says beside an index that gives no names."""
    if MANIFEST not in archive.documents:
        return {}
    return {
        "sha256:" + name.rpartition("/")[2].removesuffix(".json"): names for name, names, _ in _docker_entries(archive)
    }
