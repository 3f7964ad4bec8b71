"""Pseudo-terminals: a pair from a given devpts instance, a controlling terminal, the window size."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import termios

from engine.linux.paths import DEVPTS_MAGIC, filesystem_type

_TIOCSPTLCK = 0x4004_5431
_TIOCGPTPEER = 0x5441


def open_pair(devpts: int) -> tuple[int, int]:
    """Master and slave of a new terminal of the devpts instance whose root directory is `devpts`.

    The slave is opened through its master (TIOCGPTPEER), never by a path. Raises OSError (ENODEV) if something else was
    put there. Source: ioctl_tty(2).
    """
    master = os.open("ptmx", os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=devpts)
    try:
        if filesystem_type(master) != DEVPTS_MAGIC:
            raise OSError(errno.ENODEV, "is not a terminal multiplexer", "/dev/pts/ptmx")
        os.set_blocking(master, True)
        fcntl.ioctl(master, _TIOCSPTLCK, struct.pack("i", 0))
        return master, fcntl.ioctl(master, _TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except BaseException:
        os.close(master)
        raise


def make_controlling(terminal: int) -> None:
    """The calling session leader takes the terminal as its own."""
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)


def set_size(terminal: int, columns: int, rows: int) -> None:
    """Set the window size; the foreground process group gets SIGWINCH if it changed."""
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
