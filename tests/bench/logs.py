"""`python -m tests.bench.logs [NAME...]`: the log viewer on a gigabyte, against the limits of its design.

BENCH_DIR holds the log of ten million lines between runs (default: a directory under the temporary one).
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import random
import resource
import select
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable
from pathlib import Path

from engine.runtime.logfile import LogWriter
from tests.bench.biglog import big_log
from tests.bench.logview import Answering
from tui.logs.pool import POOL
from tui.logs.view import LogView

DIRECTORY = Path(os.environ.get("BENCH_DIR", Path(tempfile.gettempdir()) / "pilothouse-bench-log"))
ROUNDS = int(os.environ.get("ROUNDS", "5"))
KEYS = int(os.environ.get("KEYS", "120"))
EXPRESSIONS = (  # matches in ten million lines: 100, 32,154, 10,100 in any case, a million
    ("pool timeout after [0-9]+ ms?", False),
    ("page=[0-9]+ 200 30[0-9]ms", False),
    ("ERROR (pool|cannot)", False),
    ("error cannot", True),
    ("[0-9]ms", False),
)
FIRST, ALL, GAP = 0.200, 1.5, 0.016
OPENING = 0.150
MEDIAN, P99 = 0.050, 0.100
MEMORY = 150  # MB


class Gaps:
    """How long the event loop was away from a task that wants it every two milliseconds."""

    def __init__(self) -> None:
        self._gaps: list[float] = []
        self._task = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0.002)
            now = time.perf_counter()
            self._gaps.append(now - last - 0.002)
            last = now

    def stop(self) -> float:
        """The 99th percentile, in seconds."""
        self._task.cancel()
        return percentile(self._gaps, 99)


async def filtering() -> None:
    """A regex filter over the whole log: the first matches on the screen, all found, the loop meanwhile."""
    file = big_log(DIRECTORY)
    async with Answering(str(DIRECTORY)).run_test(size=(120, 40)) as pilot:
        view = pilot.app.query_one(LogView)
        await _until(lambda: view._following.line_count is not None)
        idle = Gaps()
        await asyncio.sleep(1)
        print(f"{'loop gap, idle control':44} p99 {idle.stop() * 1000:6.1f} ms")
        view.action_filter()
        await asyncio.sleep(0.5)  # nobody types faster
        for expression, ignore_case in EXPRESSIONS:
            firsts, alls, greps, gaps, own = [], [], [], [], []
            for _ in range(ROUNDS):
                seconds, expected = await asyncio.to_thread(_grep, expression, ignore_case, file)
                greps.append(seconds)
                gap, begun, used = Gaps(), time.perf_counter(), time.process_time()
                view._searching.filter_for(expression, True, ignore_case)
                filter = view.body.lines.filter
                assert filter is not None
                await _until(lambda: view.body.visible_lines)
                firsts.append(time.perf_counter() - begun)
                await _until(lambda filter=filter: filter.done(0, file.stat().st_size))
                alls.append(time.perf_counter() - begun)
                gaps.append(gap.stop())
                own.append(time.process_time() - used)
                count = filter.count
                assert count == expected, (expression, count, expected)
                view._searching.filter_for("")
                await asyncio.sleep(0.1)
            ratios = sorted(mine / grep for mine, grep in zip(alls, greps, strict=True))
            print(
                f"{expression + (' (any case)' if ignore_case else ''):32} {count:>10,}  "
                f"{_limited(statistics.median(firsts), FIRST)} first, {statistics.median(alls) * 1000:6.0f} ms all = "
                f"{statistics.median(ratios):.2f} x grep (best {ratios[0]:.2f}, at most {ALL}), "
                f"gap p99 {_limited(statistics.median(gaps), GAP)}, own cpu {statistics.median(own) * 1000:.0f} ms",
                flush=True,
            )
    POOL.close()


async def opening() -> None:
    """From the wish to the painted screen: the end, the start, a random line."""
    big_log(DIRECTORY)
    times: dict[str, list[float]] = {"end": [], "start": [], "random line": []}
    async with Answering(str(DIRECTORY)).run_test(size=(120, 40)) as pilot:
        view = pilot.app.query_one(LogView)
        for round in range(ROUNDS * 4):
            for where, taken in times.items():
                view.clear()
                await pilot.pause()
                begun = time.perf_counter()
                view.show(f"c{round}{where}", "bench", str(DIRECTORY))
                source = view.source
                assert source is not None
                if where == "start":
                    view.action_first()
                elif where == "random line":
                    view.body.go_to(source.line_at(random.randrange(source.end)))
                painted = asyncio.Event()
                view.body.call_after_refresh(painted.set)
                await painted.wait()
                assert len(view.body.visible_lines) == view.body.size.height
                taken.append(time.perf_counter() - begun)
    for where, taken in times.items():
        print(f"{'opening 1 GB at its ' + where:44} {_limited(statistics.median(taken), OPENING)}")
    print(f"{'memory':44} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:6.0f} MB at most")


async def keys() -> None:
    """From a key written to a terminal to its effect in what is painted: an idle log, then one that is flooded."""
    await asyncio.to_thread(_keys)


def _keys() -> None:
    results: dict[str, list[float]] = {}
    for name in ("idle control", "flooded"):
        directory = tempfile.mkdtemp(prefix="ph-bench-log-")
        LogWriter(directory).write("stdout", b"".join(b"line %d\n" % number for number in range(1000)))
        writer = None
        if name == "flooded":
            writer = subprocess.Popen(
                [sys.executable, "-m", "tests.bench.logview", directory, str(4 + KEYS * 0.1)], stdout=subprocess.PIPE
            )
        try:
            results[name], cpu = _answers(directory)
        finally:
            if writer is not None:
                writer.terminate() if writer.poll() is None else None
                writer.wait()
            shutil.rmtree(directory)
        taken = results[name]
        print(
            f"{'key to screen, ' + name:44} {_limited(statistics.median(taken), MEDIAN)} median, "
            f"{_limited(percentile(taken, 99), P99)} p99, {cpu:.0%} of a core"
        )
    more = [statistics.median(results[name]) for name in ("flooded", "idle control")]
    print(f"{'the flood costs a key':44} {(more[0] - more[1]) * 1000:6.1f} ms in the median")


async def memory() -> None:
    """What a viewer holds that follows ten flooded logs, merged, as time goes on."""
    await asyncio.to_thread(_memory)


def _memory() -> None:
    seconds = float(os.environ.get("SECONDS_FOLLOWED", "60"))
    base = Path(tempfile.mkdtemp(prefix="ph-bench-log-"))
    directories = [str(base / str(number)) for number in range(10)]
    for directory in directories:
        LogWriter(directory).write("stdout", b"a line\n")
    words = [sys.executable, "-m", "tests.bench.logview", *directories]
    pid, terminal = _on_a_terminal(words)
    writer = subprocess.Popen([*words, str(seconds)], stdout=subprocess.PIPE)
    try:
        parts = []
        for share in (0.1, 0.4, 0.5):
            _drain(terminal, seconds * share)
            parts.append(f"{_resident(pid) / 1e6:.0f}")
        print(
            f"{f'memory, ten merged logs flooded for {seconds:.0f} s':44} {', '.join(parts)} MB at a tenth, at half, at"
            f" the end (at most {MEMORY})"
        )
    finally:
        writer.terminate()
        writer.wait()
        os.close(terminal)
        os.waitpid(pid, 0)
        shutil.rmtree(base)


def _resident(pid: int) -> int:
    """Bytes of memory that a process has."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _on_a_terminal(words: list[str]) -> tuple[int, int]:
    """The pid of a command on a terminal of its own, and that terminal."""
    pid, terminal = pty.fork()
    if not pid:
        os.environ["TERM"] = "xterm-256color"
        os.execv(words[0], words)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    return pid, terminal


def _answers(directory: str) -> tuple[list[float], float]:
    """Seconds of each answer; the share of a core that the viewer used."""
    pid, terminal = _on_a_terminal([sys.executable, "-m", "tests.bench.logview", directory])
    taken: list[float] = []
    try:
        _read_until(terminal, b"K000000")
        _drain(terminal, 2.0)
        before, begun = _cpu(pid), time.perf_counter()
        for number in range(1, KEYS + 1):
            pressed = time.perf_counter()
            os.write(terminal, b"X")
            _read_until(terminal, b"K%06d" % number)
            taken.append(time.perf_counter() - pressed)
            _drain(terminal, random.uniform(0.02, 0.08))
        return taken, (_cpu(pid) - before) / (time.perf_counter() - begun)
    finally:
        os.close(terminal)
        os.waitpid(pid, 0)


def _read_until(terminal: int, wanted: bytes) -> None:
    seen = b""
    while wanted not in seen:
        if not select.select([terminal], [], [], 20)[0]:
            raise RuntimeError(f"the viewer never painted {wanted!r}")
        seen = seen[-len(wanted) :] + os.read(terminal, 1 << 16)


def _drain(terminal: int, seconds: float) -> None:
    until = time.perf_counter() + seconds
    while (left := until - time.perf_counter()) > 0:
        if select.select([terminal], [], [], left)[0]:
            os.read(terminal, 1 << 16)


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _grep(expression: str, ignore_case: bool, file: Path) -> tuple[float, int]:
    """Seconds, and how many lines match."""
    begun = time.perf_counter()
    words = ["grep", "-Ec", *(["-i"] if ignore_case else []), expression, str(file)]
    done = subprocess.run(words, check=True, capture_output=True)
    return time.perf_counter() - begun, int(done.stdout)


async def _until(condition: Callable[[], object]) -> None:
    while not condition():  # noqa: ASYNC110 (what is waited for has no event)
        await asyncio.sleep(0.002)


def percentile(values: list[float], part: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) * part // 100, len(ordered) - 1)]


def _limited(seconds: float, limit: float) -> str:
    return f"{seconds * 1000:6.1f} ms (at most {limit * 1000:.0f})"


CASES = {"filter": filtering, "open": opening, "keys": keys, "memory": memory}


if __name__ == "__main__":
    for name in sys.argv[1:] or list(CASES):
        asyncio.run(CASES[name]())
