"""The standard streams of one process: its output goes to the log and to clients, a client's input goes to it."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from _collections import deque

from engine.linux import terminals
from engine.runtime import loop as loops
from engine.runtime import protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.runtime.client import Follower
    from engine.runtime.logfile import LogWriter
    from engine.runtime.loop import Loop

INPUT_BYTES = 256 << 10  # waiting to be read by the process; more holds up the client
FLUSH_SECONDS = 0.2  # an unfinished line is logged after a pause of this length
# Who writes line by line, without a pause, would wake us for each. Left alone for this long it fills its pipe instead:
# 1.4 times as many lines a second captured, with half the CPU time. In a wider pipe it need not wait meanwhile: another
# 1.4 times. Not for everyone, since what all pipes of a user may hold together is limited (pipe(7), pipe-user-pages).
DRAINED_CHUNKS = 256  # at the end of a process; more than a pipe holds comes from another one that goes on writing
SIP_BYTES, SIP_SECONDS, REST_SECONDS = 16 << 10, 0.001, 0.0002
WIDE_BYTES = 256 << 10

_STREAM = {protocol.STDOUT: "stdout", protocol.STDERR: "stderr"}


class Session:
    """`outputs`: descriptor -> STDOUT or STDERR frame letter, non-blocking; `input_fd`: -1 if there is no stdin.

    On a terminal both are the master.
    """

    def __init__(
        self, loop: Loop, outputs: dict[int, bytes], input_fd: int, *, tty: bool, log: LogWriter | None = None
    ) -> None:
        self._loop, self._log = loop, log
        self._outputs = outputs
        self._input_fd = input_fd
        self._input: deque[bytes] = deque()
        self._input_bytes = 0
        self._end_of_input = False
        self._held = False
        self._copied = -1, 0.0  # from which descriptor the last chunk was taken, and when
        self._widened: set[int] = set()
        self.tty = tty
        self.clients: list[Follower] = []
        self.input_closed: Callable[[], None] | None = None  # called once when stdin has been closed
        for fd in outputs:
            os.set_blocking(fd, False)
        if input_fd >= 0:
            os.set_blocking(input_fd, False)
        self._watch()

    # output ---------------------------------------------------------------------------------------

    def attach(self, client: Follower) -> None:
        """The client receives what is written from now on."""
        self.clients.append(client)
        client.drained = self._balance

    def detach(self, client: Follower) -> None:
        if client in self.clients:
            self.clients.remove(client)
            self._balance()

    def drain(self) -> None:
        """Take what is still in the pipes; for when the process has ended. Children of an exec may write for ever."""
        for fd in list(self._outputs):
            for _ in range(DRAINED_CHUNKS):
                if fd not in self._outputs or not self._copy(fd):
                    break
        if self._log:
            self._log.end_streams()

    def close(self) -> None:
        """Close every descriptor; what was not drained is lost."""
        self._loop.cancel(self)
        for fd in list(self._outputs):
            self._close_output(fd)
        self._close_input()

    def _watch(self) -> None:
        for fd in self._outputs:
            wanted = 0 if self._held else loops.READ
            if fd == self._input_fd and self._input:
                wanted |= loops.WRITE
            if wanted:
                self._loop.watch(fd, wanted, self._readiness(fd))
            else:
                self._loop.ignore(fd)
        if self._input_fd >= 0 and self._input_fd not in self._outputs:
            # Without a wish only its hang-up is told: the last reader is gone.
            self._loop.watch(self._input_fd, loops.WRITE if self._input else 0, self._readiness(self._input_fd))

    def _readiness(self, fd: int) -> Callable[[int], None]:
        return lambda events: self._ready(fd, events)

    def _ready(self, fd: int, events: int) -> None:
        if fd == self._input_fd and events & loops.WRITE:
            self._write_input()
        if fd in self._outputs and events & (loops.READ | loops.HUNG_UP):
            self._copy(fd)
        elif fd == self._input_fd and events & loops.HUNG_UP:
            self._close_input()  # nobody reads it any more

    def _copy(self, fd: int) -> bool:
        """Take one chunk. False when there is nothing (more) to take now."""
        try:
            chunk = os.read(fd, protocol.CHUNK)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno != errno.EIO:  # a terminal whose last user is gone
                raise
            chunk = b""
        if not chunk:
            self._close_output(fd)
            return False
        letter = self._outputs[fd]
        if self._log:
            self._log.write(_STREAM[letter], chunk)
            if not chunk.endswith(b"\n"):
                self._loop.after(FLUSH_SECONDS, self, self._log.flush)
        packet = letter + chunk
        for client in list(self.clients):
            client.send(packet, is_output=True)
        if any(client.is_full for client in self.clients):
            self._balance()
        if len(chunk) < SIP_BYTES and not self.tty:
            self._rest(fd)
        return True

    def _rest(self, fd: int) -> None:
        """After a small chunk that came right after another of the same stream: with two, their order counts more."""
        now = time.monotonic()
        last, when = self._copied
        if fd == last and now - when < SIP_SECONDS:
            if fd not in self._widened:
                self._widen(fd)
            time.sleep(REST_SECONDS)
            now = time.monotonic()
        self._copied = fd, now

    def _widen(self, fd: int) -> None:
        self._widened.add(fd)
        try:
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, WIDE_BYTES)
        except OSError:
            return  # EPERM: the host allows no more, and the pipe serves as it is

    def _balance(self) -> None:
        """Stop reading while a client is full, so that the writer waits; go on when none is."""
        held = any(client.is_full for client in self.clients)
        if held != self._held:
            self._held = held
            self._watch()

    def _close_output(self, fd: int) -> None:
        if fd == self._input_fd:
            self._input_fd = -1
        self._loop.ignore(fd)
        self._widened.discard(fd)
        del self._outputs[fd]
        os.close(fd)

    # input ----------------------------------------------------------------------------------------

    def feed(self, client: Follower, data: bytes) -> None:
        """Bytes for the process. Without a stdin they are dropped, as Docker does."""
        if self._input_fd < 0 or self._end_of_input:
            return
        self._input.append(data)
        self._input_bytes += len(data)
        self._write_input()
        if self._input_bytes > INPUT_BYTES:
            client.pause_reading()

    def end_input(self) -> None:
        """Close stdin after what is queued. A terminal has no end of input but the character for it."""
        if self.tty:
            return
        self._end_of_input = True
        if not self._input:
            self._close_input()

    def resize(self, columns: int, rows: int) -> None:
        if self.tty and self._input_fd >= 0:
            terminals.set_size(self._input_fd, columns, rows)

    def _write_input(self) -> None:
        while self._input and self._input_fd >= 0:
            data = self._input[0]
            try:
                written = os.write(self._input_fd, data)
            except BlockingIOError:
                break
            except OSError:  # EPIPE, EIO: nobody will read it
                self._input.clear()
                self._input_bytes = 0
                self._close_input()
                break
            self._input_bytes -= written
            if written < len(data):
                self._input[0] = data[written:]
            else:
                self._input.popleft()
        if self._input_bytes <= INPUT_BYTES // 2:
            for client in self.clients:
                client.resume_reading()
        if self._end_of_input and not self._input:
            self._close_input()
        self._watch()

    def _close_input(self) -> None:
        if self._input_fd < 0:
            return
        if self._input_fd not in self._outputs:
            self._loop.ignore(self._input_fd)
            os.close(self._input_fd)
        self._input_fd = -1
        if self.input_closed:
            self.input_closed()
