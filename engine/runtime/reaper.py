"""Process 1 for `--init`: forks the command, passes signals on to it, reaps everything, ends as the command does."""

from __future__ import annotations

import os
from _signal import (
    SIG_BLOCK,
    SIGCHLD,
    SIGTTIN,
    SIGTTOU,
    pthread_sigmask,
    sigwait,
    valid_signals,
)

from engine.linux import processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.runtime.failure import Channel


def fork(channel: Channel) -> None:
    """Returns in the child, which goes on to execute the command; the parent stays as process 1 until that ends."""
    pthread_sigmask(SIG_BLOCK, valid_signals())
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        _take_foreground()
        return
    channel.connection.close()
    _retitle(b"init")
    processes.set_name("init")
    os._exit(_serve(child))


def _take_foreground() -> None:
    """On a terminal the command's process group is the one that reads it and gets ctrl-C.

    SIGTTOU is blocked here, so the kernel lets a background process do this.
    """
    if os.isatty(0):
        os.tcsetpgrp(0, os.getpgrp())


def _retitle(title: bytes) -> None:
    """Overwrite our command line, which is a monitor's, in what ps(1) shows inside the container."""
    import ctypes

    with open("/proc/self/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
    start, end = int(fields[45]), int(fields[46])  # arg_start, arg_end: proc_pid_stat(5)
    if 0 < len(title) < end - start:
        ctypes.memset(start, 0, end - start)
        ctypes.memmove(start, title, len(title))


def _serve(child: int) -> int:
    waited = valid_signals() - {SIGTTIN, SIGTTOU}
    while True:
        number = sigwait(waited)
        if number != SIGCHLD:
            try:
                os.kill(child, number)
            except ProcessLookupError:
                continue  # it has just ended: SIGCHLD follows
            continue
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == child:
                return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)
            if pid == 0:
                break
