"""A container as a row of `ps`: the columns Docker has, computed when a template asks for them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from engine.cli.ports import shown_ports
from engine.cli.rows import Row, quote
from engine.cli.units import ago, go_time, human_duration, human_size
from engine.models import State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.models import Container, Image

HEADERS = {
    "ID": "CONTAINER ID",
    "Image": "IMAGE",
    "Command": "COMMAND",
    "CreatedAt": "CREATED AT",
    "RunningFor": "CREATED",
    "Ports": "PORTS",
    "State": "STATE",
    "Status": "STATUS",
    "Size": "SIZE",
    "Names": "NAMES",
    "Labels": "LABELS",
    "Mounts": "MOUNTS",
    "LocalVolumes": "LOCAL VOLUMES",
    "Networks": "NETWORKS",
}
TABLE = ("ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names")
COMMAND_WIDTH = 20
MOUNT_WIDTH = 15

ImageOf = Callable[[str], "Image | None"]


def container_row(
    container: Container, image_of: ImageOf, *, truncate: bool, size: Callable[[str], tuple[int, int]] | None
) -> Row:
    """The columns of one container. `image_of` finds its image; `size` is None where nobody asked for it."""

    def labels() -> dict[str, str]:
        return {**_image_labels(container, image_of), **container.options.labels}

    def shown_size() -> str:
        if size is None:
            return "0B"
        writable, virtual = size(container.id)
        return f"{human_size(writable)} (virtual {human_size(virtual)})"

    return Row(
        {
            "ID": lambda: container.short_id if truncate else container.id,
            "Names": lambda: container.name,
            "Image": lambda: container.image or "<no image>",
            "Command": lambda: quote(ellipsis(" ".join(container.command), COMMAND_WIDTH if truncate else 0)),
            "CreatedAt": lambda: go_time(container.created),
            "RunningFor": lambda: ago(container.created),
            "Ports": lambda: ports_of(container, image_of),
            "State": lambda: str(container.state),
            "Status": lambda: status(container),
            "Size": shown_size,
            "Labels": lambda: ",".join(f"{key}={value}" for key, value in sorted(labels().items())),
            "Mounts": lambda: ",".join(
                ellipsis(mount.source, MOUNT_WIDTH if truncate else 0)
                for mount in container.options.mounts
                if mount.source
            ),
            "LocalVolumes": lambda: str(sum(mount.kind == "volume" for mount in container.options.mounts)),
            "Networks": lambda: container.options.network,
        },
        {"Label": lambda name: labels().get(name, "")},
    )


def _image_labels(container: Container, image_of: ImageOf) -> Mapping[str, str]:
    image = image_of(container.image_id)
    return image.config.labels if image else {}


def ports_of(container: Container, image_of: ImageOf) -> str:
    """The PORTS column: of a running container, what is published and what its image exposes."""
    if not container.running or container.options.network == "host":
        return ""
    image = image_of(container.image_id)
    return shown_ports(container.ports, image.config.exposed_ports if image else ())


def status(container: Container, now: float | None = None) -> str:
    """`Up 3 minutes`, `Exited (0) 2 hours ago`, `Created` ..."""
    now = time.time() if now is None else now
    if container.state is State.RUNNING:
        health = {"": "", "starting": " (health: starting)"}.get(container.health, f" ({container.health})")
        return f"Up {human_duration(now - container.started)}{health}"
    if container.state is State.PAUSED:
        return f"Up {human_duration(now - container.started)} (Paused)"
    if container.state is State.RESTARTING:
        return f"Restarting ({container.exit_code}) {human_duration(now - container.finished)} ago"
    if container.state is State.EXITED:
        return f"Exited ({container.exit_code}) {human_duration(now - container.finished)} ago"
    return str(container.state).capitalize()


def ellipsis(text: str, width: int) -> str:
    """The text, cut to `width` characters with a `…` at the end; 0 cuts nothing."""
    return text if not width or len(text) <= width else text[: width - 1] + "…"
