"""A container's input and output on the user's terminal, until it ends or the user leaves it."""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack

from engine.cli.detachkeys import DetachKeys
from engine.cli.drive import drive
from engine.cli.flags import UsageError
from engine.cli.rawterminal import raw, window_size
from engine.cli.signals import FORWARDED, Signals
from engine.errors import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.runtime.attachment import Attachment

CHUNK = 64 << 10  # bytes of input read at once
PATIENCE = 3  # ctrl-C presses after which the terminal is given back whatever the container does
LEFT = -1  # outcome: the container goes on without us


class Console:
    """The user's side of a conversation with a container.

    `stdin`: whether input is passed on. `stdout`, `stderr`: whether that output is shown. `keys`: the bytes that
    detach, where the container has a terminal.
    """

    def __init__(self, *, stdin: bool, stdout: bool = True, stderr: bool = True, keys: bytes) -> None:
        self.stdin, self.shown = stdin, {"stdout": stdout, "stderr": stderr}
        self.keys = DetachKeys(keys)


def check_terminal(console_stdin: bool, tty: bool) -> None:
    """Refuse to give a container a terminal whose input is none. Raises UsageError in Docker's words."""
    if tty and console_stdin and not os.isatty(0):
        raise UsageError(
            "the input device is not a TTY",
            exit_code=1,
            brief=True,
            hint="leave out -t where the input is a pipe, a file or a script",
        )


def converse(
    attachment: Attachment, console: Console, signals: Signals, forward: Callable[[signal.Signals], object] | None
) -> int:
    """Pass bytes both ways until the container has ended; its exit code, or LEFT if the user detached.

    `forward` sends a signal on to the container; None if signals end only this conversation.
    Raises BrokenPipeError when nobody reads the output any more; the container goes on.
    """
    with ExitStack() as undo:
        if attachment.tty:
            if console.stdin and os.isatty(0):
                undo.enter_context(raw(0))
            _fit_window(attachment)
        return _Conversation(attachment, console, signals, forward).run()


def attend(engine: Engine, attachment: Attachment, console: Console, signals: Signals, *, sig_proxy: bool) -> int:
    """`converse` with a container itself until it has ended; its exit code, or LEFT if the user detached.

    What it leaves behind is taken down here, so that the command returns with all of it done.
    """

    def forward(number: signal.Signals) -> object:
        return drive(engine.kill(attachment.container_id, number.name))

    try:
        code = converse(attachment, console, signals, forward if sig_proxy else None)
        if code != LEFT:
            attachment.acknowledge()
    finally:
        attachment.close()
    if code != LEFT:
        drive(engine.finish(attachment.container_id))
    return code


class _Conversation:
    """The loop of `converse` with what it has to remember."""

    def __init__(
        self,
        attachment: Attachment,
        console: Console,
        signals: Signals,
        forward: Callable[[signal.Signals], object] | None,
    ) -> None:
        self.attachment, self.console, self.signals, self.forward = attachment, console, signals, forward
        self.pending = b""  # input the container has not taken yet
        self.reading = console.stdin
        self.interrupts = 0
        self.poller = select.poll()

    def run(self) -> int:
        attachment, poller = self.attachment, self.poller
        poller.register(self.signals.fileno(), select.POLLIN)
        poller.register(attachment.fileno(), select.POLLIN)
        if self.reading:
            poller.register(0, select.POLLIN)
        while True:
            for descriptor, events in poller.poll():
                if descriptor == self.signals.fileno():
                    if self.on_signals():
                        return LEFT
                elif descriptor == attachment.fileno():
                    if events & select.POLLOUT:
                        self.flush_input()
                    if events & ~select.POLLOUT and self.show_output():
                        return attachment.exit_code or 0
                elif self.read_input():
                    return LEFT

    def show_output(self) -> bool:
        """Write what has come; whether the container has ended."""
        for stream, content in self.attachment.receive():
            if stream == "exit":
                return True
            if self.console.shown.get(stream):
                write_all(1 if stream == "stdout" else 2, content)
        return False

    def read_input(self) -> bool:
        """Take what was typed; whether that was the keys to leave."""
        try:
            typed = os.read(0, CHUNK)
        except OSError:  # the terminal is gone, or we are in the background
            typed = b""
        if not typed:
            self.poller.unregister(0)
            self.reading = False
            self.flush_input()
            return False
        leaving = False
        if self.attachment.tty:
            typed, leaving = self.console.keys.take(typed)
        self.pending += typed
        self.flush_input()
        return leaving

    def flush_input(self) -> None:
        """Hand over input; what the container is not ready for waits, and nothing more is read meanwhile."""
        if self.pending:
            self.pending = self.pending[self.attachment.send(self.pending) :]
        if self.pending:
            self.poller.register(self.attachment.fileno(), select.POLLIN | select.POLLOUT)
            if self.reading:
                self.poller.modify(0, 0)
            return
        self.poller.register(self.attachment.fileno(), select.POLLIN)
        if self.reading:
            self.poller.modify(0, select.POLLIN)
        elif self.console.stdin:
            self.console.stdin = False
            self.attachment.close_stdin()

    def on_signals(self) -> bool:
        """Act on signals; whether to leave."""
        for number in self.signals.received():
            if number is signal.SIGWINCH:
                _fit_window(self.attachment)
                continue
            if number is signal.SIGHUP:  # the terminal was closed: that never hurts a container
                return True
            self.interrupts += number is signal.SIGINT
            if self.forward is None:
                raise KeyboardInterrupt
            if self.interrupts >= PATIENCE:
                name = self.attachment.container_id[:12]
                sys.stderr.write(
                    f"\ncontainer {name} does not heed ctrl-C: left running, `pilothouse stop {name}` ends it\n"
                )
                raise KeyboardInterrupt
            try:
                self.forward(number)
            except EngineError:
                continue  # it has ended meanwhile: the exit is on its way
        return False


def _fit_window(attachment: Attachment) -> None:
    """Give the container's terminal the size of ours."""
    size = window_size(1) or window_size(0)
    if attachment.tty and size:
        attachment.resize(*size)


def write_all(descriptor: int, content: bytes) -> None:
    """Write everything, also to a terminal that another program has made non-blocking."""
    view = memoryview(content)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:
            select.select([], [descriptor], [])


def conversation_signals() -> Signals:
    """The signals a conversation has to hear of; open it before the container starts, so that none is lost."""
    return Signals((*FORWARDED, signal.SIGWINCH, signal.SIGHUP))
