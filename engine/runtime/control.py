"""Steering a running container: signals, pause, attach, waiting for its end."""

from __future__ import annotations

import _socket
import os
import select
import time
from _signal import SIGHUP

from engine.errors import Conflict, EngineError, InvalidInput, RuntimeFailure
from engine.linux import processes
from engine.runtime import cgroups, protocol
from engine.runtime.attachment import Attachment
from engine.runtime.status import read_state, status
from engine.settings import Settings

PATIENCE = 10.0  # seconds for a monitor that lives to be reached, or to end


def kill(settings: Settings, container_id: str, signum: int, *, by_user: bool) -> None:
    """Send a signal to a container's init. With `by_user` its restart policy does not bring it back.

    Without a monitor, and if none can be had, the signal goes straight to the kernel. One that has ended is left alone.
    Raises Conflict if the container does not run, InvalidInput for a signal the kernel does not know.
    """
    try:
        connection = connect(settings, container_id)
    except EngineError:
        _kill_directly(settings, container_id, signum)
        return
    if connection is None:
        raise Conflict(f"container {container_id} is not running")
    with _closing(connection):
        packet = ask(connection, protocol.frame(protocol.SIGNAL, int(signum), by_user), protocol.DONE)
    if not packet:
        _kill_directly(settings, container_id, signum)
        return
    (number,) = protocol.values(packet)
    if number == 3:  # ESRCH: between two runs, and not to be stopped
        raise Conflict(f"container {container_id} is not running")
    if number:
        raise InvalidInput(f"cannot send signal {signum}: {os.strerror(number)}")


def wait(settings: Settings, container_id: str) -> int:
    """Wait until the container is over, restarts by policy included; its exit code."""
    with exit_watch(settings, container_id) as watch:
        while watch.exit_code is None:
            select.select([watch], [], [])
            watch.read()
        return watch.exit_code


def wait_for_exit(settings: Settings, container_id: str, seconds: float | None) -> bool:
    """Wait so long (None: for ever) for the container's end; whether it came.

    The caller takes down what is left: the monitor is told so, and runs no exit command.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    with exit_watch(settings, container_id) as watch:
        while watch.exit_code is None:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not select.select([watch], [], [], left)[0] and left == 0.0:
                return False
            watch.read()
        watch.acknowledge()
        return True


def exit_watch(settings: Settings, container_id: str) -> ExitWatch:
    """Something to poll until the container is over."""
    return ExitWatch(settings, container_id)


def pause(settings: Settings, container_id: str) -> None:
    """Freeze every process of the container. Raises Conflict if it does not run or is paused."""
    now = status(settings, container_id)
    if not now.running:
        raise Conflict(f"Container {container_id} is not running")
    if now.paused:
        raise Conflict(f"Container {container_id} is already paused")
    cgroups.freeze(f"{settings.cgroup_parent}/{container_id}")


def unpause(settings: Settings, container_id: str) -> None:
    """Let a paused container go on. Raises Conflict if it is not paused."""
    if not status(settings, container_id).paused:
        raise Conflict(f"Container {container_id} is not paused")
    cgroups.thaw(f"{settings.cgroup_parent}/{container_id}")


def attach(settings: Settings, container_id: str) -> Attachment:
    """Join a running container's stdio: what it writes from now on. Raises Conflict if it does not run."""
    connection = connect(settings, container_id)
    if connection is None:
        raise Conflict("You cannot attach to a stopped container, start it first")
    packet = ask(connection, protocol.ATTACH, protocol.STARTED)
    if not packet:
        connection.close()
        raise Conflict("You cannot attach to a stopped container, start it first")
    pid, _, tty = protocol.values(packet)
    return Attachment(container_id, connection, pid, tty=tty)


class ExitWatch:
    """`fileno()` is readable when `read()` may know more; `exit_code` is set when the container is over.

    If the monitor is killed meanwhile, `read()` has the container adopted and goes on.
    """

    def __init__(self, settings: Settings, container_id: str) -> None:
        self._settings, self._container_id = settings, container_id
        self._connection: _socket.socket | None = None
        self.exit_code: int | None = None
        self._watch()

    def fileno(self) -> int:
        """-1 when there is nothing left to wait for."""
        return self._connection.fileno() if self._connection else -1

    def read(self) -> int | None:
        """Take what has come, without blocking; the exit code if the container is over."""
        while self._connection and self.exit_code is None:
            try:
                packet = self._connection.recv(protocol.CHUNK)
            except BlockingIOError:
                break
            except OSError:
                packet = b""
            if packet[:1] == protocol.EXITED:
                (self.exit_code,) = protocol.values(packet)
            elif not packet:
                self.close()
                self._watch()
        return self.exit_code

    def acknowledge(self) -> None:
        """The caller takes down what the container leaves behind: the monitor runs no exit command."""
        if self._connection:
            try:
                self._connection.send(protocol.ACKNOWLEDGE, _socket.MSG_NOSIGNAL)
            except OSError:
                return

    def close(self) -> None:
        if self._connection:
            self._connection.close()
            self._connection = None

    def __enter__(self) -> ExitWatch:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _watch(self) -> None:
        while connection := connect(self._settings, self._container_id):
            try:
                connection.send(protocol.WATCH, _socket.MSG_NOSIGNAL)
            except OSError:
                connection.close()  # it ended between the two calls: look again
                continue
            connection.setblocking(False)
            self._connection = connection
            return
        self.exit_code = status(self._settings, self._container_id).exit_code


def connect(settings: Settings, container_id: str) -> _socket.socket | None:
    """A connection to the monitor; a container without one is adopted first. None if the container does not run.

    Raises RuntimeFailure if it has a monitor that cannot be reached.
    """
    run_dir = os.fspath(settings.run_dir(container_id))
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return protocol.connect(run_dir)
        except (FileNotFoundError, ConnectionRefusedError):
            now = status(settings, container_id)
        if now.orphaned:
            from engine.runtime import adoption

            adoption.adopt(settings, container_id)
        elif not now.live:
            return None
        elif not now.has_monitor:
            continue  # it ended, or was adopted, this instant: look again
        elif time.monotonic() < deadline:
            _call(settings, container_id)
        else:
            raise RuntimeFailure(
                f"the monitor of container {container_id[:12]} cannot be reached: {run_dir} was emptied",
                stage="monitor",
                hint=f"`pilothouse rm -f {container_id[:12]}` ends and removes the container",
            )


def _call(settings: Settings, container_id: str) -> None:
    """The monitor lives, but its socket is gone: it is about to write how the container ended, or else makes another
    one when it is asked to."""
    told = read_state(os.fspath(settings.container_dir(container_id)))
    try:
        pidfd = processes.open_process(told["monitor_pid"], told["monitor_start_time"])
    except ProcessLookupError:
        return
    try:
        processes.send_signal(pidfd, SIGHUP)
        select.select([pidfd], [], [], 0.02)
    except ProcessLookupError:
        return
    finally:
        os.close(pidfd)


def ask(connection: _socket.socket, question: bytes, letters: bytes) -> bytes:
    """Send a frame; the next one of these kinds that comes back, or b"" if the monitor ends first."""
    try:
        connection.send(question, _socket.MSG_NOSIGNAL)
        while (packet := connection.recv(protocol.SOCKET_BUFFER)) and packet[:1] not in letters:
            continue
    except OSError:
        return b""
    return packet


def _kill_directly(settings: Settings, container_id: str, signum: int) -> None:
    now = status(settings, container_id)
    try:
        pidfd = processes.open_process(now.pid, now.start_time)
    except (ProcessLookupError, ValueError):
        return
    try:
        processes.send_signal(pidfd, signum)
    except ProcessLookupError:
        return
    finally:
        os.close(pidfd)


class _closing:  # contextlib's, without its import
    def __init__(self, connection: _socket.socket) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        self._connection.close()
