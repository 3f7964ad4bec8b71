"""The programs that are compared: Pilothouse on a root of its own, docker and podman as they are set up here."""

from __future__ import annotations

import asyncio
import os
import select
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from engine.engine import Engine
from engine.settings import Settings

REGISTRY = os.environ.get("REGISTRY", "127.0.0.1:5000")
BUSYBOX = os.environ.get("BUSYBOX", f"{REGISTRY}/library/busybox:latest")
ROUNDS = int(os.environ.get("ROUNDS", "15"))
PATIENCE = 180.0  # seconds for one command: who takes longer is stuck


@dataclass
class Peer:
    """One command line that understands Docker's words."""

    name: str
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)

    def __call__(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Raises RuntimeError if it fails, or takes so long that it was killed."""
        # Files, not pipes: what a command leaves running (a monitor, conmon) may hold its output open.
        with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
            status = self._run(words, output, errors)
            output.seek(0)
            errors.seek(0)
            done = subprocess.CompletedProcess([*self.command, *words], status, output.read(), errors.read())
        if check and status:
            raise RuntimeError(f"{self._named(words)}: exit {status}: {done.stderr.strip()[-400:]}")
        return done

    def timed(self, *words: str) -> float:
        """Wall seconds of one command that must succeed."""
        begin = time.perf_counter()
        self(*words)
        return time.perf_counter() - begin

    def shown(self, *words: str) -> float:
        """The same with what it prints thrown away: for what prints more than should be kept here."""
        begin = time.perf_counter()
        if status := self._run(words, subprocess.DEVNULL, None):
            raise RuntimeError(f"{self._named(words)}: exit {status}")
        return time.perf_counter() - begin

    def _run(self, words: Sequence[str], output: int | IO[str], errors: IO[str] | None) -> int:
        process = subprocess.Popen(
            [*self.command, *words],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            env={**os.environ, **self.environment},
        )
        try:
            # not wait(PATIENCE), which sleeps longer and longer, up to 50 ms, and so rounds what is measured
            with open(os.pidfd_open(process.pid), "rb") as ended:
                if not select.select([ended], [], [], PATIENCE)[0]:
                    raise RuntimeError(f"{self._named(words)}: killed, as it was not over after {PATIENCE:.0f} seconds")
            return process.wait()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()

    def _named(self, words: Sequence[str]) -> str:
        line = f"{self.name} {' '.join(words)}"
        return line if len(line) <= 120 else f"{line[:117]}..."


def pilothouse(root: Path) -> Peer:
    """The installed `pilothouse` beside this interpreter, with its byte code compiled, as a user has it."""
    program = Path(sys.executable).with_name("pilothouse")
    if not program.exists():
        raise SystemExit("the benchmark measures an installed Pilothouse: `pip install .` first")
    environment = {"PILOTHOUSE_ROOT": str(root), "PILOTHOUSE_RUN": str(root.with_name("run"))}
    return Peer("pilothouse", [str(program)], environment | {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPATH": ""})


def settings_of(own: Peer) -> Settings:
    """Of the root that our command line works on."""
    return Settings.load(own.environment["PILOTHOUSE_ROOT"], own.environment["PILOTHOUSE_RUN"])


def installed() -> list[Peer]:
    """docker (where DOCKER_HOST or the default socket answers) and podman, as far as they are there."""
    found = []
    for peer in (Peer("docker", ["docker"]), Peer("podman", ["podman"])):
        if shutil.which(peer.name) and peer("info", check=False).returncode == 0:
            found.append(peer)
    return found


def fresh_root() -> Path:
    """A directory for a root that nothing else uses."""
    return Path(tempfile.mkdtemp(prefix="ph-bench-"))


def discard(root: Path) -> None:
    """Take a root down with what it has on the host: containers, bridge, rules, run directory."""
    try:
        asyncio.run(_emptied(Settings.load(str(root / "root"), str(root / "run"))))
    finally:
        shutil.rmtree(root, ignore_errors=True)


async def _emptied(settings: Settings) -> None:
    async with Engine.open(settings) as engine:
        for container in await engine.containers():
            await engine.remove(container.id, force=True)
        for image in await engine.images():
            await engine.remove_image(image.id, force=True)
        await engine.remove_if_empty()


def interleaved(rounds: int, cases: Sequence[tuple[str, Callable[[], float]]]) -> dict[str, float]:
    """Medians in seconds; the cases take turns, so that drift of the machine hits all alike."""
    times: dict[str, list[float]] = {name: [] for name, _ in cases}
    for _ in range(rounds):
        for name, case in cases:
            times[name].append(case())
    return {name: statistics.median(values) for name, values in times.items()}


def timed(peer: Peer, *words: str) -> Callable[[], float]:
    """The command as a case for `interleaved`."""
    return lambda: peer.timed(*words)


def median_of(rounds: int, *words: str) -> float:
    """Median seconds of a command that has nobody to take turns with: a floor."""
    command = Peer(words[0], list(words))
    return statistics.median(command.shown() for _ in range(rounds))
