"""What containers print: how fast it is captured, and how fast a long log is shown."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

from engine.runtime.logfile import FILE_NAME, LogWriter
from tests.bench.peers import BUSYBOX, ROUNDS, Peer, interleaved, median_of, settings_of
from tests.bench.table import OWN, Table

BLOCK = 20_000  # lines of 200 bytes, each with its number
BLOCKS = 60  # of them are printed in large writes
BY_LINE = 15  # or with one write a line
FEW = 3  # rounds of what takes seconds
MEGABYTES = 100
GIGABYTE = int(os.environ.get("BENCH_LOG_MB", "1000"))
CLOCK = "cut -d' ' -f1 /proc/uptime"
PRINTERS = {
    "in large writes": (BLOCKS, "i=0; while [ $i -lt {blocks} ]; do cat {lines}; i=$((i+1)); done"),
    "one write a line": (BY_LINE, "awk '{{print; fflush()}}' {many}"),
}


def capture(table: Table, everyone: list[Peer]) -> None:
    """Lines of 200 bytes, as fast as one container can print them; nothing of them may be missing or out of order.

    What is timed is the printing: who prints waits for who captures. The clock is the container's.
    """
    with tempfile.TemporaryDirectory(prefix="ph-bench-") as name:
        directory = Path(name)
        (directory / "lines").write_bytes(_block())
        for how, (blocks, command) in PRINTERS.items():
            rates: dict[str, list[float]] = {}
            bare: list[float] = []
            for _ in range(FEW):
                for peer in everyone:
                    seconds = _captured(peer, directory, blocks, command)
                    rates.setdefault(peer.name, []).append(blocks * BLOCK / seconds)
                bare.append(blocks * BLOCK / _floor(directory, blocks, command))
            medians = {name: statistics.median(values) for name, values in rates.items()}
            goal = {"docker": 1.0, "podman": 1.5}
            floors = {"pipe to file": statistics.median(bare)}
            what = f"log capture, 200-byte lines {how}"
            table.add(what, medians, unit="lines/s", goal=goal, more=True, floors=floors)


def logs(table: Table, everyone: list[Peer]) -> None:
    """The whole log of 100 MB, and the end of one of a gigabyte (BENCH_LOG_MB megabytes)."""
    with tempfile.TemporaryDirectory(prefix="ph-bench-") as name:
        lines = Path(name) / "lines"
        lines.write_bytes(_block())
        names = {peer.name: _has_printed(peer, lines, MEGABYTES) for peer in everyone}
        try:
            cases = [(peer.name, lambda peer=peer: peer.shown("logs", names[peer.name])) for peer in everyone]
            text = Path(name) / "text"
            text.write_bytes(_block() * (MEGABYTES // 4))
            floors = {"cat": median_of(FEW, "sh", "-c", f"cat {text} | cat")}
            table.milliseconds(f"logs, {MEGABYTES} MB, whole", interleaved(FEW, cases), {"docker": 0.8}, floors)
        finally:
            for peer in everyone:
                peer("rm", "-f", names[peer.name])
        names = {peer.name: _has_printed(peer, lines, GIGABYTE) for peer in everyone}
        words = ("logs", "--tail", "1000")
        try:
            cases = [(peer.name, lambda peer=peer: peer.shown(*words, names[peer.name])) for peer in everyone]
            floors = {"bare interpreter": median_of(ROUNDS, sys.executable, "-I", "-S", "-c", "pass")}
            what = f"logs --tail 1000 of {GIGABYTE} MB"
            table.milliseconds(what, interleaved(ROUNDS, cases), {"docker": 0.1}, floors)
        finally:
            for peer in everyone:
                peer("rm", "-f", names[peer.name])


def _block() -> bytes:
    return b"".join(b"%-199d\n" % number for number in range(BLOCK))


def _printing(directory: str, blocks: int, command: str) -> str:
    """A shell's script that notes the time before and after."""
    lines = f"{directory}/lines"
    printing = command.format(blocks=blocks, lines=lines, many=" ".join([lines] * blocks))
    return f"{CLOCK} > {directory}/begun; {printing}; {CLOCK} > {directory}/ended"


def _noted(directory: Path) -> float:
    begun, ended = (float((directory / name).read_text()) for name in ("begun", "ended"))
    return ended - begun


def _captured(peer: Peer, directory: Path, blocks: int, command: str) -> float:
    script = _printing("/bench", blocks, command)
    name = peer("run", "-d", *_to_file(peer), "-v", f"{directory}:/bench", BUSYBOX, "sh", "-c", script).stdout.strip()
    try:
        peer("wait", name)
        if peer.name == OWN:
            _check_whole(peer("logs", name).stdout)
    finally:
        peer("rm", "-f", name)
    return _noted(directory)


def _check_whole(text: str) -> None:
    """As far back as the log goes every line follows on the one before, up to the last. Raises RuntimeError."""
    numbers = [int(line) for line in text.splitlines()]
    if numbers[-1:] != [BLOCK - 1] or any(after != (before + 1) % BLOCK for before, after in pairwise(numbers)):
        raise RuntimeError("the log has lost lines or their order")


def _floor(directory: Path, blocks: int, command: str) -> float:
    """The same, from a pipe to a file."""
    words = ["sh", "-c", f"({_printing(str(directory), blocks, command)}) | cat > {directory}/log"]
    subprocess.run(words, check=True)
    (directory / "log").unlink()
    return _noted(directory)


def _has_printed(peer: Peer, lines: Path, megabytes: int) -> str:
    """A container that has ended, with so much in its log. Ours would keep 100 MB of it: the rest is put there."""
    blocks = megabytes // 4
    script = "i=0; while [ $i -lt $0 ]; do cat /lines; i=$((i+1)); done"
    here = "1" if peer.name == OWN else str(blocks)
    mount = f"{lines}:/lines"
    name = peer("run", "-d", *_to_file(peer), "-v", mount, BUSYBOX, "sh", "-c", script, here).stdout.strip()
    peer("wait", name)
    if peer.name == OWN:
        directory = settings_of(peer).container_dir(name) / "log"
        (directory / FILE_NAME).unlink()
        writer = LogWriter(str(directory), max_size=0)
        block = lines.read_bytes()
        for at in range(0, blocks * len(block), 50_000):  # about as much as is read from a pipe at once
            writer.write("stdout", block[at % len(block) : at % len(block) + 50_000])
        writer.close()
    return name


def _to_file(peer: Peer) -> tuple[str, ...]:
    """Podman's log goes to a file, as the others' do."""
    return ("--log-driver", "k8s-file") if peer.name == "podman" else ()
