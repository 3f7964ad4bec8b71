"""What is used when nothing happens: memory beside a container, an idle dashboard."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

from engine.engine import Engine
from engine.models import RunOptions
from engine.settings import Settings
from tests.bench import dashboard
from tests.bench.peers import BUSYBOX, Peer, settings_of
from tests.bench.table import OWN, Table

RUNNING = 20
SERVER, PLACE = b"engine.runtime.forkserver", "----"  # and the word that stands for a container's directory
BESIDE = {OWN: b"engine.runtime.monitor", "docker": b"containerd-shim", "podman": b"conmon"}


def memory(table: Table, everyone: list[Peer]) -> None:
    """Proportional set size of what stands beside each of 20 running containers."""
    figures: dict[str, float] = {}
    for peer in everyone:
        names = [peer("run", "-d", BUSYBOX, "sleep", "600").stdout.strip() for _ in range(RUNNING)]
        try:
            figures[peer.name] = sum(_beside(BESIDE[peer.name], name) for name in names) / RUNNING
        finally:
            peer("rm", "-f", *names)
    # as engine.runtime.spawn starts a monitor's, with nothing of ours in it
    words = [sys.executable, "-I", "-S", "-c", "print(1, flush=True); input()"]
    idle = [subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(RUNNING)]
    try:
        for process in idle:
            assert process.stdout is not None
            process.stdout.readline()
        floor = sum(_pss(Path(f"/proc/{process.pid}")) for process in idle) / RUNNING
    finally:
        for process in idle:
            process.communicate(b"\n")
    what = f"memory beside a container, {RUNNING} running (PSS)"
    table.add(what, figures, unit="MB", goal={"docker": 0.7}, floors={"bare interpreter": floor})
    forked = asyncio.run(_by_one_engine(settings_of(everyone[0])))
    table.add("  the same, started by one open engine", {**figures, OWN: forked}, unit="MB", goal={"docker": 0.7})


async def _by_one_engine(settings: Settings) -> float:
    """Megabytes beside each, with its share of the process that their monitors were forked from."""
    async with Engine.open(settings) as engine:
        options = RunOptions(image=BUSYBOX, command=("sleep", "600"), detach=True)
        names = [(await engine.run(options)).id for _ in range(RUNNING)]
        try:
            total = sum(_beside(BESIDE[OWN], name) + _beside(SERVER, name) for name in names)
            return (total + _beside(SERVER, PLACE)) / RUNNING
        finally:
            for name in names:
                await engine.remove(name, force=True)


def idle(table: Table, everyone: list[Peer]) -> None:
    """A dashboard that shows 50 containers in which nothing happens."""
    [(share, megabytes)] = asyncio.run(dashboard.on_a_stage(dashboard.idle))
    table.add("idle dashboard, 50 containers: processor", {OWN: share}, unit="%", goal=1.0, absolute=True)
    table.add("idle dashboard, 50 containers: memory", {OWN: megabytes}, unit="MB", goal=120, absolute=True)


def _beside(mark: bytes, container: str) -> float:
    """Megabytes of the processes whose command line has both."""
    total = 0.0
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            words = (directory / "cmdline").read_bytes()
            if mark in words and container.encode() in words:
                total += _pss(directory)
        except OSError:
            continue  # it has ended
    return total


def _pss(process: Path) -> float:
    """Megabytes."""
    rollup = (process / "smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) / 1024
