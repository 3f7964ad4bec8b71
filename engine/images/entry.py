"""What a pull does around its layers: looks whether there is anything to do, checks the config, records the image."""

from __future__ import annotations

from engine.errors import BadImage, EngineError, Unsupported
from engine.images import blobs, config, records, store
from engine.registry import platforms
from engine.state import events

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from engine.models import Image, Platform
    from engine.reference import Reference
    from engine.registry.client import Registry
    from engine.registry.manifests import ResolvedManifest
    from engine.settings import Settings
    from engine.state.database import Database


async def up_to_date(
    settings: Settings, database: Database, registry: Registry, reference: Reference, wanted: Platform
) -> Image | None:
    """The image that is here under this tag, if the registry says that the tag still leads to it and it is whole.

    One request without a body, and nothing is made that a collection could take for garbage. None if anything is in
    doubt, and then a whole pull finds out.
    """
    if reference.digest:
        return None
    try:
        image = store.image_of_container(settings, database, records.find(database, reference.canonical))
        for digest in (image.manifest_digest, image.id):
            blobs.read(settings, digest)
    except EngineError:
        return None
    if not platforms.fits(wanted, image.platform) or reference.canonical not in image.references:
        return None
    known = [digest.rpartition("@")[2] for digest in image.digests if digest.startswith(f"{reference.name}@")]
    if not known or await registry.stated_digest(reference) not in known:
        return None
    events.append(str(settings.journal), "image", "pull", image.id, reference.familiar)
    return image


def diff_ids(text: bytes, resolved: ResolvedManifest, reference: Reference) -> tuple[str, ...]:
    """From lowest to topmost. Raises BadImage, Unsupported."""
    document = config.parse(text)
    system = config.platform(document).os or "linux"
    if system != "linux":
        raise Unsupported(
            f"{reference.familiar} is for {system!r} and cannot be used here",
            hint="Linux containers need a Linux image; choose another --platform",
        )
    found = config.diff_ids(document)
    if len(found) != len(resolved.layers):
        raise BadImage(
            f"the manifest of {reference.familiar} has {len(resolved.layers)} layers and its config {len(found)}"
        )
    return found


def keep(settings: Settings, resolved: ResolvedManifest, text: bytes) -> None:
    """Put manifest and config into the content store; nothing speaks of them yet."""
    blobs.write(settings, text, resolved.config.digest.partition(":")[0])
    blobs.write(settings, resolved.manifest, resolved.manifest_digest.partition(":")[0])


def record(
    settings: Settings,
    database: Database,
    reference: Reference,
    resolved: ResolvedManifest,
    text: bytes,
    names: list[str],
) -> str:
    """Make the image visible; returns its ID."""
    image_id = resolved.config.digest
    document: dict[str, Any] = config.parse(text)
    records.insert(
        database,
        image_id=image_id,
        manifest_digest=resolved.manifest_digest,
        document=document,
        config_text=text.decode(),
        layers=[(name, layer.digest, layer.size) for name, layer in zip(names, resolved.layers, strict=True)],
        tags=() if reference.digest else (reference.canonical,),
        # As in Docker: what the tag led to, the index if there is one.
        digest_reference=f"{reference.name}@{resolved.index_digest or resolved.manifest_digest}",
    )
    events.append(str(settings.journal), "image", "pull", image_id, reference.familiar)
    return image_id
