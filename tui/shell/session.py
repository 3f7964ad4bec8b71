"""A conversation with a process in a container: its output drawn into a grid, input sent as fast as it is taken."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from engine.errors import EngineError
from tui.shell.grid import Grid
from tui.shell.parser import Parser

if TYPE_CHECKING:
    from engine.runtime.attachment import Attachment

SLICE = 4096  # bytes drawn before the clock is looked at
TURN = 0.006  # seconds of drawing in one go, then the dashboard has its turn
PAUSE = 0.006  # seconds of that turn
FRAME = 0.04  # seconds between two paintings while more is to be drawn
FULL = 256 << 10  # bytes waiting to be drawn: the program must wait then
INTERRUPTS = (b"\x03", b"\x1a", b"\x1c")  # what ctrl-C, ctrl-Z and ctrl-\ send
QUIET = 0.06  # seconds without output after which all that was on its way has come
LAST_WORDS = 2048  # bytes still shown of what was written before an interrupt
LONGEST_FORGETTING = 1.0  # seconds; a program that does not heed the interrupt is shown again
ANSWERS = 64 << 10  # bytes of input waiting, above which the terminal itself says no more


class Session:
    """Owns the attachment. `changed` is called after something was drawn, `ended` once, with the exit code or, when
    the connection was lost, a sentence.

    `owned`: the process was started for this session, and is hung up on when it is closed.
    """

    def __init__(self, attachment: Attachment, title: str, *, columns: int, rows: int, owned: bool) -> None:
        self.title = title
        self.attachment = attachment
        self.exit_code: int | None = None
        self.trouble = ""
        self.changed: Callable[[], None] = _nothing
        self.ended: Callable[[], None] = _nothing
        self.grid = Grid(columns, rows, self._answer)
        self._parser = Parser(self.grid)
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[bytes] = deque()  # drawn next
        self._waiting_bytes = 0
        self._input = bytearray()
        self._size: tuple[int, int] | None = (columns, rows)  # not told to the process yet
        self._working: asyncio.Handle | None = None
        self._reading = False
        self._closed = False
        self._owned = owned
        self._next_frame = 0.0  # by the performance counter
        self._ending = False  # an empty piece stands last in `_waiting`
        self._forgetting = 0.0  # until when output is forgotten, by the loop's clock
        self._last_words = b""
        self._pause: asyncio.TimerHandle | None = None
        self._pidfd = _process(attachment.pid) if owned else -1
        self._read(True)
        self._flush()

    @property
    def over(self) -> bool:
        """The process has ended, or cannot be reached any more."""
        return self._closed

    # output ---------------------------------------------------------------------------------------

    def _read(self, wanted: bool) -> None:
        if wanted != self._reading and not self._closed:
            self._reading = wanted
            if wanted:
                self._loop.add_reader(self.attachment.fileno(), self._readable)
            else:
                self._loop.remove_reader(self.attachment.fileno())

    def _readable(self) -> None:
        try:
            frames = self.attachment.receive()
        except EngineError as error:
            self.trouble = str(error)
            frames = [("exit", b"")]
        if self._forgetting:
            if self._forget(frames):
                return
            self._remember()
        for stream, content in frames:
            if stream == "exit":
                self.exit_code = self.attachment.exit_code
                self._read(False)
                self._ending = True
                self._waiting.append(b"")
            else:
                self.output(content)
        self._work_soon()

    def output(self, content: bytes) -> None:
        """Draw this after what waits already."""
        if not self.attachment.tty:
            content = content.replace(b"\n", b"\r\n")  # what the kernel's terminal would do
        self._waiting.extend(content[start : start + SLICE] for start in range(0, len(content), SLICE))
        self._waiting_bytes += len(content)
        if self._waiting_bytes > FULL:
            if self._owned:
                self._read(False)
            else:  # the dashboard must not hold up a container: what cannot be drawn in time is not seen
                while self._waiting_bytes > FULL // 2 and len(self._waiting) > 1:
                    self._waiting_bytes -= len(self._waiting.popleft())
        self._work_soon()

    def _forget(self, frames: list[tuple[str, bytes]]) -> bool:
        """Take no notice of what was written before an interrupt but for its last words, until there is a pause.

        Nobody waits to see it scroll by. The kernel's terminal forgets what it holds in the same way; here more is on
        its way. False: this has to be shown, the end or what a program writes that does not heed the interrupt.
        """
        if self._loop.time() > self._forgetting or any(stream == "exit" for stream, _ in frames):
            return False
        self._last_words = (self._last_words + b"".join(content for _, content in frames))[-LAST_WORDS:]
        if self._pause is not None:
            self._pause.cancel()
        self._pause = self._loop.call_later(QUIET, self._remember)
        return True

    def _remember(self) -> None:
        """Show output again, the last words first."""
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        words, self._last_words, self._forgetting = self._last_words, b"", 0.0
        if words and not self._closed:
            self.output(words.partition(b"\n")[2] or words)

    def _work_soon(self) -> None:
        if self._working is None and self._waiting:
            self._working = self._loop.call_soon(self._work)

    def _work(self) -> None:
        self._working = None
        deadline = time.perf_counter() + TURN
        while self._waiting:
            piece = self._waiting.popleft()
            if not piece:
                self._end()
                return
            self._waiting_bytes -= len(piece)
            self._parser.feed(piece)
            if time.perf_counter() > deadline:
                break
        if not self._waiting or deadline > self._next_frame:
            self._next_frame = deadline + FRAME
            self.changed()
        if self._waiting:
            self._working = self._loop.call_later(PAUSE, self._work)
        if self._waiting_bytes <= FULL // 2 and self.attachment.exit_code is None:
            self._read(True)

    # input ----------------------------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        """Type this."""
        if data and not self._closed:
            flooded = self._waiting_bytes > FULL // 4 and not self.grid.alternate and not self._ending
            if flooded and data in INTERRUPTS:
                self._forgetting = self._loop.time() + LONGEST_FORGETTING
                self._waiting.clear()
                self._waiting_bytes = 0
                self._read(True)
            self._input += data
            self._flush()

    def _answer(self, text: str) -> None:
        if len(self._input) < ANSWERS:
            self.send(text.encode())

    def resize(self, columns: int, rows: int) -> None:
        self.grid.resize(rows, columns)
        self._size = (columns, rows)
        self._flush()

    def _flush(self) -> None:
        """Hand over what the process takes now; the rest when it takes more."""
        if self._closed:
            return
        descriptor = self.attachment.fileno()
        try:
            while self._input:
                taken = self.attachment.send(bytes(self._input[: 16 << 10]))
                del self._input[:taken]
                if not taken:
                    self._loop.add_writer(descriptor, self._flush)
                    return
            if self._size is not None:
                if not _writable(descriptor):  # telling the size would hold up the dashboard
                    self._loop.add_writer(descriptor, self._flush)
                    return
                self.attachment.resize(*self._size)
                self._size = None
        except OSError:
            self._input.clear()  # nobody is there any more: the end of the output says so
        self._loop.remove_writer(descriptor)

    # the end --------------------------------------------------------------------------------------

    def _end(self) -> None:
        self._release()
        self.changed()
        self.ended()

    def close(self) -> None:
        """Leave: a process of our own is hung up on, as when a terminal is closed; one that was there goes on."""
        if self._pidfd >= 0 and not self._closed:
            _send_hangup(self._pidfd)
        self._release()

    def _release(self) -> None:
        if self._closed:
            return
        self._read(False)
        self._loop.remove_writer(self.attachment.fileno())
        self._closed = True
        for handle in (self._working, self._pause):
            if handle is not None:
                handle.cancel()
        if self._pidfd >= 0:
            os.close(self._pidfd)
        self.attachment.close()


def hang_up(attachment: Attachment) -> None:
    """End what was started for a session that nobody wants any more."""
    pidfd = _process(attachment.pid)
    if pidfd >= 0:
        _send_hangup(pidfd)
        os.close(pidfd)
    attachment.close()


def _send_hangup(pidfd: int) -> None:
    try:
        signal.pidfd_send_signal(pidfd, signal.SIGHUP)
    except ProcessLookupError:
        pass  # it was quicker


def _nothing() -> None:
    """Nobody looks."""


def _process(pid: int) -> int:
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return -1


def _writable(descriptor: int) -> bool:
    poller = select.poll()
    poller.register(descriptor, select.POLLOUT)
    return bool(poller.poll(0))
