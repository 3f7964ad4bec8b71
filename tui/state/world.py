"""Everything the dashboard knows, told to whoever shows it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from engine.models import Container, Event, HostInfo, Image, Stats, Volume
from tui.ports.findings import Findings
from tui.state.history import History
from tui.state.pulls import Pull

if TYPE_CHECKING:
    from tui.state.log_pulse import LogPulse
    from tui.state.readings import Load

Topic = Literal[
    "containers", "images", "volumes", "stats", "load", "pulls", "log", "subject", "info", "events", "ports", "minute"
]


@dataclass(slots=True)
class Entry:
    """A line of the command log: an action with the command line that would have done the same.

    `told`: its failure stands in a panel, and need not be told in the status row too.
    """

    command: str
    started: float  # seconds since the epoch
    took: float = 0.0
    state: Literal["running", "ok", "failed", "cancelled"] = "running"
    sentence: str = ""
    hint: str = ""
    told: bool = False


@dataclass(slots=True)
class World:
    """The view state. It is changed on the event loop only; `tell` calls those who watch a topic at once.

    `subject` is the id of the container the details show, `subject_image` that of the image. `addresses` says whose an
    address is, or was last.
    """

    containers: dict[str, Container] = field(default_factory=dict)
    images: list[Image] = field(default_factory=list)
    volumes: list[Volume] = field(default_factory=list)
    info: HostInfo | None = None
    load: Load | None = None
    stats: dict[str, History] = field(default_factory=dict)
    log_pulses: dict[str, LogPulse] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)  # IP address -> id
    pulls: dict[str, Pull] = field(default_factory=dict)
    ports: Findings = field(default_factory=Findings)
    pending: dict[str, str] = field(default_factory=dict)  # id -> "stopping"
    log: deque[Entry] = field(default_factory=lambda: deque(maxlen=500))
    events: deque[Event] = field(default_factory=lambda: deque(maxlen=2000))
    subject: str = ""
    subject_image: str = ""
    loaded: bool = False
    trouble: str = ""  # why the engine cannot be used, or no longer is followed
    _watchers: dict[str, list[Callable[[], None]]] = field(default_factory=dict)

    def watch(self, callback: Callable[[], None], *topics: Topic) -> None:
        for topic in topics:
            self._watchers.setdefault(topic, []).append(callback)

    def forget(self, callback: Callable[[], None]) -> None:
        for callbacks in self._watchers.values():
            while callback in callbacks:
                callbacks.remove(callback)

    def forget_all(self) -> None:
        """The dashboard closes: of what ends later, a pull, nobody can be told any more."""
        self._watchers.clear()

    def tell(self, *topics: Topic) -> None:
        """Call everyone who watches one of `topics`, once."""
        called: list[Callable[[], None]] = []
        for topic in topics:
            for callback in self._watchers.get(topic, ()):
                if callback not in called:
                    called.append(callback)
        for callback in called:
            callback()

    def put_all(self, containers: Iterable[Container]) -> None:
        self.containers = {container.id: container for container in containers}
        for readings in (self.stats, self.log_pulses):
            for gone in readings.keys() - self.containers.keys():
                del readings[gone]
        for container in self.containers.values():
            self._note_address(container)
        self.tell("containers")

    def put(self, container: Container) -> None:
        """One container's new state. A new one goes first: the list is newest first."""
        if container.id in self.containers:
            self.containers[container.id] = container
        else:
            self.containers = {container.id: container, **self.containers}
        self._note_address(container)
        self.tell("containers")

    def _note_address(self, container: Container) -> None:
        if container.endpoint is not None and container.endpoint.ip_address:
            self.addresses[container.endpoint.ip_address] = container.id

    def drop(self, container_id: str) -> None:
        if self.containers.pop(container_id, None) is not None:
            self.stats.pop(container_id, None)
            self.log_pulses.pop(container_id, None)
            self.tell("containers")

    def measure(self, readings: Iterable[Stats], load: Load | None = None) -> None:
        """New readings of containers, and of the machine: told in one go, since each telling is a frame."""
        for reading in readings:
            self.stats.setdefault(reading.container_id, History()).add(reading)
        self.load = load or self.load
        self.tell("load", "stats")  # without readings too: the column of ages moves

    @property
    def container(self) -> Container | None:
        """The container the details are about."""
        return self.containers.get(self.subject)

    @property
    def image(self) -> Image | None:
        return next((image for image in self.images if image.id == self.subject_image), None)

    @property
    def running(self) -> int:
        return sum(1 for container in self.containers.values() if container.running)
