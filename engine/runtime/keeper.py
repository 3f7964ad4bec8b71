"""A tiny process that holds a container's terminal or stdin open, so that neither ends with the monitor.

Without it a killed monitor would hang up the terminal, or give the container's reader an end of file. The next monitor
takes a duplicate of the descriptor (pidfd_getfd). It ends with the container's init.
"""

from __future__ import annotations

import os
import select
from _signal import SIGKILL

from engine.linux import namespaces, processes

PATIENCE = 1000  # milliseconds that the end of a killed keeper may take


class Keeper:
    """`fd` is the number the descriptor has inside the keeper."""

    __slots__ = ("fd", "pid", "start_time")

    def __init__(self, pid: int, start_time: int, fd: int) -> None:
        self.pid, self.start_time, self.fd = pid, start_time, fd

    def take(self) -> int:
        """A duplicate of the descriptor it keeps. Raises OSError (ESRCH) if the keeper is gone."""
        process = processes.open_process(self.pid, self.start_time)
        try:
            return processes.take_descriptor(process, self.fd)
        finally:
            os.close(process)

    def end(self) -> None:
        """End it: the descriptor is to be closed for good, or the container is over. Idempotent."""
        try:
            process = processes.open_process(self.pid, self.start_time)
        except OSError:
            return
        processes.send_signal(process, SIGKILL)
        gone = select.poll()
        gone.register(process, select.POLLIN)
        gone.poll(PATIENCE)
        os.close(process)
        try:
            os.waitpid(self.pid, 0)
        except ChildProcessError:
            return  # an earlier monitor's: the system reaps it


def start(init: int, fd: int) -> Keeper:
    """Fork a keeper for `fd` that ends when the process of the pidfd `init` does."""
    pid = namespaces.fork()
    if pid == 0:
        _keep(init, fd)
    return Keeper(pid, processes.start_time(pid), 3)


def _keep(init: int, fd: int) -> None:
    kept, ending = os.dup(fd), os.dup(init)
    high = max(kept, ending, 10) + 1
    os.dup2(kept, high, inheritable=False)
    os.dup2(ending, high + 1, inheritable=False)
    os.dup2(high, 3, inheritable=False)
    os.dup2(high + 1, 4, inheritable=False)
    processes.close_all(5)
    poll = select.poll()
    poll.register(4, select.POLLIN)
    poll.poll()
    os._exit(0)
