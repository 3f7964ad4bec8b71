"""What is known of ports: what answered, what listens inside, who holds what on the host."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from engine.models import Container, Listener, PortMapping, Probe

Door = tuple[str, PortMapping]
"""A container's id and one of its mappings."""

YOUNG = 15.0  # seconds after its start in which a program may still be about to listen


@dataclass(frozen=True, slots=True)
class Held:
    """Who has the host port that a container at rest will want, and one that is free instead (0: none asked for)."""

    by: str = ""
    free: int = 0


@dataclass(slots=True)
class Findings:
    """Changed on the event loop only, by the prober and by the ports pane; forgotten when a container ends."""

    probes: dict[Door, Probe] = field(default_factory=dict)
    listeners: dict[str, tuple[Listener, ...]] = field(default_factory=dict)  # by id of the container
    host: tuple[Listener, ...] = ()
    held: dict[Door, Held] = field(default_factory=dict)
    probing: bool = True

    def probe(self, container: Container, mapping: PortMapping) -> Probe | None:
        return self.probes.get((container.id, mapping))

    def inside(self, container: Container, port: int, protocol: str) -> tuple[Listener, ...] | None:
        """Who listens on that port in the container; None if nobody has looked yet."""
        found = self.listeners.get(container.id)
        if found is None:
            return None
        return tuple(one for one in found if (one.port, one.protocol) == (port, protocol))

    def keep(self, running: Iterable[Container]) -> bool:
        """Forget what was found of containers that do not run (any more), and of ports that are not published.

        True if there was something to forget.
        """
        doors = {(container.id, mapping) for container in running for mapping in container.ports}
        ids = {container_id for container_id, _ in doors} | {container.id for container in running}
        closed, gone = self.probes.keys() - doors, self.listeners.keys() - ids
        for door in closed:
            del self.probes[door]
        for container_id in gone:
            del self.listeners[container_id]
        return bool(closed or gone)

    def forget(self, container_id: str) -> None:
        """It was started anew."""
        self.listeners.pop(container_id, None)
        for door in [door for door in self.probes if door[0] == container_id]:
            del self.probes[door]
