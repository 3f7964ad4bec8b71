"""Processes by descriptor: a pid is only trusted with its start time or through a pidfd."""

from __future__ import annotations

import fcntl
import os
import struct
from _signal import SIG_SETMASK, pidfd_send_signal, pthread_sigmask

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio.subprocess

# The C library is imported where it is called: `ps` and `images` only look into /proc, and ctypes takes 2 ms.

PR_SET_DUMPABLE = 4
PATIENCE = 2.0  # seconds for the end of a process that was killed

_CLOSE_RANGE, _PIDFD_GETFD = 436, 438
_PIDFD_GET_INFO = 0xC040_FF0B  # _IOWR(0xFF, 11, struct pidfd_info), at the structure's first published size
_PIDFD_INFO_EXIT = 1 << 3


# struct pidfd_info: mask, cgroupid, eleven IDs of processes, users and groups (skipped), exit code
_PIDFD_INFO = struct.Struct("=QQ44xi")


def start_time(pid: int) -> int:
    """When the process started, in clock ticks since boot (proc_pid_stat(5), field 22); 0 if it is gone or a zombie."""
    fields = _stat(pid)
    return 0 if not fields or fields[0] in (b"Z", b"X") else int(fields[19])


class Lineage:
    """Where a process comes from; all 0 if it is gone or a zombie. Pids are the host's."""

    __slots__ = ("parent", "session", "start_time")

    def __init__(self, parent: int = 0, session: int = 0, start_time: int = 0) -> None:
        self.parent, self.session, self.start_time = parent, session, start_time


def lineage(pid: int) -> Lineage:
    """Source: proc_pid_stat(5), fields 4, 6 and 22."""
    fields = _stat(pid)
    if not fields or fields[0] in (b"Z", b"X"):
        return Lineage()
    return Lineage(int(fields[1]), int(fields[3]), int(fields[19]))


def wait_status_of_zombie(pid: int, started: int) -> int | None:
    """The wait status (field 52) of a process that has ended and was not reaped yet; None if it is not that."""
    fields = _stat(pid)
    return int(fields[49]) if fields and fields[0] == b"Z" and int(fields[19]) == started else None


def _stat(pid: int) -> list[bytes]:
    """The fields from the third on; empty if there is no such process. The name before may hold anything."""
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return []
    try:
        return os.read(fd, 4096).rpartition(b")")[2].split()
    except ProcessLookupError:
        return []
    finally:
        os.close(fd)


def is_alive(pid: int, started: int) -> bool:
    """That very process runs: the pid is in use and was given out at `started`."""
    return pid > 0 and started > 0 and start_time(pid) == started


def open_process(pid: int, started: int) -> int:
    """A pidfd for that very process. Raises ProcessLookupError if it has ended, whoever has its pid now."""
    if pid > 0:
        fd = os.pidfd_open(pid)
        if start_time(pid) == started:
            return fd
        os.close(fd)
    raise ProcessLookupError(3, os.strerror(3), str(pid))


def send_signal(pidfd: int, number: int) -> None:
    """Raises ProcessLookupError if the process has ended, OSError (EINVAL) for an unknown signal."""
    pidfd_send_signal(pidfd, number)


def take_descriptor(pidfd: int, fd: int) -> int:
    """A duplicate of a descriptor of another process, close-on-exec. Source: pidfd_getfd(2)."""
    from engine.linux.libc import syscall

    return syscall(_PIDFD_GETFD, pidfd, fd, 0)


def wait_status_of_reaped(pidfd: int) -> int | None:
    """The wait status of a process that someone else has reaped; None if the kernel (before 6.15) does not tell."""
    buffer = bytearray(_PIDFD_INFO.pack(_PIDFD_INFO_EXIT, 0, 0))
    try:
        fcntl.ioctl(pidfd, _PIDFD_GET_INFO, buffer, True)
    except OSError:
        return None
    mask, _, exit_code = _PIDFD_INFO.unpack(buffer)
    return exit_code if mask & _PIDFD_INFO_EXIT else None


def prctl(option: int, *arguments: int) -> None:
    """Source: prctl(2)."""
    from engine.linux.libc import call

    call("prctl", option, *arguments, *([0] * (4 - len(arguments))))


def set_name(name: str) -> None:
    """What ps(1) shows as the command's name; 15 bytes at most."""
    from engine.linux.libc import call

    call("prctl", 15, name.encode(), 0, 0, 0)


def close_all(first: int, last: int = 0xFFFF_FFFF) -> None:
    """Close every descriptor from `first` to `last`."""
    if first <= last:
        from engine.linux.libc import syscall

        syscall(_CLOSE_RANGE, first, last, 0)


def unblock_all_signals() -> None:
    pthread_sigmask(SIG_SETMASK, ())


async def see_off(process: asyncio.subprocess.Process) -> None:
    """Kill a process that still runs, and read its pipe to the end, however often one is cancelled meanwhile.

    What is left of one whose end was not awaited outlives the event loop, and complains on the user's terminal. A pipe
    that somebody else holds open, or a disk that does not answer, is waited for no longer than `PATIENCE`.
    """
    import asyncio

    cancelled, deadline = None, asyncio.get_running_loop().time() + PATIENCE
    if process.returncode is None:
        process.kill()
    while True:
        try:
            async with asyncio.timeout_at(deadline):
                await process.communicate()
        except asyncio.CancelledError as error:
            cancelled = error
        except TimeoutError:
            break
        else:
            break
    if cancelled is not None:
        raise cancelled
