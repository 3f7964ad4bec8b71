"""One connection to a monitor: frames in, frames out, never blocking the monitor on a slow reader."""

from __future__ import annotations

import _socket
from _collections import deque

from engine.runtime import loop as loops
from engine.runtime import protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from engine.runtime.loop import Loop

    class Follower(Protocol):
        """Whoever is told what a process writes, and how it ended: a connection, or a health check."""

        drained: Callable[[], None] | None

        @property
        def is_full(self) -> bool: ...

        def send(self, packet: bytes, *, is_output: bool = False) -> None: ...

        def pause_reading(self) -> None: ...

        def resume_reading(self) -> None: ...


QUEUE_BYTES = 1 << 20  # waiting for a reader, beside what the socket holds; more holds up the writer
PATIENCE = 30.0  # seconds a reader may take nothing before output is dropped for it rather than held up


class Client:
    """`received(client, packet)` is called for each frame, `gone(client)` once when the connection is over.

    `is_full` turns true when more is queued than a client should hold; `drained()` is called when it no longer is. One
    that takes nothing for PATIENCE seconds while it is full loses output until it reads again: a stopped terminal must
    not stop a container for ever.
    """

    def __init__(
        self,
        connection: _socket.socket,
        loop: Loop,
        received: Callable[[Client, bytes], None],
        gone: Callable[[Client], None],
    ) -> None:
        self._connection, self._loop = connection, loop
        self._received, self._gone = received, gone
        self._queue: deque[bytes] = deque()
        self._queued = 0
        self._lossy = False
        self._reading = True
        self._closed = False
        self.drained: Callable[[], None] | None = None
        self.acknowledged = False
        connection.setblocking(False)
        self._watch()

    @property
    def is_full(self) -> bool:
        return self._queued > QUEUE_BYTES and not self._lossy

    @property
    def has_queue(self) -> bool:
        return bool(self._queue)

    def send(self, packet: bytes, *, is_output: bool = False) -> None:
        """Send now or as soon as the client reads. Only output is ever dropped."""
        if self._closed or (is_output and self._lossy and self._queued > QUEUE_BYTES):
            return
        if not self._queue:
            try:
                self._connection.send(packet, _socket.MSG_NOSIGNAL)
                return
            except BlockingIOError:
                pass
            except OSError:
                self.close()
                return
        self._queue.append(packet)
        self._queued += len(packet)
        if self._queued > QUEUE_BYTES and not self._loop.is_pending(self):
            self._loop.after(PATIENCE, self, self._lose_patience)
        self._watch()

    def pause_reading(self) -> None:
        """Take no more frames from it for now: what it sent has nowhere to go."""
        self._reading = False
        self._watch()

    def resume_reading(self) -> None:
        self._reading = True
        self._watch()

    def close(self) -> None:
        """End the connection; `gone` is called, once."""
        if self._closed:
            return
        self._closed = True
        self._loop.ignore(self._connection.fileno())
        self._loop.cancel(self)
        self._connection.close()
        self._queue.clear()
        self._queued = 0
        self._gone(self)

    def _watch(self) -> None:
        if self._closed:
            return
        events = (loops.READ if self._reading else 0) | (loops.WRITE if self._queue else 0)
        self._loop.watch(self._connection.fileno(), events, self._ready)

    def _ready(self, events: int) -> None:
        if events & loops.WRITE:
            self._flush()
        if events & loops.READ and not self._closed:
            self._take()
        elif events & loops.HUNG_UP and not self._closed:
            self.close()

    def _take(self) -> None:
        for _ in range(16):  # a chatty client takes turns with the others
            if self._closed or not self._reading:
                return
            try:
                packet = self._connection.recv(protocol.SOCKET_BUFFER)
            except BlockingIOError:
                return
            except OSError:
                packet = b""
            if not packet:
                self.close()
                return
            self._received(self, packet)

    def _flush(self) -> None:
        while self._queue:
            try:
                self._connection.send(self._queue[0], _socket.MSG_NOSIGNAL)
            except BlockingIOError:
                break
            except OSError:
                self.close()
                return
            self._queued -= len(self._queue.popleft())
            self._lossy = False
            if self._loop.is_pending(self):
                self._loop.after(PATIENCE, self, self._lose_patience)
        if self._queued <= QUEUE_BYTES // 2:
            self._loop.cancel(self)
            if self.drained:
                self.drained()
        self._watch()

    def _lose_patience(self) -> None:
        self._lossy = True
        if self.drained:
            self.drained()
