"""A root of its own for every test, an engine on it, images made of this machine, a count of what is left behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from engine.engine import Engine
from engine.images.host import add_host_image
from engine.linux import netlink
from engine.linux.netlink import Netlink
from engine.models import Image
from engine.network import nftables, ports_map
from engine.settings import Settings
from engine.state.database import Database
from tests.support import chroot

chroot.become_root()
PROJECT = Path(__file__).resolve().parent.parent
SMALL = "localhost/small:1"
PYTHON = "localhost/python:1"


def traces(settings: Settings) -> list[str]:
    """What this root has on the host right now: mounts, links, port mappings, cgroups, processes."""
    root, run = str(settings.root), str(settings.run)
    found = [
        f"mount {line.split()[4]}"
        for line in Path("/proc/self/mountinfo").read_text().splitlines()
        if f" {root}/" in line or f" {run}/" in line or f"={root}/" in line
    ]
    found += [f"link {port.name}" for port in Path("/sys/class/net", settings.bridge, "brif").glob("*")]
    with Netlink(netlink.NETFILTER) as netfilter:
        for name in (ports_map.PORTS, ports_map.ADDRESS_PORTS):
            held = nftables.elements(netfilter, settings.nft_table, name)
            found += [f"port mapping {key.hex()} -> {value.hex()}" for key, value in held.items()]
    for directory, names, _ in os.walk("/sys/fs/cgroup"):  # other roots' cgroups may go while it looks
        found += [f"cgroup {directory}/{name}" for name in names if name.startswith(settings.cgroup_parent)]
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if os.fsencode(root) in process.read_bytes() and int(process.parent.name) != os.getpid():
                words = process.read_bytes().replace(b"\0", b" ").decode(errors="replace")
                found.append(f"process {process.parent.name} {words[:200]}")
    return found


async def remaining_traces(settings: Settings, patience: float = 10) -> list[str]:
    """What is left when what ends by itself has ended: monitors, clean-up commands, links of dead namespaces.

    Nothing tells when the kernel has taken a namespace's links down, so this looks again and again.
    """
    return await asyncio.to_thread(_remaining_traces, settings, patience)


def _remaining_traces(settings: Settings, patience: float = 10) -> list[str]:
    deadline = time.monotonic() + patience
    while (left := traces(settings)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


@pytest.fixture
def settings() -> Iterator[Settings]:
    """A fresh root with a run directory inside it, gone afterwards with everything that was made in it."""
    root = Path(tempfile.mkdtemp(prefix="ph-", dir="/tmp"))
    settings = Settings.load(str(root / "root"), str(root / "run"))
    try:
        yield settings
        _remove_everything(settings)
        assert _remaining_traces(settings) == []
    finally:
        shutil.rmtree(root)


@pytest.fixture
async def engine(settings: Settings) -> AsyncIterator[Engine]:
    """An open engine on the fresh root."""
    async with Engine.open(settings) as engine:
        yield engine


@pytest.fixture(scope="session")
def _layers() -> dict[str, Path]:
    return {}


@pytest.fixture
def image(settings: Settings) -> Image:
    """`localhost/small:1` in the store: this machine's shell and tools, without Python."""
    database = Database(settings.database)
    try:
        return add_host_image(settings, database, SMALL, python=False)
    finally:
        database.close()


@pytest.fixture
def python_image(settings: Settings) -> Image:
    """`localhost/python:1` in the store: this machine's shell, tools and Python."""
    database = Database(settings.database)
    try:
        return add_host_image(settings, database, PYTHON)
    finally:
        database.close()


Command = Callable[..., "subprocess.CompletedProcess[bytes]"]


@pytest.fixture
def pilothouse(settings: Settings) -> Command:
    """Runs the command line on the fresh root, as a process of its own."""

    def run(*words: str, input: bytes = b"", timeout: float = 60) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-m", "engine.cli.main", *words],
            input=input,
            capture_output=True,
            timeout=timeout,
            env=environment(settings),
        )

    return run


def environment(settings: Settings) -> dict[str, str]:
    """The environment for a process that works on the fresh root."""
    return {
        **os.environ,
        "PYTHONPATH": str(PROJECT),
        "PILOTHOUSE_ROOT": str(settings.root),
        "PILOTHOUSE_RUN": str(settings.run),
        "XDG_CONFIG_HOME": str(settings.root.parent / "config"),
        "XDG_STATE_HOME": str(settings.root.parent / "state"),
        "DOCKER_CONFIG": str(settings.root.parent / "docker"),
    }


def _remove_everything(settings: Settings) -> None:
    """Stop and remove all containers of a root, and take its bridge and rules down."""
    from engine.containers import lifecycle, records
    from engine.network import reconcile as network

    if not settings.database.exists():
        return
    database = Database(settings.database)
    try:
        for record in records.every(database):
            lifecycle.remove(settings, database, record, force=True, with_volumes=True)
        network.remove_all(settings, database)
    finally:
        database.close()
