"""A step of a start that failed, on its way from the child that took it to the engine that asked for it."""

from __future__ import annotations

import _socket
import os

from engine.errors import CommandNotExecutable, CommandNotFound, EngineError, RuntimeFailure
from engine.linux import processes
from engine.runtime import protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import NoReturn


class Channel:
    """The child's end of the socket pair over which a start reports. It closes by itself when the child executes.

    `stage` is the step being taken: set it before every step that may fail.
    """

    def __init__(self, connection: _socket.socket) -> None:
        self.connection = connection
        self.stage = "namespaces"

    def send(self, packet: bytes, *descriptors: int) -> None:
        """One packet to the monitor, with descriptors beside it.

        Without any it is a plain write(2), which every seccomp profile allows that allows anything.
        """
        if not descriptors:
            os.write(self.connection.fileno(), packet)
            return
        rights = b"".join(fd.to_bytes(4, "little") for fd in descriptors)
        self.connection.sendmsg([packet], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)])

    def move_to(self, fd: int) -> None:
        """Give the connection another descriptor number."""
        old = self.connection.detach()
        if old != fd:
            os.dup2(old, fd, inheritable=False)
            os.close(old)
        self.connection = _socket.socket(fileno=fd)

    def await_go(self) -> None:
        """Ask to execute, and wait until it is on record. If the monitor was killed, so is this process."""
        self.send(protocol.DONE)
        if os.read(self.connection.fileno(), 1) != protocol.DONE:
            os._exit(1)

    def fail(self, error: BaseException) -> None:
        """Tell the monitor, if there still is one, why this child ends here."""
        try:
            self.send(packet_of(error, self.stage))
        except OSError:
            return


def close_all_but(kept: Iterable[int]) -> None:
    """Close every descriptor above 2 that is not in `kept`, whoever opened it."""
    first = 3
    for fd in sorted(fd for fd in set(kept) if fd > 2):
        processes.close_all(first, fd - 1)
        first = fd + 1
    processes.close_all(first)


def packet_of(error: BaseException, stage: str) -> bytes:
    """The FAILED frame for what a step raised."""
    hint = ""
    kind = protocol.FAILURE
    if isinstance(error, EngineError):
        message, hint = error.message, error.hint
        if isinstance(error, CommandNotFound):
            kind = protocol.NOT_FOUND
        elif isinstance(error, CommandNotExecutable):
            kind = protocol.NOT_EXECUTABLE
        stage = getattr(error, "stage", "") or stage
    elif isinstance(error, OSError):
        where = f" {error.filename}" if error.filename else ""
        message = f"{stage}{where}: {error.strerror or error}"
    else:
        message = f"{stage}: {type(error).__name__}: {error}"
    return protocol.frame(protocol.FAILED, kind, stage, message, hint)


def raise_from(packet: bytes, prefix: str) -> NoReturn:
    """Raise what a FAILED frame tells, as one sentence that begins as Docker's does."""
    kind, stage, message, hint = protocol.values(packet)
    sentence = f"{prefix}: {message}"
    if kind == protocol.NOT_FOUND:
        raise CommandNotFound(sentence, stage=stage, hint=hint)
    if kind == protocol.NOT_EXECUTABLE:
        raise CommandNotExecutable(sentence, stage=stage, hint=hint)
    raise RuntimeFailure(sentence, stage=stage, hint=hint)
