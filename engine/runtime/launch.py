"""Starting a container: the engine's side. What happens then is in engine.runtime.start."""

from __future__ import annotations

import _socket
import os

from engine.errors import RuntimeFailure
from engine.runtime import bundle as bundles
from engine.runtime import failure, protocol, spawn
from engine.runtime.attachment import Attachment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.runtime.forkserver import ForkServer
    from engine.settings import Settings

_SIGKILL = 9
PREFIX = "OCI runtime create failed"  # the words Docker's users grep for


class Started:
    """`start_time` is in clock ticks since boot: with it the pid can be trusted."""

    __slots__ = ("pid", "start_time", "tty")

    def __init__(self, pid: int, start_time: int, tty: bool) -> None:
        self.pid, self.start_time, self.tty = pid, start_time, tty


def begin(settings: Settings, container_id: str, forks: ForkServer | None = None) -> spawn.Waiting:
    """Start a monitor that waits for `start` or `start_attached`, while its container is made ready, or created.

    `forks`: of an engine that lasts. Raises RuntimeFailure, PermissionNeeded.
    """
    return spawn.Waiting(container_id, os.fspath(settings.container_dir(container_id)), forks)


def start(settings: Settings, container_id: str, waiting: spawn.Waiting | None = None, *, held: int = -1) -> Started:
    """Start a container in the background; returns when its init has executed the command.

    `waiting` is the monitor that `begin` has started. The caller holds the container's lock, whose descriptor is
    `held`, and has prepared the network. The monitor holds the lock too until the start is decided: if the caller is
    killed, nobody takes a half-started container for a dead one. Raises RuntimeFailure with its stage, CommandNotFound,
    CommandNotExecutable, PermissionNeeded; then nothing of the start is left.
    """
    connection, started = _launch(settings, container_id, waiting, attach=False, held=held)
    connection.close()
    return started


def start_attached(
    settings: Settings, container_id: str, waiting: spawn.Waiting | None = None, *, stdin: bool, held: int = -1
) -> Attachment:
    """Start a container with its output, from the first byte, and with `stdin` its input in the caller's hands.

    Raises as `start`.
    """
    connection, started = _launch(settings, container_id, waiting, attach=True, held=held)
    return Attachment(container_id, connection, started.pid, tty=started.tty, stdin=stdin)


def adopt(settings: Settings, container_id: str) -> None:
    """Give a container whose monitor was killed a new one; if it has ended meanwhile, record that.

    Nothing happens if it has a monitor. Raises RuntimeFailure.
    """
    from engine.runtime import adoption

    adoption.adopt(settings, container_id)


def await_start(connection: _socket.socket) -> Started:
    """The monitor's answer. Closes the connection and raises when it failed."""
    try:
        packet = connection.recv(protocol.SOCKET_BUFFER)
    except OSError:
        packet = b""
    if packet[:1] == protocol.STARTED:
        return Started(*protocol.values(packet))
    connection.close()
    if packet:
        failure.raise_from(packet, PREFIX)
    raise RuntimeFailure(f"{PREFIX}: the monitor ended before the container started", stage="monitor")


def _launch(
    settings: Settings, container_id: str, begun: spawn.Waiting | None, *, attach: bool, held: int
) -> tuple[_socket.socket, Started]:
    with begun or begin(settings, container_id) as waiting:
        bundle = bundles.read(settings, container_id)
        _prepare_run_dir(bundle.run_dir)
        connection = waiting.connection
        try:
            connection = waiting.give(bundle, attach=attach, held=held)
            return connection, await_start(connection)
        except RuntimeFailure as error:
            connection.close()
            if error.stage == "monitor":
                error.hint = error.hint or waiting.last_words() or _last_words(bundle.run_dir)
                clear(settings, container_id)
            raise
        except BaseException:  # ctrl-C: it may have the bundle already, or not
            _give_up(connection)
            raise


def _give_up(connection: _socket.socket) -> None:
    """End what becomes of the start: that is decided in milliseconds, and then the monitor reads that it shall kill."""
    packet = protocol.frame(protocol.SIGNAL, _SIGKILL, True)
    try:
        connection.send(packet, _socket.MSG_NOSIGNAL)
        while packet and packet[:1] not in (protocol.EXITED, protocol.FAILED):
            packet = connection.recv(protocol.SOCKET_BUFFER)
    except OSError:
        return  # its monitor is gone: whoever comes next mends that
    finally:
        connection.close()


def clear(settings: Settings, container_id: str) -> None:
    """Remove what a monitor that was killed during a start has left: the cgroup, whoever is in it, and the FIFOs.

    Idempotent. The caller holds the container's lock, and the container does not run.
    """
    from engine.runtime import cgroups
    from engine.runtime.start import remove_fifos

    cgroups.remove(f"{settings.cgroup_parent}/{container_id}")
    remove_fifos(os.fspath(settings.run_dir(container_id)))


def _prepare_run_dir(run_dir: str) -> None:
    try:
        os.makedirs(run_dir, mode=0o700, exist_ok=True)
    except OSError as error:
        raise RuntimeFailure(f"cannot make {run_dir}: {error.strerror}", stage="run directory") from error


def _last_words(run_dir: str) -> str:
    """The end of the monitor's own log, for an error nobody foresaw."""
    try:
        with open(os.path.join(run_dir, "monitor.log"), encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
    except OSError:
        return ""
    return lines[-1] if lines else ""
