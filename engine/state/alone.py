"""Being the only one at work on a container."""

from __future__ import annotations

from contextlib import contextmanager

from engine.state.locks import lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.settings import Settings


@contextmanager
def alone(settings: Settings, container_id: str) -> Iterator[tuple[lock, lock]]:
    """Nobody else is at work on a container, be it to run it or otherwise. Raises Conflict, StoreError."""
    with (
        lock(settings, "run", container_id, blocking=False) as run,
        lock(settings, "container", container_id, blocking=False) as container,
    ):
        yield run, container
