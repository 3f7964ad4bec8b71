"""What a monitor's clients ask for, and who they are."""

from __future__ import annotations

import os
from _signal import SIGKILL

from engine.runtime import failure, join, protocol
from engine.runtime.client import Client
from engine.runtime.loop import READ
from engine.runtime.session import Session
from engine.runtime.start import Process, Reports, StartFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from engine.runtime.client import Follower
    from engine.runtime.monitor import Monitor


_NOT_RUNNING = protocol.frame(protocol.FAILED, protocol.FAILURE, "exec", "the container is not running", "")


class Exec:
    """A further process of the container, with whoever asked for it."""

    __slots__ = ("client", "first_child", "process", "reports", "session", "stdio")

    def __init__(self, client: Follower, first_child: int, reports: Reports, stdio: ExecStdio) -> None:
        self.client, self.first_child, self.reports, self.stdio = client, first_child, reports, stdio
        self.process: Process | None = None
        self.session: Session | None = None


class ExecStdio:
    """Pipes for an exec without a terminal. They end with the monitor: an exec belongs to its client."""

    def __init__(self, *, tty: bool, stdin: bool) -> None:
        self.inner: tuple[int, int, int] | None = None
        self.outputs: dict[int, bytes] = {}
        self.input_fd = -1
        if tty:
            return
        out, out_inner = os.pipe()
        err, err_inner = os.pipe()
        self.outputs = {out: protocol.STDOUT, err: protocol.STDERR}
        if stdin:
            read, self.input_fd = os.pipe()
        else:
            read = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
        self.inner = (read, out_inner, err_inner)

    def close_inner(self) -> None:
        for fd in self.inner or ():
            os.close(fd)
        self.inner = None

    def close(self) -> None:
        self.close_inner()
        for fd in {*self.outputs, self.input_fd} - {-1}:
            os.close(fd)


class ControlRoom:
    """The clients of a monitor, each with what it follows."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor
        self.clients: list[Client] = []
        self.acknowledged = False
        self._execs: dict[Follower, Exec] = {}  # whose client is still there
        self._starting: list[Exec] = []  # of which neither a process nor a failure is known yet
        self._running: list[Exec] = []  # whose process lives, with or without its client

    @property
    def has_queues(self) -> bool:
        return any(client.has_queue for client in self.clients)

    def add(self, client: Client) -> None:
        self.clients.append(client)

    def gone(self, client: Client) -> None:
        """The connection is over: what it followed goes on."""
        monitor = self._monitor
        if client in self.clients:
            self.clients.remove(client)
        execution = self._execs.pop(client, None)
        if execution and execution.session:
            execution.session.detach(client)
            execution.session.end_input()
        if client in monitor.attached:
            monitor.attached.remove(client)
            if monitor.session:
                monitor.session.detach(client)
                if monitor.bundle.monitor.get("stdin_once"):
                    monitor.session.end_input()
        if not self.clients:
            monitor.acknowledged_or_alone()

    def received(self, client: Client, packet: bytes) -> None:
        """One frame from a client."""
        letter = packet[:1]
        if letter == protocol.INPUT:
            if session := self._session_of(client):
                session.feed(client, packet[1:])
        elif letter == protocol.END_OF_INPUT:
            if session := self._session_of(client):
                session.end_input()
        elif letter == protocol.RESIZE:
            if session := self._session_of(client):
                session.resize(*protocol.values(packet))
        elif letter == protocol.ATTACH:
            self.attach(client)
            client.send(self._monitor.started_frame())
        elif letter == protocol.WATCH:
            client.send(self._monitor.started_frame())
        elif letter == protocol.SIGNAL:
            number, by_user = protocol.values(packet)
            client.send(protocol.frame(protocol.DONE, self._monitor.signal_init(number, by_user=by_user)))
        elif letter == protocol.EXECUTE:
            process, stdin, seccomp = protocol.values(packet)
            self.execute(client, process, stdin=stdin, seccomp=seccomp)
        elif letter == protocol.ACKNOWLEDGE:
            self.acknowledged = True
            self._monitor.acknowledged_or_alone()

    def attach(self, client: Client) -> None:
        """The client gets init's output from now on."""
        self._monitor.attached.append(client)
        if self._monitor.session:
            self._monitor.session.attach(client)

    def tell_exit(self, code: int) -> None:
        """Every client that follows the container learns how it ended."""
        for client in list(self.clients):
            if client not in self._execs:
                client.send(protocol.frame(protocol.EXITED, code))

    def end_execs(self) -> None:
        """The container is over, its other processes with it: tell their clients."""
        for execution in list(self._starting):
            self._give_up(execution)
        for execution in list(self._running):
            self._exec_ended(execution)

    def _session_of(self, client: Client) -> Session | None:
        if client in self._execs:
            return self._execs[client].session
        return self._monitor.session if client in self._monitor.attached else None

    def execute(
        self, client: Follower, process: dict[str, Any], *, stdin: bool = False, seccomp: bytes | None = None
    ) -> None:
        """Start a further process; the client is told that it executes, or has failed, then what comes of it.

        `process`: as engine.runtime.execute.ExecSpec has it; `seccomp`: a filter in place of the container's.
        """
        monitor = self._monitor
        if monitor.init is None:
            client.send(_NOT_RUNNING)
            return
        stdio = ExecStdio(tty=process.get("terminal", False), stdin=stdin)
        filter_ = monitor.bundle.seccomp if seccomp is None else seccomp
        config, cgroup = monitor.bundle.config, monitor.bundle.monitor["cgroup"]
        try:
            child, reports = join.fork(config, cgroup, monitor.init, process, filter_, stdio.inner)
        except OSError as error:  # no process is to be had now: no reason for the monitor to end
            stdio.close()
            client.send(failure.packet_of(error, "fork"))
            return
        stdio.close_inner()
        execution = Exec(client, child, Reports(reports), stdio)
        self._execs[client] = execution
        self._starting.append(execution)
        monitor.loop.watch(reports.fileno(), READ, lambda _: self._exec_reported(execution))

    def _exec_reported(self, execution: Exec) -> None:
        reports, stdio = execution.reports, execution.stdio
        fd = reports.fileno()
        if not reports.take():
            if reports.about_to_execute:
                reports.let_go()
            return
        self._monitor.loop.ignore(fd)
        os.waitpid(execution.first_child, 0)
        self._starting.remove(execution)
        try:
            reports.check("the process")  # as a rule with its container: stopped, or out of memory
        except StartFailed as failed:
            if reports.pid:
                os.waitpid(reports.pid, 0)
            stdio.close()
            self._execs.pop(execution.client, None)
            execution.client.send(failed.packet)
            return
        if reports.master >= 0:
            stdio.outputs, stdio.input_fd = {reports.master: protocol.STDOUT}, reports.master
        process = Process(reports.pid, stdio.outputs, stdio.input_fd, tty=reports.master >= 0)
        execution.process = process
        execution.session = Session(self._monitor.loop, process.outputs, process.input_fd, tty=process.tty)
        if execution.client in self._execs:
            execution.session.attach(execution.client)
        else:
            execution.session.end_input()
        self._running.append(execution)
        execution.client.send(protocol.frame(protocol.STARTED, process.pid, process.start_time, process.tty))
        self._monitor.loop.watch(process.pidfd, READ, lambda _: self._exec_ended(execution))

    def interrupt(self, client: Follower) -> int:
        """The pid of the client's process; 0 if it did not execute yet: then it never will, and that is told."""
        execution = self._execs[client]
        if execution.process is None:
            self._give_up(execution)
            return 0
        return execution.process.pid

    def _give_up(self, execution: Exec) -> None:
        """Who is still on its way into a container that is over would stay behind, in our cgroup, after our end."""
        reports = execution.reports
        self._monitor.loop.ignore(reports.fileno())
        os.kill(execution.first_child, SIGKILL)
        os.waitpid(execution.first_child, 0)
        reports.abandon()
        if reports.pid:
            os.kill(reports.pid, SIGKILL)
            os.waitpid(reports.pid, 0)
        execution.stdio.close()
        self._starting.remove(execution)
        self._execs.pop(execution.client, None)
        execution.client.send(_NOT_RUNNING)

    def _exec_ended(self, execution: Exec) -> None:
        process, session = execution.process, execution.session
        assert process is not None and session is not None
        _, status = os.waitpid(process.pid, 0)
        code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)
        self._monitor.loop.ignore(process.pidfd)
        os.close(process.pidfd)
        session.drain()
        session.close()
        self._running.remove(execution)
        self._execs.pop(execution.client, None)
        execution.client.send(protocol.frame(protocol.EXITED, code))
