"""The dashboard as a process on a terminal of its own."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import shlex
import signal
import struct
import subprocess
import sys
import termios
import time

import pytest

from engine.settings import Settings
from tests.conftest import environment
from tests.tui.conftest import PATIENCE


class Terminal:
    """`pilothouse` in a pseudo-terminal; `read_until` collects what it writes."""

    COMMAND = (sys.executable, "-m", "engine.cli.main")

    def __init__(self, settings: Settings, command: tuple[str, ...] = COMMAND, **variables: str) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.before = termios.tcgetattr(slave)
        self.slave = slave  # kept open, so that its modes can be read when the program has gone
        self.process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**environment(settings), "TERM": "xterm-256color", **variables},
            start_new_session=True,
        )
        self.written = b""

    def read_until(self, words: bytes) -> None:
        deadline = time.monotonic() + PATIENCE
        while words not in self.written:
            assert time.monotonic() < deadline, f"never: {words!r} in {self.written[-2000:]!r}"
            self._read()

    def _read(self) -> None:
        if select.select([self.master], [], [], 0.1)[0]:
            self.written += os.read(self.master, 1 << 16)

    def wait(self) -> int:
        """Until the program has ended, reading on so that it is never blocked."""
        deadline = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < deadline, "it does not end"
            self._read()
        self._read()
        return self.process.returncode

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_closes_it_and_leaves_the_terminal_as_it_was(settings: Settings, number: signal.Signals):
    terminal = Terminal(settings)
    try:
        terminal.read_until(b"Welcome aboard")
        assert termios.tcgetattr(terminal.slave) != terminal.before  # raw, while it runs
        terminal.process.send_signal(number)
        assert terminal.wait() == 0
        assert termios.tcgetattr(terminal.slave) == terminal.before
        assert b"\x1b[?1049l" in terminal.written  # back from the alternate screen
    finally:
        terminal.close()


def test_q_quits_also_without_colours(settings: Settings):
    terminal = Terminal(settings, NO_COLOR="1")
    try:
        terminal.read_until(b"Welcome aboard")
        os.write(terminal.master, b"q")
        assert terminal.wait() == 0
        assert b"Welcome aboard" in terminal.written
    finally:
        terminal.close()


def test_a_root_that_cannot_be_used_is_told_on_the_screen(settings: Settings):
    settings.root.parent.mkdir(parents=True, exist_ok=True)
    settings.root.write_text("not a directory")
    terminal = Terminal(settings)
    try:
        terminal.read_until(b"cannot be used")
        os.write(terminal.master, b"q")
        assert terminal.wait() == 0
    finally:
        terminal.close()
        settings.root.unlink()


def test_a_terminal_that_is_lost_ends_it_whatever_is_being_written(settings: Settings):
    terminal = Terminal(settings)
    try:
        terminal.read_until(b"Welcome aboard")
        for _ in range(200):  # more screens than wait to be written
            os.write(terminal.master, b"?\x1b")
        os.close(terminal.slave)
        os.close(terminal.master)
        assert terminal.process.wait(PATIENCE) is not None
    finally:
        terminal.slave, terminal.master = os.pipe()
        terminal.close()


def test_a_terminal_that_cannot_place_text_is_refused_in_a_sentence(settings: Settings):
    terminal = Terminal(settings, TERM="dumb")
    try:
        terminal.read_until(b"TERM=dumb")
        assert terminal.wait() == 1
        assert b"\x1b[?1049h" not in terminal.written
    finally:
        terminal.close()


def test_escape_does_not_wait_for_a_tenth_of_a_second(settings: Settings):
    terminal = Terminal(settings)

    def took() -> float:
        """From Escape until the help has gone."""
        os.write(terminal.master, b"?")
        terminal.read_until(b"scroll")
        while select.select([terminal.master], [], [], 0.3)[0]:
            terminal._read()  # until the help is painted to the end
        terminal.written, begun = b"", time.monotonic()
        os.write(terminal.master, b"\x1b")
        terminal.read_until(b"Welcome aboard")
        return time.monotonic() - begun

    try:
        terminal.read_until(b"network")
        assert min(took() for _ in range(4)) < 0.1
    finally:
        terminal.close()


def test_ctrl_z_gives_the_shell_its_terminal_and_fg_brings_the_dashboard_back(settings: Settings):
    """In a shell with job control, whose prompt is there while the dashboard is stopped."""
    dashboard = shlex.join(Terminal.COMMAND)
    terminal = Terminal(
        settings, ("setsid", "--ctty", "--wait", "bash", "--norc", "--noprofile", "-i"), PS1="prompt\x07"
    )
    try:
        terminal.read_until(b"prompt\x07")
        os.write(terminal.master, f"{dashboard}\r".encode())
        terminal.read_until(b"Welcome aboard")
        raw = termios.tcgetattr(terminal.slave)
        terminal.written = b""
        os.write(terminal.master, b"\x1a")
        terminal.read_until(b"prompt\x07")
        assert b"\x1b[?1049l" in terminal.written  # back from the alternate screen
        assert b"\x1b[?1003l" in terminal.written  # and the mouse is the terminal's
        terminal.written = b""
        os.write(terminal.master, b"stty -a; fg\r")  # what stty says is a shell's: -icanon would be ours
        terminal.read_until(b"Welcome aboard")
        assert re.search(rb"(?<!-)\bicanon\b", terminal.written) and re.search(rb"(?<!-)\becho\b", terminal.written)
        assert termios.tcgetattr(terminal.slave) == raw
        terminal.written = b""
        os.write(terminal.master, b"q")
        terminal.read_until(b"prompt\x07")
        os.write(terminal.master, b"exit 0\r")
        assert terminal.wait() == 0
    finally:
        terminal.close()


def test_a_slow_line_gets_only_what_has_changed(settings: Settings):
    terminal = Terminal(settings)

    def written(seconds: float) -> int:
        before, end = len(terminal.written), time.monotonic() + seconds
        while time.monotonic() < end:
            terminal._read()
        return len(terminal.written) - before

    try:
        terminal.read_until(b"any port")  # the last check of the welcome
        terminal.read_until(b"network")
        written(1.0)
        assert written(3.0) < 3000, "at rest the header's clock is all that moves"
        os.write(terminal.master, b"j")
        assert 0 < written(1.0) < 2500, "two rows of a list, and the clock"
    finally:
        terminal.close()
