"""The start of a container, as its monitor does it: cgroup, stdio, clone, and word from the child that it executes."""

from __future__ import annotations

import _socket
import os

from engine.linux import namespaces, processes
from engine.runtime import cgroups, failure, init, keeper, protocol, remap
from engine.runtime.failure import Channel
from engine.runtime.undo import Undo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.runtime.bundle import Bundle

_ONE_DESCRIPTOR = _socket.CMSG_SPACE(4)
_FIFOS = {"stdout": protocol.STDOUT, "stderr": protocol.STDERR}


class StartFailed(Exception):
    """A step failed; `packet` is the FAILED frame for whoever asked. Nothing of the start is left."""

    def __init__(self, packet: bytes) -> None:
        super().__init__(*protocol.values(packet))
        self.packet = packet

    @property
    def message(self) -> str:
        return self.args[2]

    @property
    def exit_code(self) -> int:
        """What Docker records as the exit code of a container that could not be started."""
        return {protocol.NOT_FOUND: 127, protocol.NOT_EXECUTABLE: 126}.get(self.args[0], 128)


class Process:
    """A process that executes, with the monitor's ends of its stdio."""

    __slots__ = ("input_fd", "keeper", "outputs", "pid", "pidfd", "start_time", "tty")

    def __init__(self, pid: int, outputs: dict[int, bytes], input_fd: int, *, tty: bool) -> None:
        self.pid = pid
        self.pidfd = os.pidfd_open(pid)
        self.start_time = processes.start_time(pid)
        self.outputs, self.input_fd, self.tty = outputs, input_fd, tty
        self.keeper: keeper.Keeper | None = None


def start(bundle: Bundle, record: Callable[[Process], None]) -> None:
    """The steps of a start, in order; a failure takes back what was done. Raises StartFailed.

    `record` is called with the process just before it executes: if this monitor is killed at that point there is either
    no container, or one that is on record.
    """
    stage = "cgroup"
    try:
        with Undo() as undo:
            cgroups.create(bundle.monitor["cgroup"], bundle.config.get("linux", {}).get("resources") or {})
            undo.add(cgroups.remove, bundle.monitor["cgroup"])
            stage = "stdio"
            stdio = Stdio(bundle.run_dir, terminal=bundle.terminal, stdin=bundle.monitor.get("stdin_open", False))
            undo.add(stdio.remove)
            stage = "clone"
            ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC)
            users = remap.make(bundle.config)
            child = namespaces.fork(init.clone_flags(bundle.config))
            if child == 0:
                init.run(bundle, stdio.inner, Channel(theirs), users)
            undo.add(_end, child)
            if users >= 0:
                os.close(users)
            theirs.close()
            stdio.close_inner()
            reports = Reports(ours)
            while not reports.about_to_execute:
                if reports.take():
                    reports.check()
            if reports.master >= 0:
                stdio.use_terminal(reports.master)
            process = Process(child, stdio.outputs, stdio.input_fd, tty=bundle.terminal)
            undo.add(os.close, process.pidfd)
            if process.input_fd >= 0:
                process.keeper = keeper.start(process.pidfd, process.input_fd)
                undo.add(process.keeper.end)
            record(process)
            reports.let_go()
            while not reports.take():
                pass
            reports.check()
    except StartFailed:
        raise
    except Exception as error:
        raise StartFailed(failure.packet_of(error, stage)) from error


class Reports:
    """What the children of a start tell until one of them executes or gives up."""

    def __init__(self, connection: _socket.socket) -> None:
        self._connection = connection
        self._failed = self._about_to = b""
        self._has_gone = False
        self.pid = 0  # of the child that executes, if another one made it
        self.master = -1  # of the terminal, if there is one

    def fileno(self) -> int:
        return self._connection.fileno()

    def take(self) -> bool:
        """Wait for one report. True when there will be no more: the connection closes at the exec, or with its end."""
        try:
            packet, ancillary, _, _ = self._connection.recvmsg(
                protocol.CHUNK, _ONE_DESCRIPTOR, _socket.MSG_CMSG_CLOEXEC
            )
        except ConnectionResetError:  # it was killed before it read that it may go
            packet, ancillary = b"", []
        if not packet:
            self._connection.close()
            return True
        if packet[:1] == protocol.FAILED:
            self._failed = packet
        elif packet[:1] == protocol.CHILD:
            (self.pid,) = protocol.values(packet)
        elif packet[:1] == protocol.DONE:
            self._about_to = packet
        for _, _, rights in ancillary:
            self.master = int.from_bytes(rights[:4], "little")
        return False

    @property
    def about_to_execute(self) -> bool:
        """A child is ready, and waits for `let_go`."""
        return bool(self._about_to) and not self._failed

    def let_go(self) -> None:
        """The child may execute: what it becomes is on record. Said once."""
        if self._has_gone:
            return
        self._has_gone = True
        try:
            self._connection.send(protocol.DONE, _socket.MSG_NOSIGNAL)
        except OSError:
            return  # it was killed: `take` tells

    def abandon(self) -> None:
        """Take what was told until now, and listen no more."""
        self._connection.setblocking(False)
        try:
            while not self.take():
                pass
        except BlockingIOError:
            self._connection.close()
        if self.master >= 0:
            os.close(self.master)

    def check(self, who: str = "init") -> None:
        """Raises StartFailed unless a child has executed: with its own report, or a report of its sudden death."""
        if self.about_to_execute:
            return
        if self.master >= 0 and not self._about_to:
            os.close(self.master)
        death = (protocol.FAILURE, who, f"{who} was killed before it could execute its command", "")
        raise StartFailed(self._failed or protocol.frame(protocol.FAILED, *death))


class Stdio:
    """The stdio of init without a terminal: FIFOs for what it writes, a pipe for what it reads.

    init holds its FIFOs open for reading too: when the monitor is killed nobody gets SIGPIPE, writers wait, and the
    next monitor opens the FIFOs by name.
    """

    def __init__(self, run_dir: str, *, terminal: bool, stdin: bool) -> None:
        self._run_dir = run_dir
        self.inner: tuple[int, int, int] | None = None
        self.outputs: dict[int, bytes] = {}
        self.input_fd = -1
        if terminal:
            return
        written = []
        for name, letter in _FIFOS.items():
            path = os.path.join(run_dir, name)
            _make_fifo(path)
            self.outputs[os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)] = letter
            written.append(os.open(path, os.O_RDWR | os.O_CLOEXEC))
        if stdin:
            read, self.input_fd = os.pipe()
        else:
            read = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
        self.inner = (read, written[0], written[1])

    def close_inner(self) -> None:
        for fd in self.inner or ():
            os.close(fd)
        self.inner = None

    def use_terminal(self, master: int) -> None:
        self.outputs = {master: protocol.STDOUT}
        self.input_fd = master

    def remove(self) -> None:
        self.close_inner()
        for fd in {*self.outputs, self.input_fd} - {-1}:
            os.close(fd)
        remove_fifos(self._run_dir)


def reopen_outputs(run_dir: str) -> dict[int, bytes]:
    """The monitor's ends of the FIFOs of a container that runs. Raises FileNotFoundError."""
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
    return {os.open(os.path.join(run_dir, name), flags): letter for name, letter in _FIFOS.items()}


def remove_fifos(run_dir: str) -> None:
    """Idempotent."""
    for name in _FIFOS:
        try:
            os.unlink(os.path.join(run_dir, name))
        except FileNotFoundError:
            continue


def _make_fifo(path: str) -> None:
    try:
        os.unlink(path)  # of an earlier run, with what nobody read
    except FileNotFoundError:
        pass
    os.mkfifo(path, 0o600)


def _end(child: int) -> None:
    """Kill and reap a child that did not get as far as it should."""
    try:
        os.kill(child, 9)
        os.waitpid(child, 0)
    except (ProcessLookupError, ChildProcessError):
        return
