"""The monitor: the process beside a container that owns its stdio, log, exit status and restarts.

Started by engine.runtime.spawn as a fresh interpreter, or forked by engine.runtime.forkserver. One thread, one loop;
memory matters, imports are few.
"""

from __future__ import annotations

import _socket
import os
import time
from _signal import SIG_IGN, SIGHUP, SIGINT, SIGKILL, signal

from engine.errors import EngineError
from engine.linux import processes
from engine.runtime import cgroup_beside, cgroups, control_room, keeper, protocol, restart, start, statefile
from engine.runtime.bundle import Bundle
from engine.runtime.client import Client
from engine.runtime.logfile import MAX_FILES, MAX_SIZE, LogWriter
from engine.runtime.loop import READ, Loop
from engine.runtime.session import Session
from engine.runtime.start import Process, StartFailed
from engine.state import events

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from engine.runtime.health import Health

ACKNOWLEDGEMENT_SECONDS = 2.0  # for a client that saw the exit to say whether it cleans up itself
UNKNOWN_EXIT = 255  # of a container whose end nobody saw, as Docker says it
NOT_TOLD = "its exit code is not known: its first monitor was killed, and only Linux 6.15 or newer tells another one"


def main() -> None:
    """Descriptor 3: the connection to the engine that asked. Over it come, when all is ready, descriptors: of the
    bundle with a state to adopt and whether to attach, of our log, and perhaps of a lock to hold until the start, or
    the adoption, is on record. Nothing comes when there is nothing to monitor after all."""
    processes.prctl(processes.PR_SET_DUMPABLE, 0)  # a container must not reach us through /proc, nor our children
    processes.set_name("pilothouse-mon")
    for number in (SIGHUP, SIGINT):
        signal(number, SIG_IGN)
    import marshal

    connection = _socket.socket(fileno=3)
    _, ancillary, _, _ = connection.recvmsg(1, _socket.CMSG_SPACE(3 * 4), _socket.MSG_CMSG_CLOEXEC)
    if not ancillary:
        return
    bundle, log, *held = memoryview(ancillary[0][2]).cast("i")
    os.dup2(log, 2)
    os.close(log)
    with open(bundle, "rb") as file:
        file.seek(0)
        packed, adopted, attach = marshal.loads(file.read())
    monitor = Monitor(Bundle.load(packed))
    signal(SIGHUP, monitor.listen_again)
    starter = monitor.greet(connection)
    if adopted:
        monitor.adopt(adopted, starter)
    else:
        monitor.begin(starter, attach=attach)
    for lock in held:
        os.close(lock)
    monitor.leave_session()  # now, when nobody waits for us: on v2 it takes ten milliseconds
    monitor.run()


class Monitor:
    """One container, from its start (or adoption) to its end for good."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.loop = Loop()
        self.state = statefile.fresh()
        self.state["monitor_pid"] = os.getpid()
        self.state["monitor_start_time"] = processes.start_time(os.getpid())
        self.state["boot_id"] = statefile.boot_id()
        log = bundle.monitor["log"]
        self.log = LogWriter(log["directory"], log.get("max_size", MAX_SIZE), log.get("max_files", MAX_FILES))
        self.init: Process | None = None
        self.session: Session | None = None
        self.attached: list[Client] = []
        self.health: Health | None = None
        self.room = control_room.ControlRoom(self)
        self.backoff = restart.Backoff()
        self._listener = protocol.listen(bundle.run_dir)
        self.loop.watch(self._listener.fileno(), READ, self._accept)
        self._over = False

    # beginnings -----------------------------------------------------------------------------------

    def greet(self, connection: _socket.socket) -> Client:
        """A new client."""
        return Client(connection, self.loop, self.room.received, self.room.gone)

    def begin(self, starter: Client, *, attach: bool) -> None:
        """The first start; `starter` is told how it went."""
        self.room.add(starter)
        try:
            start.start(self.bundle, self._record)
        except StartFailed as failed:
            self.state.update(statefile.fresh(), error=failed.message, exit_code=failed.exit_code)
            self._write_state()
            self._leave()
            self._append("die", exitCode=str(failed.exit_code))  # those who watch are to learn why it does not run
            starter.send(failed.packet)
            self._over = True
            return
        if attach:
            self.room.attach(starter)
        self._take()
        starter.send(self.started_frame())
        self._append("start")

    def adopt(self, state: dict[str, Any], starter: Client) -> None:
        """Go on where a monitor that was killed left off. The container's own processes have noticed nothing."""
        probed = state.pop("probed", None)
        self.state.update(state, monitor_pid=self.state["monitor_pid"])
        self.state["monitor_start_time"] = processes.start_time(os.getpid())
        self.room.add(starter)
        if state["status"] == "restarting":
            self._write_state()
            self.loop.after(self.backoff.next(), "restart", self._restart)
            starter.send(self.started_frame())
            return
        process = Process.__new__(Process)
        process.pid, process.start_time, process.tty = state["pid"], state["start_time"], state["tty"]
        process.pidfd = processes.open_process(process.pid, process.start_time)
        process.keeper, process.input_fd = None, -1
        if state["keeper_pid"]:
            process.keeper = keeper.Keeper(state["keeper_pid"], state["keeper_start_time"], state["keeper_fd"])
            try:
                process.input_fd = process.keeper.take()
            except OSError:
                process.keeper = None  # killed too: the container has lost its stdin or terminal
        if not process.tty:
            process.outputs = start.reopen_outputs(self.bundle.run_dir)
        else:
            process.outputs = {process.input_fd: protocol.STDOUT} if process.input_fd >= 0 else {}
        self.init = process
        self._write_state()
        self._take(probed)
        starter.send(self.started_frame())

    def _record(self, process: Process) -> None:
        """init is about to execute: from here on it is known, whatever happens to us."""
        self.init = process
        kept = process.keeper
        self.state.update(
            status="running",
            pid=process.pid,
            start_time=process.start_time,
            started=time.time(),
            finished=0.0,
            exit_code=0,
            oom_killed=False,
            error="",
            health="starting" if self.bundle.monitor.get("health") else "",
            failing_streak=0,
            tty=process.tty,
            keeper_pid=kept.pid if kept else 0,
            keeper_start_time=kept.start_time if kept else 0,
            keeper_fd=kept.fd if kept else -1,
        )
        statefile.write(self.bundle.container_dir, self.state)

    def _take(self, probed: dict[str, Any] | None = None) -> None:
        """From here on the monitor serves a running init. `probed`: what an earlier monitor knows of its health."""
        process = self.init
        assert process is not None
        self.session = Session(self.loop, process.outputs, process.input_fd, tty=process.tty, log=self.log)
        self.session.input_closed = self._release_stdin
        for client in self.attached:
            self.session.attach(client)
        self.loop.watch(process.pidfd, READ, self._init_ended)
        if self.state["health"]:
            from engine.runtime.health import Health  # late: a container without a health check pays nothing for it

            self.health = Health(self, probed)

    def started_frame(self) -> bytes:
        return protocol.frame(protocol.STARTED, self.state["pid"], self.state["start_time"], self.state["tty"])

    # the run --------------------------------------------------------------------------------------

    def run(self) -> None:
        """Until the container is over for good and whoever wanted to know has been told."""
        while not self._over or self.room.has_queues:
            self.loop.turn()

    def leave_session(self) -> None:
        """Get out of the cgroup of whoever started us, unless it is over already."""
        if not self._over:
            keepers = (self.init.keeper.pid,) if self.init and self.init.keeper else ()
            cgroup_beside.join(os.path.dirname(self.bundle.monitor["cgroup"]), keepers)

    def signal_init(self, number: int, *, by_user: bool) -> int:
        """Send a signal; by_user: the restart policy shall not undo what it does. Returns an errno."""
        if by_user:
            self.state["stopped_by_user"] = True
        if self.init is None:
            if by_user and self.loop.is_pending("restart"):
                self.loop.cancel("restart")
                self._finish()
                return 0
            return 3  # ESRCH
        if by_user:
            self._write_state()
        try:
            if number == SIGKILL and not self._has_own_pids:
                cgroups.kill(self.bundle.monitor["cgroup"])
            processes.send_signal(self.init.pidfd, number)
        except ProcessLookupError:
            return 0  # it has just ended
        except OSError as error:
            return error.errno or 22
        return 0

    def record_health(self, status: str, failing_streak: int) -> None:
        """What everyone may see of it: on disk before anyone is told."""
        changed = status != self.state["health"]
        self.state.update(health=status, failing_streak=failing_streak)
        self._write_state()
        if changed:
            self._append(f"health_status: {status}")

    @property
    def _has_own_pids(self) -> bool:
        """The kernel ends all processes of a pid namespace with its init; without one the cgroup must be emptied."""
        listed = self.bundle.config.get("linux", {}).get("namespaces", [])
        return any(namespace["type"] == "pid" for namespace in listed)

    def _accept(self, _: int) -> None:
        while True:
            try:
                fd, _address = self._listener._accept()  # type: ignore[attr-defined]
            except BlockingIOError:
                return
            except OSError:
                return  # the client is gone already, or descriptors are short: it can try again
            self.room.add(self.greet(_socket.socket(fileno=fd)))

    def listen_again(self, *_: object) -> None:
        """SIGHUP: somebody looked for our socket in vain, because the run directory was emptied under us.

        The new socket takes the descriptor of the old one: the loop may be in the middle of a poll that has it.
        """
        fd = self._listener.fileno()
        if fd < 0 or os.getpid() != self.state["monitor_pid"]:
            return  # we are about to end, or are a child that was forked just now
        run_dir = self.bundle.run_dir
        try:
            os.makedirs(run_dir, mode=0o700, exist_ok=True)
            if not os.path.lexists(os.path.join(run_dir, protocol.CONTROL_SOCKET)):
                listener = protocol.listen(run_dir)
                os.dup2(listener.fileno(), fd, inheritable=False)
                listener.close()
        except OSError as error:
            os.write(2, f"cannot listen again: {error}\n".encode())

    def _release_stdin(self) -> None:
        """stdin was closed for good: its keeper must not hold it open."""
        if self.init and self.init.keeper and not self.init.tty:
            self.init.keeper.end()
            self.init.keeper = None
            self.state["keeper_pid"] = 0
            self._write_state()

    # the end --------------------------------------------------------------------------------------

    def _init_ended(self, _: int) -> None:
        assert self.init is not None and self.session is not None
        known = _exit_code(self.init)
        code = UNKNOWN_EXIT if known is None else known
        self.backoff.ended(restart.seconds_since(self.init.start_time))
        cgroup = self.bundle.monitor["cgroup"]
        self.loop.ignore(self.init.pidfd)
        os.close(self.init.pidfd)
        if not self._has_own_pids:
            cgroups.kill(cgroup)
        if self.health:
            self.health.end()
            self.health = None
        self.room.end_execs()
        self.session.drain()
        self.session.input_closed = None
        self.session.close()
        if self.init.keeper:
            self.init.keeper.end()
        self.session = self.init = None
        oom = cgroups.oom_kills(cgroup) > 0
        error = NOT_TOLD if known is None else ""
        try:
            cgroups.remove(cgroup)
        except EngineError as failure:
            error = failure.message
        self.state.update(
            pid=0, start_time=0, keeper_pid=0, exit_code=code, oom_killed=oom, error=error, finished=time.time()
        )
        if oom:
            self._append("oom")
        if restart.wanted(self.bundle.monitor.get("restart") or {}, self.state):
            self.state["status"] = "restarting"
            self._write_state()
            self._append_end()
            self.loop.after(self.backoff.next(), "restart", self._restart)
        else:
            self._finish(died=True)

    def _restart(self) -> None:
        self.state["restart_count"] += 1
        try:
            start.start(self.bundle, self._record)
        except StartFailed as failed:
            self.init = None
            # not started: since when the run before it went on is no length of a run that never was
            self.state.update(pid=0, start_time=0, keeper_pid=0, started=0.0, finished=time.time())
            self.state.update(error=failed.message, exit_code=failed.exit_code)
            self._finish(died=True)
            return
        self._take()
        self._append("start")

    def _finish(self, *, died: bool = False) -> None:
        """Over for good. The state is on disk before anyone is told."""
        self.state["status"] = "exited"
        self._write_state()
        self._leave()
        if died:
            self._append_end()
        self.room.tell_exit(self.state["exit_code"])
        if self.room.clients:
            self.loop.after(ACKNOWLEDGEMENT_SECONDS, "acknowledgement", self._end)
        else:
            self._end()

    def acknowledged_or_alone(self) -> None:
        """The last client is gone, or one has said that it cleans up: nothing is left to wait for."""
        if self.loop.is_pending("acknowledgement"):
            self.loop.cancel("acknowledgement")
            self._end()

    def _end(self) -> None:
        cgroup_beside.leave(os.path.dirname(self.bundle.monitor["cgroup"]))
        command = self.bundle.monitor.get("exit_command")
        if command and not self.room.acknowledged:
            closed = [(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_RDWR, 0) for fd in (0, 1)]
            os.posix_spawn(command[0], command, {"PATH": os.defpath}, file_actions=closed, setsid=True)
        self._over = True

    def _leave(self) -> None:
        """Remove what lies in the run directory for clients, before another monitor may put its own there."""
        self.loop.ignore(self._listener.fileno())
        self._listener.close()
        start.remove_fifos(self.bundle.run_dir)
        try:
            os.unlink(os.path.join(self.bundle.run_dir, protocol.CONTROL_SOCKET))
        except FileNotFoundError:
            pass
        self.log.close()

    def _write_state(self) -> None:
        try:
            statefile.write(self.bundle.container_dir, self.state)
        except OSError as error:  # disk full: the container goes on, whoever asks the kernel sees it
            os.write(2, f"cannot write the state: {error}\n".encode())

    def _append_end(self) -> None:
        """With how long the run went on by its state: between the two events lies more than the run."""
        self._append("die", exitCode=str(self.state["exit_code"]), **statefile.ran(self.state))

    def _append(self, action: str, **attributes: str) -> None:
        monitor = self.bundle.monitor
        attributes["image"] = monitor.get("image", "")
        try:
            events.append(monitor["journal"], "container", action, monitor["id"], monitor.get("name", ""), attributes)
        except EngineError as error:
            os.write(2, f"cannot append an event: {error}\n".encode())


def _exit_code(init: Process) -> int | None:
    """Reaps init if it is our child. The exit of one that was adopted is read before, or since Linux 6.15 after, the
    process that inherited it reaps it; None if it cannot be known."""
    status: int | None
    try:
        _, status = os.waitpid(init.pid, 0)
    except ChildProcessError:
        status = processes.wait_status_of_zombie(init.pid, init.start_time)
        if status is None:
            status = processes.wait_status_of_reaped(init.pidfd)
    if status is None:
        return None
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)
