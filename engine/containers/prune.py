"""What takes room on the disk, and removing what of it nothing needs.

Source: docker-system-prune(1), docker-image-prune(1), docker-container-prune(1).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from engine.containers import lifecycle, measure, records, view, volume_list, volumes
from engine.errors import EngineError, NotFound
from engine.images import gc, store
from engine.models import Image, Pruned, Removed, State, Stock, Stored
from engine.settings import Settings
from engine.state.database import Database

LEFTOVERS = "pulls"


def stock(settings: Settings, database: Database) -> Stock:
    """Everything the root keeps: containers with their logs, images, volumes, what broken pulls have left."""
    return Stock(
        tuple(
            chain(
                _containers(settings, database),
                _images(settings, database),
                _volumes(settings, database),
                _leftovers(settings, database),
            )
        )
    )


def prune(settings: Settings, database: Database, keys: Iterable[str]) -> Pruned:
    """Remove the chosen: containers first, so that what only they use can go with them.

    What has come into use meanwhile stays, and is told.
    """
    before = stock(settings, database)
    containers: list[str] = []
    names: list[str] = []
    images: list[Removed] = []
    problems: list[str] = []
    for item in before.gone(keys):  # in the order of `stock`
        try:
            if item.kind == "container":
                lifecycle.remove(settings, database, records.find(database, item.id))
                containers.append(item.id)
            elif item.kind == "image":
                images += _remove_image(settings, database, item.id)
            elif item.kind == "volume":
                volumes.remove(settings, database, item.id)
                names.append(item.id)
            else:
                gc.collect(settings, database, spare=0)
        except NotFound:
            continue  # someone else was faster
        except EngineError as error:
            problems.append(error.message)
    left = {part for item in stock(settings, database).items for part, _ in item.parts}
    parts = dict(part for item in before.items for part in item.parts)
    return Pruned(
        containers=tuple(containers),
        volumes=tuple(names),
        images=tuple(images),
        won=sum(size for part, size in parts.items() if part not in left),
        problems=tuple(problems),
    )


def _remove_image(settings: Settings, database: Database, image_id: str) -> list[Removed]:
    """Name by name and never by force: a container that was made of it meanwhile keeps it."""
    done: list[Removed] = []
    while True:
        try:
            image = store.image(settings, database, image_id)
        except NotFound:
            return done
        name = next(iter((*image.references, *image.digests)), image.id)
        done += store.remove(settings, database, name)


def _containers(settings: Settings, database: Database) -> Iterator[Stored]:
    for container in view.every(settings, database):
        directory = settings.container_dir(container.id)
        size = measure.tree_size(directory / "upper") + measure.tree_size(directory / "log")
        yield Stored(
            kind="container",
            id=container.id,
            name=container.name,
            size=size,
            created=container.created,
            active=container.running or container.state is State.RESTARTING,
            parts=((container.id, size),),
            labels=container.options.labels,
        )


def _images(settings: Settings, database: Database) -> Iterator[Stored]:
    for image in store.images(settings, database):
        yield Stored(
            kind="image",
            id=image.id,
            name=_name(image),
            size=image.size,
            created=image.created,
            active=bool(image.used_by),
            parts=tuple((layer.snapshot, layer.unpacked_size) for layer in image.layers),
            users=image.used_by,
            dangling=not image.references,
            labels=image.config.labels,
        )


def _name(image: Image) -> str:
    if image.references:
        return store.familiar(image.references[0])
    return image.short_id


def _volumes(settings: Settings, database: Database) -> Iterator[Stored]:
    for volume in volume_list.every(settings, database):
        size = volume_list.size(settings, volume.name)
        yield Stored(
            kind="volume",
            id=volume.name,
            name=volume.name,
            size=size,
            created=volume.created,
            active=bool(volume.users),
            parts=((f"volume {volume.name}", size),),
            users=volume.users,
            dangling=volume.anonymous,
            labels=volume.labels,
        )


def _leftovers(settings: Settings, database: Database) -> Iterator[Stored]:
    parts, pulling = gc.leftovers(settings, database)
    if parts:
        yield Stored(
            kind="leftovers",
            id=LEFTOVERS,
            name="layers of unfinished pulls",
            size=sum(parts.values()),
            created=0,
            active=pulling,
            parts=tuple(parts.items()),
        )
