"""`python -m tests.bench.dashboard [NAME...]`: how fast the dashboard is, as a process on a terminal of its own.

Prints one line a figure with its limit, and where the time before the first paint goes. Wants root and this machine's
shell; makes a root of its own and leaves nothing behind. On a shared machine wall time says more of the neighbours
than of the dashboard, so CPU time stands beside it.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pty
import select
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

from engine.engine import Engine
from engine.models import RunOptions
from engine.settings import Settings

T = TypeVar("T")
PROJECT = Path(__file__).resolve().parents[2]
IMAGE = "localhost/small:1"
TICK = 1 / os.sysconf("SC_CLK_TCK")  # seconds of CPU time that /proc counts in
ROUNDS = int(os.environ.get("ROUNDS", "5"))
IDLE = ("sh", "-c", "trap 'exit 0' TERM; while :; do sleep 1000 & wait; done")
# 100,000 lines a second: 1,000 of them a hundred times
PACED = """
import sys, time
block, due = b"10.0.0.1 GET /index.html 200 0.012 and some words more\\n" * 1000, time.monotonic()
while True:
    sys.stdout.buffer.write(block)
    sys.stdout.buffer.flush()
    due += 0.01
    time.sleep(max(0.0, due - time.monotonic()))
"""
FLOOD = ("python", "-c", PACED)

# Run instead of the command line's entry point: the same steps, each with the time at which it was over.
STAGES = """
import sys, time
marks = [("python", time.perf_counter())]
def mark(name): marks.append((name, time.perf_counter()))
import engine.cli.main; mark("import engine.cli.main")
from textual.app import App; mark("import textual.app")
from tui.app import Pilothouse; mark("import tui")
from engine.settings import Settings
app = Pilothouse(Settings.load()); mark("make the app")
begin = app._begin
def painted():
    mark("terminal, style sheet, first layout"); begin()
app._begin = painted
def loaded():
    if app.world.loaded and app.world.containers:
        app.call_after_refresh(lambda: (mark("open the engine, list, paint"), app.exit()))
app.world.watch(loaded, "images")
app.run()
with open(sys.argv[1], "w") as file:
    file.writelines(f"{now - before:.3f} {name}\\n" for (_, before), (name, now) in zip(marks, marks[1:]))
"""


class Terminal:
    """A dashboard on a pseudo-terminal, whose every byte is read as it comes."""

    def __init__(
        self, environment: dict[str, str], columns: int = 140, rows: int = 40, words: tuple[str, ...] = ()
    ) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.begun = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, *(words or ("-m", "engine.cli.main"))],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment,
            start_new_session=True,
        )
        os.close(slave)
        self.written = b""

    def read(self, seconds: float) -> None:
        """Take what comes within `seconds`; returns at the first that does."""
        if select.select([self.master], [], [], seconds)[0]:
            with contextlib.suppress(OSError):  # EIO: the dashboard has closed the terminal
                self.written += os.read(self.master, 1 << 20)

    def settle(self, seconds: float) -> None:
        """Read on for `seconds`, and forget it all."""
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            self.read(left)
        self.written = b""

    def until(self, words: str, patience: float = 60.0) -> float:
        """Read until `words` were written; the moment they were."""
        deadline = time.perf_counter() + patience
        while words.encode() not in self.written:
            if time.perf_counter() > deadline:
                raise SystemExit(f"the dashboard never showed {words!r}: {self.written[-500:]!r}")
            self.read(0.5)
        return time.perf_counter()

    def press(self, keys: str) -> float:
        """Type; the moment it was done."""
        self.written = b""
        os.write(self.master, keys.encode())
        return time.perf_counter()

    @property
    def cpu(self) -> float:
        """Seconds of CPU time of the process, all its threads (proc(5), stat)."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * TICK

    @property
    def memory(self) -> int:
        """Bytes resident."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def close(self) -> None:
        if self.process.poll() is None:
            os.write(self.master, b"\x1bq")
            deadline = time.perf_counter() + 5
            while self.process.poll() is None and time.perf_counter() < deadline:
                self.read(0.05)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)


class Stage:
    """A root with containers, and dashboards on it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.settings = Settings.load(str(directory / "root"), str(directory / "run"))
        self.environment = os.environ | {
            "PYTHONPATH": str(PROJECT),
            "PILOTHOUSE_ROOT": str(self.settings.root),
            "PILOTHOUSE_RUN": str(self.settings.run),
            "XDG_STATE_HOME": str(directory / "state"),
            "XDG_CONFIG_HOME": str(directory / "config"),
            # compiled byte code, as an installed program has it
            "PYTHONDONTWRITEBYTECODE": "",
            "PYTHONPYCACHEPREFIX": os.environ.get("PYTHONPYCACHEPREFIX") or str(directory / "pyc"),
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
        }

    @contextlib.contextmanager
    def dashboard(self, columns: int = 140, rows: int = 40) -> Iterator[Terminal]:
        terminal = Terminal(self.environment, columns, rows)
        try:
            yield terminal
        finally:
            terminal.close()

    async def have(self, engine: Engine, count: int) -> None:
        """Containers c01, c02 ... that only wait: `count` of them."""
        there = len(await engine.containers())
        for number in range(there + 1, count + 1):
            await engine.run(RunOptions(image=IMAGE, name=f"c{number:02}", command=IDLE, network="none", detach=True))


def report(what: str, value: float, limit: float | None, unit: str, note: str = "") -> None:
    verdict = "" if limit is None else f"  (at most {limit:g} {unit}: {'yes' if value <= limit else 'NO'})"
    print(f"{what:<58} {value:9.2f} {unit}{verdict}{f'  {note}' if note else ''}", flush=True)


async def start(stage: Stage, engine: Engine) -> None:
    """Process start to the first paint, and to the list, with 20 containers."""
    await stage.have(engine, 20)
    paints, lists, cpus = [], [], []
    for round in range(ROUNDS + 1):
        with stage.dashboard(80, 24) as terminal:
            painted = terminal.until("Containers") - terminal.begun
            cpu = terminal.cpu
            listed = terminal.until("c20") - terminal.begun
        if round:  # the first one compiles
            paints.append(painted)
            lists.append(listed)
            cpus.append(cpu)
    report("process start to first paint, 20 containers", statistics.median(paints), 0.5, "s")
    report("  of which CPU time", statistics.median(cpus), None, "s")
    report("process start to the list of containers", statistics.median(lists), None, "s")
    with tempfile.NamedTemporaryFile("r") as file:
        terminal = Terminal(stage.environment, words=("-c", STAGES, file.name))
        while terminal.process.poll() is None:
            terminal.read(0.2)
        terminal.close()
        for line in file.read().splitlines():
            seconds, _, name = line.partition(" ")
            print(f"    {float(seconds) * 1000:6.0f} ms  {name}")


def _keys(terminal: Terminal, count: int) -> list[float]:
    """Milliseconds from each press to the cursor on another row."""
    taken = []
    for number in range(count):
        pressed = terminal.press("j" if number % 10 < 5 else "k")
        taken.append((terminal.until("▸", 10) - pressed) * 1000)
        terminal.settle(0.13)
    return sorted(taken)


async def keys(stage: Stage, engine: Engine) -> None:
    """Key to changed screen: at rest, and while a container floods and is followed."""
    await stage.have(engine, 20)
    with stage.dashboard() as terminal:
        terminal.until("c20")
        terminal.settle(1.5)
        taken = _keys(terminal, 60)
    report("key to changed screen, median", statistics.median(taken), 50, "ms", f"p99 {taken[-1]:.0f} ms")
    await engine.run(RunOptions(image=IMAGE, name="flood", command=FLOOD, network="none", detach=True))
    try:
        with stage.dashboard() as terminal:
            terminal.until("flood")
            terminal.settle(2.0)
            taken = []
            for number in range(60):  # the flooding container stays selected: its log is followed
                pressed = terminal.press("a")
                terminal.until("(running)" if number % 2 == 0 else "a:running", 10)
                taken.append((time.perf_counter() - pressed) * 1000)
                terminal.settle(0.1)
            taken.sort()
            memory = terminal.memory
    finally:
        await engine.remove("flood", force=True)
    report("  while a flooding container is followed, median", statistics.median(taken), 50, "ms")
    report("  the same, p99", taken[int(len(taken) * 0.99) - 1], 100, "ms")
    report("  memory then", memory / 1e6, 150, "MB")


async def idle(stage: Stage, engine: Engine) -> tuple[float, float]:
    """With 50 idle containers, their readings shown: percent of one processor, and megabytes resident."""
    await stage.have(engine, 50)
    with stage.dashboard(200, 60) as terminal:
        terminal.until("c50")
        await asyncio.to_thread(terminal.settle, 65.0)  # until no age is told in seconds
        begun, cpu = time.perf_counter(), terminal.cpu
        wrote = 0
        while time.perf_counter() - begun < 20:
            terminal.read(0.5)
            wrote += len(terminal.written)
            terminal.written = b""
        share = 100 * (terminal.cpu - cpu) / (time.perf_counter() - begun)
        memory = terminal.memory
    report("CPU with 50 idle containers, stats shown", share, 1.0, "%", f"{wrote / 20 / 1000:.1f} kB/s to the terminal")
    report("  memory then", memory / 1e6, 120, "MB")
    return share, memory / 1e6


async def others(stage: Stage, engine: Engine) -> None:
    """A change made in another terminal to the row changed."""
    await stage.have(engine, 20)
    taken = []
    with stage.dashboard() as terminal:
        terminal.until("c20")
        terminal.settle(1.5)

        async def change(act: Awaitable[object], words: str) -> None:
            terminal.written = b""
            seen = asyncio.create_task(asyncio.to_thread(terminal.until, words))
            await act
            begun = time.perf_counter()
            taken.append(max(0.0, await seen - begun) * 1000)
            await asyncio.to_thread(terminal.settle, 0.3)

        for _ in range(ROUNDS):
            await change(engine.pause("c19"), "paused")
            await change(engine.unpause("c19"), "running")
            await change(engine.rename("c19", "renamed"), "renamed")
            await change(engine.rename("renamed", "c19"), "c19")
    report(
        "change in another terminal to row changed, median",
        statistics.median(taken),
        200,
        "ms",
        f"most {max(taken):.0f} ms",
    )


CASES: dict[str, Callable[[Stage, Engine], Awaitable[object]]] = {
    "start": start,
    "keys": keys,
    "others": others,
    "idle": idle,
}


async def on_a_stage(*cases: Callable[[Stage, Engine], Awaitable[T]]) -> list[T]:
    """What each measures, one after the other on one root, of which nothing is left."""
    directory = Path(tempfile.mkdtemp(prefix="ph-bench-"))
    stage = Stage(directory)
    try:
        async with Engine(stage.settings) as engine:
            await engine.add_host_image(IMAGE)
            try:
                return [await case(stage, engine) for case in cases]
            finally:
                for container in await engine.containers():
                    await engine.remove(container.id, force=True)
                for image in await engine.images():
                    await engine.remove_image(image.id, force=True)
                await engine.remove_if_empty()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    wanted = sys.argv[1:] or list(CASES)
    if unknown := set(wanted) - CASES.keys():
        raise SystemExit(f"no such measurement: {', '.join(sorted(unknown))}; there are {', '.join(CASES)}")
    asyncio.run(on_a_stage(*(CASES[name] for name in wanted)))
