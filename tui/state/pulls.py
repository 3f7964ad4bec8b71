"""A pull that is going on: what each layer does, how fast, for how long still."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.models import Progress

if TYPE_CHECKING:
    from engine.errors import EngineError

WINDOW = 3.0  # seconds over which the speed is measured

_FINISHED = frozenset(("done", "exists"))


class Speed:
    """Bytes a second over the last three seconds of what is told."""

    __slots__ = ("_marks",)

    def __init__(self) -> None:
        self._marks: deque[tuple[float, int]] = deque()

    def mark(self, now: float, count: int) -> None:
        """So many bytes are here."""
        self._marks.append((now, count))
        while self._marks[0][0] < now - WINDOW and len(self._marks) > 2:
            self._marks.popleft()

    @property
    def rate(self) -> float:
        if len(self._marks) < 2:
            return 0.0
        (start, had), (end, have) = self._marks[0], self._marks[-1]
        return max(0.0, have - had) / (end - start) if end > start else 0.0


@dataclass(slots=True)
class LayerPull:
    """One layer. `current` are the bytes that are here, `resumed` those that an earlier pull had left."""

    digest: str
    action: str = "waiting"
    current: int = 0
    total: int = 0  # 0: not known
    unpacked: int = 0
    resumed: int = 0
    _speed: Speed = field(default_factory=Speed)

    @property
    def speed(self) -> float:
        """Bytes a second over the last three seconds of its download."""
        return self._speed.rate

    def mark(self, now: float) -> None:
        """What comes of others tells too how slow this one is."""
        if self.action == "downloading":
            self._speed.mark(now, self.current)

    @property
    def finished(self) -> bool:
        return self.action in _FINISHED

    def advance(self, progress: Progress) -> None:
        if progress.action == "downloading" and self.action != "downloading":
            self.resumed = progress.current  # the first word of a download is what it begins with
        self.action = progress.action
        self.total = progress.total or self.total
        if progress.action in ("downloading", "waiting"):
            self.current = progress.current
        else:
            self.current = max(self.current, progress.current, self.total)
        if progress.action == "unpacking":
            self.unpacked = progress.current
        elif self.finished:
            self.unpacked = self.total


@dataclass(slots=True)
class Pull:
    """`outcome` is set once it is over: done, failed, cancelled. `again` starts it anew, which resumes it."""

    reference: str
    again: Callable[[], None] | None = None
    edit: Callable[[], None] | None = None  # opens what it was asked for with, to be corrected
    stop: Callable[[], None] | None = None
    then_run: bool = False
    layers: dict[str, LayerPull] = field(default_factory=dict)
    action: str = "resolving"
    digest: str = ""  # what the reference leads to, once that is known
    platform: str = ""
    outcome: str = ""
    error: EngineError | None = None
    told: bool = False  # a panel has told why it failed
    started: float = 0.0  # seconds, monotonic
    ended: float = 0.0
    _speed: Speed = field(default_factory=Speed)

    def advance(self, progress: Progress, now: float) -> None:
        if progress.digest:
            layer = self.layers.setdefault(progress.digest, LayerPull(progress.digest))
            layer.advance(progress)
        elif progress.action == "resolved":
            self.digest, self.platform = progress.image_digest, progress.platform
        else:
            self.action = progress.action
        self._speed.mark(now, self.received)
        for layer in self.layers.values():
            layer.mark(now)

    def cancel(self) -> None:
        """End it; what it has finished is kept, and so is what it has of the others."""
        if self.stop is not None and not self.outcome:
            self.stop()

    @property
    def wanted(self) -> list[LayerPull]:
        """The layers the store had not."""
        return [layer for layer in self.layers.values() if layer.action != "exists"]

    @property
    def current(self) -> int:
        """Bytes had, without layers that were in the store already."""
        return sum(layer.current for layer in self.wanted)

    @property
    def total(self) -> int:
        return sum(layer.total for layer in self.wanted)

    @property
    def received(self) -> int:
        """Bytes that came over the network in this pull."""
        return sum(layer.current - layer.resumed for layer in self.wanted)

    @property
    def resumed(self) -> int:
        """Bytes that an earlier pull of these layers had left."""
        return sum(layer.resumed for layer in self.wanted)

    @property
    def shared(self) -> int:
        """Layers the store had already."""
        return sum(1 for layer in self.layers.values() if layer.action == "exists")

    @property
    def saved(self) -> int:
        """Bytes of the layers the store had already."""
        return sum(layer.total for layer in self.layers.values() if layer.action == "exists")

    @property
    def finished(self) -> int:
        return sum(1 for layer in self.layers.values() if layer.finished)

    @property
    def fraction(self) -> float | None:
        """None as long as a size is not known: no bar is better than a false one."""
        if not self.total or any(not layer.total for layer in self.wanted):
            return None
        return min(1.0, self.current / self.total)

    @property
    def speed(self) -> float:
        """Bytes a second over the last three seconds; none once everything is here and only unpacked."""
        return 0.0 if self.total and self.current >= self.total else self._speed.rate

    @property
    def remaining(self) -> float | None:
        """Seconds still to go at the present speed; None when nothing is left to fetch, or nothing comes."""
        left = self.total - self.current
        return left / self.speed if self.total and left > 0 and self.speed > 1 else None
