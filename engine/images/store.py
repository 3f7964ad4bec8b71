"""What the store's users ask of it: list images, find one, name one, remove one."""

from __future__ import annotations

import os

from engine.errors import InvalidInput, NotFound, StoreError
from engine.images import durability, records
from engine.models import Image, Removed
from engine.reference import parse as parse_reference
from engine.state import events

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.settings import Settings
    from engine.state.database import Database


def images(settings: Settings, database: Database) -> list[Image]:
    """Every image whose entry can be read, newest first, `used_by` filled."""
    return sound_and_damaged(settings, database)[0]


def sound_and_damaged(settings: Settings, database: Database) -> tuple[list[Image], list[str]]:
    """Every image whose entry can be read, newest first, `used_by` filled; and a sentence about each damaged entry."""
    durability.mend(settings, database)
    return records.sound_and_damaged(settings, database)


def image(settings: Settings, database: Database, reference_or_id: str) -> Image:
    """The image a name, ID or unique ID prefix stands for.

    Raises NotFound, AmbiguousName, InvalidInput, StoreError if its entry is damaged.
    """
    durability.mend(settings, database)
    found = records.load(settings, database, records.find(database, reference_or_id))
    if found is None:  # removed by another command between the two looks
        raise NotFound(f"No such image: {reference_or_id}")
    return found


def image_of_container(settings: Settings, database: Database, image_id: str) -> Image:
    """The image a container was made of, which stays readable until the container is gone, even after `rmi -f`.

    Raises NotFound, StoreError if a crash of the machine may have damaged it.
    """
    durability.mend(settings, database)
    found = records.load(settings, database, image_id)
    if found is None:
        raise NotFound(f"No such image: {image_id}")
    short = image_id.removeprefix("sha256:")[:12]
    if durability.is_damaged(database, image_id):
        raise StoreError(
            f"image {short} is damaged, or the machine went down before it was on the disk", hint="pull it again"
        )
    if not all(os.path.isdir(layer.snapshot) for layer in found.layers):
        raise StoreError(f"a layer of image {short} is missing", hint="`pilothouse system check` brings it again")
    return found


def lower_directories(image: Image) -> list[str]:
    """The snapshots as overlayfs wants them: topmost first, each once.

    overlayfs refuses a directory that is named twice (ELOOP). A layer that occurs twice in an image has its full effect
    from its upper place alone, because there it overrides everything the lower one could have brought.
    """
    return list(dict.fromkeys(layer.snapshot for layer in reversed(image.layers)))


def familiar(text: str) -> str:
    """An image as the user typed it, shortened to what they would type: docker.io/library/redis:7 is redis:7."""
    try:
        reference = parse_reference(text)
    except InvalidInput:
        return text
    if reference.tag == "latest" and not reference.digest and not text.endswith(":latest"):
        return reference.familiar_name
    return reference.familiar


def tag(settings: Settings, database: Database, reference_or_id: str, new_name: str) -> None:
    """Give an image another name. Raises NotFound, AmbiguousName, InvalidInput."""
    reference = parse_reference(new_name)
    if reference.digest:
        raise InvalidInput("refusing to create a tag with a digest reference")
    image_id = records.find(database, reference_or_id)
    with database.transaction() as connection:
        records.name_image(connection, image_id, reference.canonical)
    events.append(str(settings.journal), "image", "tag", image_id, reference.familiar)


def remove(
    settings: Settings,
    database: Database,
    reference_or_id: str,
    *,
    force: bool = False,
) -> list[Removed]:
    """Untag an image, and delete it when its last name is gone and no container is made of it.

    Not even `force` takes an image from under a running container; a stopped one keeps its layers until it is removed
    itself. Raises NotFound, AmbiguousName, Conflict. Rules and words: Docker's (docker-rmi(1); its
    daemon/images/image_delete.go says them best).
    """
    from engine.images import removal  # late: it brings the garbage collector, and is seldom needed

    return removal.remove(settings, database, reference_or_id, force=force)
