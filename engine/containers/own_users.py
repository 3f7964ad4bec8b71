"""Users of a container's own (`--userns auto`): which of the host's numbers are set aside for it."""

from __future__ import annotations

import os

from engine.containers.spec import USERS
from engine.errors import StoreError
from engine.state.locks import lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.settings import Settings

NAME = "first-user"  # in the container's directory
LOWEST, HIGHEST = 524_288, 1_878_982_656  # what systemd calls the container range: docs/UIDS-GIDS.md


def first(settings: Settings, container_id: str) -> int:
    """What the host calls the container's user 0: chosen once, and no other container's of this root.

    The container's writable layer belongs to that user. Raises StoreError.
    """
    directory = settings.container_dir(container_id)
    chosen = _read(settings, container_id)
    if chosen:
        return chosen
    try:
        with lock(settings, "users", "all"):
            taken = {_read(settings, other) for other in os.listdir(settings.containers)}
            slots = (HIGHEST - LOWEST) // USERS + 1
            slot = int(container_id[:8], 16) % slots
            while LOWEST + slot * USERS in taken:
                slot = (slot + 1) % slots
            chosen = LOWEST + slot * USERS
            for name in ("upper", "work"):
                os.chown(directory / name, chosen, chosen)
            with open(directory / NAME, "w", encoding="ascii") as file:
                file.write(f"{chosen}\n")
    except OSError as error:
        raise StoreError(f"cannot set users aside for container {container_id[:12]}: {error}") from error
    return chosen


def _read(settings: Settings, container_id: str) -> int:
    """0 if none are set aside for it."""
    try:
        with open(settings.container_dir(container_id) / NAME, encoding="ascii") as file:
            return int(file.read())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return 0
