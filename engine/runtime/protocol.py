"""The frames between a monitor and its clients: packets of a local socket, one letter then the payload.

The socket lies in a root-only directory and is itself root-only, so both ends trust each other.
Imported by the monitor: keep it light.
"""

from __future__ import annotations

import _socket
import marshal
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CONTROL_SOCKET = "control.sock"

# from a client
ATTACH = b"a"  # receive what the container's init writes from now on
WATCH = b"w"  # receive only the exit
INPUT = b"i"  # bytes for stdin
END_OF_INPUT = b"e"
RESIZE = b"r"  # (columns, rows)
SIGNAL = b"k"  # (number, by_user); answered by DONE
EXECUTE = b"x"  # an exec's description; answered by STARTED or FAILED, then as ATTACH
ACKNOWLEDGE = b"c"  # this client cleans up when the container is over

# from the monitor
STARTED = b"S"  # (pid, start time, tty)
FAILED = b"F"  # (kind, stage, message, hint)
STDOUT = b"O"
STDERR = b"E"
EXITED = b"X"  # exit code
DONE = b"D"  # errno, 0 for success

# from the children of a start to the monitor, beside FAILED, STARTED (with the terminal) and DONE (about to execute)
CHILD = b"P"  # (pid of the child that will execute,)

NOT_FOUND, NOT_EXECUTABLE, FAILURE = "not found", "not executable", "failure"  # kinds of FAILED

CHUNK = 64 << 10  # bytes of output or input in one frame
SOCKET_BUFFER = 4 << 20  # bytes; an exec's environment has to fit in one frame


def pair() -> tuple[_socket.socket, _socket.socket]:
    """Two connected ends; both close-on-exec, both blocking."""
    kind = _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC
    ours, theirs = _socket.socketpair(_socket.AF_UNIX, kind)
    return widen(ours), widen(theirs)


def connect(run_dir: str) -> _socket.socket:
    """A connection to the container's monitor. Raises OSError when there is none."""
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC)
    directory = os.open(run_dir, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # sun_path holds 107 bytes; a root may lie deeper than that.
        connection.connect(f"/proc/self/fd/{directory}/{CONTROL_SOCKET}")
    except BaseException:
        connection.close()
        raise
    finally:
        os.close(directory)
    return widen(connection)


def listen(run_dir: str) -> _socket.socket:
    """The monitor's end, in place of what an earlier monitor left; only root may connect."""
    listener = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC)
    directory = os.open(run_dir, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    path = f"/proc/self/fd/{directory}/{CONTROL_SOCKET}"
    try:
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass
        mask = os.umask(0o177)
        listener.bind(path)
        os.umask(mask)
        listener.listen(64)
        listener.setblocking(False)
    finally:
        os.close(directory)
    return listener


def widen(connection: _socket.socket) -> _socket.socket:
    """Let one frame be as large as an exec's environment may be."""
    so_sndbufforce = 32
    try:
        connection.setsockopt(_socket.SOL_SOCKET, so_sndbufforce, SOCKET_BUFFER)
    except PermissionError:
        connection.setsockopt(_socket.SOL_SOCKET, _socket.SO_SNDBUF, SOCKET_BUFFER)
    return connection


def frame(letter: bytes, *values: Any) -> bytes:
    """A frame whose payload is a tuple of plain values."""
    return letter + marshal.dumps(values)


def values(packet: bytes) -> Any:
    """The tuple that `frame` packed."""
    return marshal.loads(memoryview(packet)[1:])
