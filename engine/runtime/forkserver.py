"""Monitors by fork: for an engine that lasts, a process that has imported the monitor once.

A monitor that is forked from it is there in 2 ms instead of 20, and shares with the others what all have imported:
beside 20 containers that is 1.5 MB each instead of 4.2. The server itself never sees a bundle, so that no monitor is
born with what belongs to another's container. It ends with its engine; its monitors go on.
"""

from __future__ import annotations

import _socket
import _thread
import gc
import os
import sys
from _signal import SIG_DFL, SIG_IGN, SIGCHLD, SIGHUP, SIGINT, signal

from engine.errors import RuntimeFailure
from engine.linux import processes

ARGUMENT_START = 48  # number of the field of /proc/PID/stat: where the command line begins in memory (proc(5))


class ForkServer:
    """The engine's end; the process is started with the first monitor that is wanted. Safe from several threads."""

    def __init__(self) -> None:
        self._turn = _thread.allocate_lock()  # `threading` would be imported into every monitor
        self._requests: _socket.socket | None = None

    def fork(self, container_dir: str, connection: int, words: int) -> None:
        """Have a monitor forked: as `engine.runtime.spawn.execute`, with the same descriptors.

        Raises RuntimeFailure, PermissionNeeded.
        """
        given = b"".join(fd.to_bytes(4, sys.byteorder) for fd in (connection, words))
        rights = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, given)]
        with self._turn:
            for last in (False, True):
                requests = self._requests or self._begin(container_dir, words)
                try:
                    requests.sendmsg([os.fsencode(container_dir)], rights, _socket.MSG_NOSIGNAL)
                    return
                except OSError as error:  # it was killed: another one takes over
                    self._end()
                    if last:
                        from engine.runtime.spawn import last_words

                        hint = last_words(words)
                        raise RuntimeFailure(f"cannot start a monitor: {error}", stage="monitor", hint=hint) from error

    def close(self) -> None:
        with self._turn:
            self._end()

    def _begin(self, container_dir: str, words: int) -> _socket.socket:
        from engine.runtime import protocol, spawn

        ours, theirs = protocol.pair()
        try:
            room = "-" * len(os.fsencode(container_dir))  # all directories of one root are as long
            forking = spawn.execute("engine.runtime.forkserver", room, theirs.fileno(), words)
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        os.waitpid(forking, 0)
        self._requests = ours
        return ours

    def _end(self) -> None:
        if self._requests is not None:
            self._requests.close()
            self._requests = None


def main() -> None:
    """The server. Descriptor 3: the connection to the engine, over which come a container's directory and the two
    descriptors of a monitor (`engine.runtime.monitor.main`). Until it has come up it has the words of the first one."""
    from engine.runtime import cgroup_delegation, health, monitor

    del cgroup_delegation, health  # what each would import later by itself
    processes.prctl(processes.PR_SET_DUMPABLE, 0)
    processes.set_name("pilothouse-fork")
    for number in (SIGHUP, SIGINT, SIGCHLD):  # SIGCHLD: whoever ends is nobody's zombie
        signal(number, SIG_IGN)
    room = _room_for_name()
    gc.freeze()  # no collection shall write to what is shared
    os.dup2(0, 2)
    requests = _socket.socket(fileno=3)
    while True:
        name, ancillary, _, _ = requests.recvmsg(4096, _socket.CMSG_SPACE(2 * 4), _socket.MSG_CMSG_CLOEXEC)
        if not ancillary:
            return
        connection, words = memoryview(ancillary[0][2]).cast("i")
        try:
            if os.fork() == 0:
                break
        except OSError as error:  # EAGAIN, ENOMEM: whoever asked reads why, and those who ask next may have more luck
            os.write(words, f"cannot fork: {error.strerror}\n".encode())
        os.close(connection)
        os.close(words)
    requests.close()
    os.dup2(connection, 3)
    os.dup2(words, 2)
    os.close(connection)
    os.close(words)
    os.setsid()
    signal(SIGCHLD, SIG_DFL)
    _take_name(room, name)
    monitor.main()


def _room_for_name() -> tuple[int, int]:
    """Where in memory the last word of the command line is, and how long (proc(5), cmdline and stat)."""
    with open("/proc/self/cmdline", "rb") as file:
        words = file.read()
    with open("/proc/self/stat", "rb") as file:
        begin = int(file.read().rpartition(b")")[2].split()[ARGUMENT_START - 3])  # the third comes first
    length = len(words.rstrip(b"\0").rpartition(b"\0")[2])
    return begin + len(words.rstrip(b"\0")) - length, length


def _take_name(room: tuple[int, int], container_dir: bytes) -> None:
    """Have `ps` show whose monitor this is."""
    place, length = room
    if length == len(container_dir):
        memory = os.open("/proc/self/mem", os.O_RDWR | os.O_CLOEXEC)
        try:
            os.pwrite(memory, container_dir, place)
        finally:
            os.close(memory)
