"""The user's terminal in raw mode, for a container that has a terminal of its own."""

from __future__ import annotations

import os
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def raw(descriptor: int) -> Iterator[None]:
    """Every key goes to the container, also ctrl-C; on the way out the terminal is as it was.

    If the terminal is gone by then there is nothing to restore.
    """
    before = termios.tcgetattr(descriptor)
    mode = termios.tcgetattr(descriptor)
    mode[0] &= ~(  # input
        termios.IGNBRK
        | termios.BRKINT
        | termios.PARMRK
        | termios.ISTRIP
        | termios.INLCR
        | termios.IGNCR
        | termios.ICRNL
        | termios.IXON
    )
    mode[2] = mode[2] & ~(termios.CSIZE | termios.PARENB) | termios.CS8  # control
    mode[3] &= ~(termios.ECHO | termios.ECHONL | termios.ICANON | termios.ISIG | termios.IEXTEN)  # local
    # Output processing stays off too: the container's own terminal has done it (cfmakeraw in termios(3)).
    mode[1] &= ~termios.OPOST
    mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
    try:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, mode)
        yield
    finally:
        with suppress(termios.error):
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def window_size(descriptor: int) -> tuple[int, int] | None:
    """(columns, rows) of a terminal; None if it is none or does not know."""
    try:
        size = os.get_terminal_size(descriptor)
    except OSError:
        return None
    return (size.columns, size.lines) if size.columns and size.lines else None
