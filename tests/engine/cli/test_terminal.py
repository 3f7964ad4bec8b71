"""The foreground at a real terminal: size, keys, signals, detaching, and the terminal given back as it was."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time

import pytest

from tests.conftest import environment

SMALL = "localhost/small:1"
LONG_ENOUGH = 20.0  # seconds


class Terminal:
    """A terminal with the command line in it."""

    def __init__(self, settings, *words: str) -> None:
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            os.execvpe(sys.executable, [sys.executable, "-m", "engine.cli.main", *words], environment(settings))
        self.seen = b""
        self.before = termios.tcgetattr(self.descriptor)
        self.resize(100, 30)

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text: bytes) -> None:
        os.write(self.descriptor, text)

    def until(self, wanted: bytes) -> bytes:
        """What is shown up to and with `wanted`."""
        end = time.monotonic() + LONG_ENOUGH
        while wanted not in self.seen:
            if not select.select([self.descriptor], [], [], max(0, end - time.monotonic()))[0]:
                raise AssertionError(f"{wanted!r} did not come; seen: {self.seen!r}")
            with contextlib.suppress(OSError):
                if piece := os.read(self.descriptor, 65536):
                    self.seen += piece
                    continue
            raise AssertionError(f"ended before {wanted!r} came; seen: {self.seen!r}")
        shown, found, self.seen = self.seen.partition(wanted)
        return shown + found

    def end(self) -> int:
        """The exit code, after everything that is still shown was read into `seen`."""
        with contextlib.suppress(OSError):
            while select.select([self.descriptor], [], [], LONG_ENOUGH)[0]:
                piece = os.read(self.descriptor, 65536)
                if not piece:
                    break
                self.seen += piece
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self.descriptor)
        return code


@pytest.fixture
def terminal(settings, image):
    return lambda *words: Terminal(settings, *words)


def test_a_container_with_a_terminal_has_the_size_of_ours_and_follows_it(terminal):
    shell = terminal("run", "-it", "--rm", SMALL, "sh", "-c", "read x; stty size; read x; stty size; exit 3")
    shell.type(b"\r")
    shell.until(b"30 100")
    shell.resize(80, 24)
    os.kill(shell.pid, signal.SIGWINCH)
    shell.type(b"\r")
    shell.until(b"24 80")
    assert shell.end() == 3


def test_the_detach_keys_leave_it_running_and_attach_comes_back(terminal, pilothouse):
    shell = terminal("run", "-it", "--name", "box", SMALL, "sh", "-c", "echo up; cat")
    shell.until(b"up")
    shell.type(b"\x10\x11")
    assert shell.end() == 0
    assert pilothouse("ps", "-q", "-f", "status=running").stdout
    again = terminal("attach", "box")
    again.type(b"hello\r")
    again.until(b"hello\r\nhello\r\n")
    again.type(b"\x04")
    assert again.end() == 0
    assert pilothouse("rm", "box").returncode == 0


def test_ctrl_c_is_a_key_for_a_container_with_a_terminal(terminal):
    shell = terminal("run", "-it", "--rm", SMALL, "sh", "-c", "trap 'echo caught; exit 5' INT; echo up; read x")
    shell.until(b"up")
    shell.type(b"\x03")
    shell.until(b"caught")
    assert shell.end() == 5


def test_ctrl_c_is_a_signal_for_a_container_without_one(terminal):
    script = "trap 'echo caught; exit 5' INT; echo up; while :; do sleep 0.05; done"
    shell = terminal("run", "--rm", SMALL, "sh", "-c", script)
    shell.until(b"up")
    shell.type(b"\x03")
    shell.until(b"caught")
    assert shell.end() == 5


def test_a_container_that_does_not_heed_ctrl_c_is_left_running_after_some(terminal, pilothouse):
    shell = terminal("run", "--name", "deaf", SMALL, "sh", "-c", "trap '' INT; echo up; sleep 60")
    shell.until(b"up")
    while not select.select([shell.descriptor], [], [], 0.2)[0]:
        shell.type(b"\x03")  # at a user's pace: presses that come faster than they are seen count as one
        shell.until(b"^C")
    shell.until(b"left running")
    assert shell.end() == 130
    assert pilothouse("rm", "-f", "deaf").returncode == 0


def test_a_terminal_that_is_closed_does_not_hurt_the_container(terminal, pilothouse):
    shell = terminal("run", "-it", "--name", "box", SMALL, "sh", "-c", "echo up; sleep 60")
    shell.until(b"up")
    os.close(shell.descriptor)
    os.waitpid(shell.pid, 0)
    assert pilothouse("ps", "-q", "-f", "status=running").stdout
    assert pilothouse("rm", "-f", "box").returncode == 0


def test_the_terminal_is_given_back_as_it_was(terminal):
    shell = terminal("run", "-it", "--rm", SMALL, "sh", "-c", "echo up; read x")
    shell.until(b"up")
    assert not termios.tcgetattr(shell.descriptor)[3] & termios.ICANON
    shell.type(b"\r")
    os.waitid(os.P_PID, shell.pid, os.WEXITED | os.WNOWAIT)
    assert termios.tcgetattr(shell.descriptor)[:4] == shell.before[:4]
    assert shell.end() == 0
