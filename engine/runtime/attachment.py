"""A front end's hold on the standard streams of a container's init, or of one exec."""

from __future__ import annotations

import _socket

from engine.errors import RuntimeFailure
from engine.runtime import protocol


class Attachment:
    """Frames come in with `receive`, input goes out with `send`; nothing blocks. Not for several threads at once."""

    def __init__(
        self, container_id: str, connection: _socket.socket, pid: int, *, tty: bool, stdin: bool = True
    ) -> None:
        self.container_id = container_id
        self.pid = pid
        self.tty = tty
        self._stdin = stdin
        self._connection = connection
        self._exit_code: int | None = None
        connection.setblocking(False)

    @property
    def exit_code(self) -> int | None:
        """Set once ("exit", ...) was received."""
        return self._exit_code

    def fileno(self) -> int:
        """Readable when `receive` has something."""
        return self._connection.fileno()

    def receive(self) -> list[tuple[str, bytes]]:
        """What has come: ("stdout" | "stderr", data), and once, at the end, ("exit", code as digits).

        [] if nothing is there yet. Raises RuntimeFailure when the monitor was killed: there will be no more.
        """
        frames: list[tuple[str, bytes]] = []
        for _ in range(64):  # then the caller has a turn, however fast the container writes
            if self._exit_code is not None:
                break
            try:
                packet = self._connection.recv(protocol.SOCKET_BUFFER)
            except BlockingIOError:
                break
            except OSError:
                packet = b""
            letter = packet[:1]
            if letter == protocol.STDOUT:
                frames.append(("stdout", packet[1:]))
            elif letter == protocol.STDERR:
                frames.append(("stderr", packet[1:]))
            elif letter == protocol.EXITED:
                (self._exit_code,) = protocol.values(packet)
                frames.append(("exit", str(self._exit_code).encode()))
            elif not packet:
                if not frames:
                    raise RuntimeFailure(
                        f"lost the connection to container {self.container_id[:12]}: its monitor has ended",
                        stage="monitor",
                        hint="the container goes on; attach to it again",
                    )
                break
        return frames

    def send(self, data: bytes) -> int:
        """Bytes for stdin: how many were taken, 0 if the container must read first.

        Raises BrokenPipeError when the monitor is gone.
        """
        if not self._stdin or not data:
            return len(data)
        piece = bytes(data[: protocol.CHUNK])
        return len(piece) if self._send(protocol.INPUT + piece) else 0

    def close_stdin(self) -> None:
        """End of input, after what was sent."""
        if self._stdin:
            self._stdin = False
            self._send_surely(protocol.END_OF_INPUT)

    def resize(self, columns: int, rows: int) -> None:
        """The terminal has this size now."""
        self._send_surely(protocol.frame(protocol.RESIZE, columns, rows))

    def acknowledge(self) -> None:
        """The caller takes down what the container leaves behind: the monitor runs no exit command."""
        self._send_surely(protocol.ACKNOWLEDGE)

    def close(self) -> None:
        """Detach: the container goes on."""
        self._connection.close()

    def __enter__(self) -> Attachment:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _send(self, packet: bytes) -> bool:
        try:
            self._connection.send(packet, _socket.MSG_NOSIGNAL)
        except BlockingIOError:
            return False
        return True

    def _send_surely(self, packet: bytes) -> None:
        """A few bytes that must arrive, behind whatever input is still on its way. Nobody there: nothing to tell."""
        self._connection.setblocking(True)
        try:
            self._connection.send(packet, _socket.MSG_NOSIGNAL)
        except OSError:
            return
        finally:
            self._connection.setblocking(False)
