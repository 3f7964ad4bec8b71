"""The monitor's event loop: descriptors with what to do when they are ready, and deadlines."""

from __future__ import annotations

import select
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

READ, WRITE = select.POLLIN, select.POLLOUT
HUNG_UP = select.POLLHUP | select.POLLERR | select.POLLNVAL


class Loop:
    """poll(2) with callbacks. One thread; a callback must not block."""

    def __init__(self) -> None:
        self._poll = select.poll()
        self._ready: dict[int, Callable[[int], None]] = {}
        self._deadlines: dict[Hashable, tuple[float, Callable[[], None]]] = {}

    def watch(self, fd: int, events: int, ready: Callable[[int], None]) -> None:
        """Call `ready(events)` whenever `fd` has one of `events`, or is hung up. Replaces an earlier watch of it."""
        self._ready[fd] = ready
        self._poll.register(fd, events)

    def ignore(self, fd: int) -> None:
        if self._ready.pop(fd, None) is not None:
            self._poll.unregister(fd)

    def after(self, seconds: float, name: Hashable, due: Callable[[], None]) -> None:
        """Call `due()` once, unless `name` is cancelled or set again before."""
        self._deadlines[name] = (time.monotonic() + seconds, due)

    def cancel(self, name: Hashable) -> None:
        self._deadlines.pop(name, None)

    def is_pending(self, name: Hashable) -> bool:
        return name in self._deadlines

    def turn(self) -> None:
        """Wait for the next descriptor or deadline, and do what is to be done."""
        timeout = None
        if self._deadlines:
            soonest = min(deadline for deadline, _ in self._deadlines.values())
            timeout = max(0.0, (soonest - time.monotonic()) * 1000 + 0.5)
        for fd, events in self._poll.poll(timeout):
            ready = self._ready.get(fd)  # an earlier callback of this turn may have closed it
            if ready is not None:
                ready(events)
        if self._deadlines:
            now = time.monotonic()
            for name, (deadline, due) in list(self._deadlines.items()):
                if deadline <= now and self._deadlines.get(name, (0, None))[1] is due:
                    del self._deadlines[name]
                    due()
