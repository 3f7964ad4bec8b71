"""Any keys, in any order, in a real terminal, while containers start, flood their logs and die: nothing breaks.

20 seconds in the normal suite; `PILOTHOUSE_SOAK=600` for the ten minutes before a release.
"""

from __future__ import annotations

import fcntl
import os
import random
import select
import struct
import termios
import threading
import time
from collections.abc import Iterator

import psutil
import pyte
import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from engine.cli.drive import drive
from engine.engine import Engine
from engine.errors import EngineError
from engine.models import Image, PortMapping, RunOptions
from engine.settings import Settings
from tests.tui.conftest import PATIENCE
from tests.tui.test_process import Terminal
from tui import keymap

SECONDS = float(os.environ.get("PILOTHOUSE_SOAK", "20"))
PACE = 0.03  # seconds from key to key: as fast as a held key repeats
GROWTH = 40 << 20  # bytes the dashboard may have grown once it is warm: caches of rows and strips fill up

# What a terminal sends for a key that is not one character.
SEQUENCES = {
    "enter": b"\r", "escape": b"\x1b", "space": b" ", "tab": b"\t", "shift+tab": b"\x1b[Z", "backspace": b"\x7f",
    "up": b"\x1b[A", "down": b"\x1b[B", "right": b"\x1b[C", "left": b"\x1b[D", "home": b"\x1b[H", "end": b"\x1b[F",
    "pageup": b"\x1b[5~", "pagedown": b"\x1b[6~", "shift+pageup": b"\x1b[5;2~", "shift+pagedown": b"\x1b[6;2~",
    "delete": b"\x1b[3~", "f1": b"\x1bOP", "f2": b"\x1bOQ", "f3": b"\x1bOR", "f4": b"\x1bOS",
    "f5": b"\x1b[15~", "f6": b"\x1b[17~", "f12": b"\x1b[24~",
}  # fmt: skip


def _bytes(key: str) -> bytes:
    """As an xterm would send it."""
    if key in SEQUENCES:
        return SEQUENCES[key]
    if key.startswith("alt+"):
        return b"\x1b" + _bytes(key[4:])
    if key.startswith("ctrl+"):
        letter = keymap.display(key[5:])
        return bytes([ord(letter.upper()) & 0x1F]) if len(letter) == 1 else b""
    shown = keymap.display(key)
    return shown.encode() if len(shown) == 1 else b""


# Keys that end the dashboard, or leave it for a program in a container, are tested elsewhere.
LEFT_OUT = {"q", "ctrl+q"}
KEYS = sorted(
    {_bytes(key) for entry in keymap.KEYS for key in entry.keys if key not in LEFT_OUT} | set(SEQUENCES.values())
)
PLACES = [(x, y) for x in (2, 20, 45, 70, 100) for y in (1, 2, 4, 9, 16, 23, 24, 30)]
CLICKS = [f"\x1b[<0;{x};{y}M\x1b[<0;{x};{y}m".encode() for x, y in PLACES]
WHEEL = [f"\x1b[<{button};30;{y}M".encode() for button in (64, 65) for y in (5, 18)]
SIZES = [(80, 24), (140, 40), (60, 16), (38, 9), (200, 60), (100, 30)]

strokes = st.one_of(
    st.sampled_from(KEYS),
    st.sampled_from(KEYS),
    st.sampled_from(CLICKS + WHEEL),
    st.sampled_from(SIZES),
    st.text(st.characters(codec="utf-8", exclude_characters="q\x11\x1a\x1c"), min_size=1, max_size=4).map(str.encode),
)


@pytest.fixture
def life(settings: Settings, image: Image, python_image: Image) -> Iterator[None]:
    """Containers that flood, flicker and die, for as long as the test runs."""
    over = threading.Event()
    line = r"line $i of a flood with some \033[31mred\033[0m in it"
    flood = ("sh", "-c", f'i=0; while :; do i=$((i+1)); printf "{line}\\n"; done')
    wait = ("sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.2; done")

    def live() -> None:
        chance = random.Random(7)
        engine = Engine.open(settings, threads=False)
        drive(engine.__aenter__())
        try:
            for name, command in (("flood", flood), ("still", wait), ("published", wait)):
                ports = (PortMapping(80, 0),) if name == "published" else ()
                drive(engine.run(RunOptions("localhost/small:1", command, name=name, detach=True, ports=ports)))
            number = 0
            while not over.wait(0.5):
                number += 1
                command = ("sh", "-c", f"echo born; sleep {chance.random():.2f}; exit {chance.choice((0, 1, 3))}")
                try:
                    drive(engine.run(RunOptions("localhost/small:1", command, name=f"may-fly-{number}", detach=True)))
                    for container in drive(engine.containers()):
                        if not container.running and chance.random() < 0.3:
                            drive(engine.remove(container.id, force=True))
                except EngineError:
                    pass  # the keys remove images and containers too
        finally:
            drive(engine.__aexit__(None, None, None))

    thread = threading.Thread(target=live)
    thread.start()
    yield
    over.set()
    thread.join()


class Soak(Terminal):
    """A dashboard in a terminal that is always read, on a root where nothing stands still."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, PILOTHOUSE_PROBE="0")
        self.memory: list[tuple[float, int]] = []  # seconds of its life, bytes
        self._begin = time.monotonic()

    def send(self, stroke: bytes | tuple[int, int]) -> None:
        if isinstance(stroke, tuple):
            columns, rows = stroke
            fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            self.process.send_signal(28)  # SIGWINCH: the terminal is not its controlling one
        else:
            os.write(self.master, stroke)

    def drain(self, seconds: float = PACE) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if select.select([self.master], [], [], left)[0]:
                self._read()
        self.written = self.written[-100_000:]

    def remember(self) -> None:
        """How much memory it has now."""
        self.memory.append((time.monotonic() - self._begin, psutil.Process(self.process.pid).memory_info().rss))

    def alive(self) -> bool:
        return self.process.poll() is None


def test_any_keys_break_nothing_and_memory_stays_flat(settings: Settings, life: None):
    terminal = Soak(settings)
    reports = settings.root.parent / "state" / "pilothouse" / "reports"
    try:
        terminal.read_until(b"Containers")
        begin = time.monotonic()

        @hypothesis_settings(
            max_examples=1_000_000, deadline=None, database=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(st.lists(strokes, min_size=1, max_size=30))
        def press(keys: list[bytes | tuple[int, int]]) -> None:
            nonlocal terminal
            if time.monotonic() - begin > SECONDS:
                raise _Enough
            for key in keys:
                terminal.send(key)
                terminal.drain()
                if not terminal.alive():  # the palette and a click can quit too
                    last = terminal.written[-3000:].decode(errors="replace")
                    assert terminal.wait() == 0, f"it ended after {keys}: {last}"
                    terminal.close()
                    terminal = Soak(settings)
                    terminal.read_until(b"Containers")
            terminal.remember()
            found = [path.read_text() for path in reports.glob("*.txt")]
            assert not found, f"after {keys}: {found[0][-3500:]}"

        with pytest.raises(_Enough):
            press()
        _assert_flat(terminal.memory)
        terminal.send((80, 24))
        # Out of every dialog, program and field, then the end. More than once: a slow machine reads an Escape and what
        # comes after it together, which is alt and that key. It may have to do all that was typed before.
        deadline = time.monotonic() + SECONDS + 4 * PATIENCE
        while terminal.alive():
            assert time.monotonic() < deadline, f"it does not end: {terminal.written[-3000:]!r}"
            for key in (b"\x1b[24~", b"\x1b", b"\x1b", b"\x11"):
                terminal.send(key)
                terminal.drain(0.3)
        assert terminal.wait() == 0
        assert termios.tcgetattr(terminal.slave) == terminal.before
    finally:
        terminal.close()


def test_a_storm_of_sizes_leaves_the_screen_whole(settings: Settings, life: None):
    """A size every 20 ms, over a form and over a log that floods, from one cell to 250 times 80."""
    dice = random.Random(11)
    terminal = Soak(settings)
    try:
        terminal.read_until(b"flood")
        for keys, words in ((b"n", "Run a container"), (b"\x1b", "2 Images"), (b"3z", "FOLLOW"), (b"z1", "2 Images")):
            os.write(terminal.master, keys)
            end = time.monotonic() + SECONDS / 8
            while time.monotonic() < end:
                terminal.send((dice.randint(1, 250), dice.randint(1, 80)))
                terminal.drain(0.02)
            terminal.written = b""
            terminal.send((80, 24))
            _seen(terminal, words)
        assert terminal.alive()
    finally:
        terminal.close()


def _seen(terminal: Soak, words: str) -> None:
    """Until a terminal of 80 times 24 shows them, and the first and the last row where they belong."""
    screen = pyte.Screen(80, 24)
    stream = pyte.ByteStream(screen)
    deadline = time.monotonic() + PATIENCE
    while True:
        rows = screen.display
        if rows[0].startswith(" PILOTHOUSE") and any(words in row for row in rows) and rows[-1].strip():
            return
        assert time.monotonic() < deadline, "\n".join(rows)
        terminal.drain(0.1)
        stream.feed(terminal.written)
        terminal.written = b""


class _Enough(Exception):
    pass


def _assert_flat(memory: list[tuple[float, int]]) -> None:
    """The largest of the last quarter is not above that of the second by more than what caches may take."""
    end = memory[-1][0]

    def most(start: float, stop: float) -> int:
        return max(rss for at, rss in memory if start * end <= at <= stop * end)

    early, late = most(0.25, 0.5), most(0.75, 1.0)
    assert late - early < GROWTH, f"{early >> 20} MB, then {late >> 20} MB"


def test_every_key_of_the_table_can_be_sent():
    for entry in keymap.KEYS:
        for key in entry.keys:
            assert _bytes(key), key
