"""How our times grow with what there is: containers, images, layers, ports, bytes of a log. They should not."""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from engine.engine import Engine
from engine.models import RunOptions
from engine.runtime.logfile import FILE_NAME, LogWriter
from engine.settings import Settings
from tests.bench.bundle import layer_of_busybox
from tests.bench.logview import Answering
from tests.bench.peers import BUSYBOX, Peer, settings_of
from tests.bench.table import Table
from tests.support.layers import LayerTar
from tests.support.registry import RegistryServer
from tui.logs.view import LogView

ROUNDS = int(os.environ.get("GROWTH_ROUNDS", "7"))
CONTAINERS = (1, 10, 100, int(os.environ.get("GROWTH_MOST", "500")))
IMAGES = (1, 10, 100, 500)
LAYERS = (1, 10, 100)
PORTS = (1, 10, 100, 1000)
LOG_MEGABYTES = (1, 100, 10_000)


def growth(table: Table, everyone: list[Peer]) -> None:
    """One row for each time and what it may grow with: its slope, and the times themselves."""
    own = everyone[0]
    settings = settings_of(own)
    asyncio.run(_containers(table, own, settings))
    with RegistryServer() as registry:
        base = layer_of_busybox()
        asyncio.run(_images(table, own, settings, registry, base))
        _layers(table, own, registry, base)
    _ports(table, own)
    with tempfile.TemporaryDirectory(prefix="ph-bench-") as directory:
        asyncio.run(_log(table, own, settings, Path(directory)))


def _median(own: Peer, *words: str) -> float:
    return statistics.median(own.timed(*words) for _ in range(ROUNDS))


async def _awaited(call: Callable[[], Awaitable[object]]) -> float:
    """Median seconds."""
    taken = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        await call()
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken)


async def _containers(table: Table, own: Peer, settings: Settings) -> None:
    """That were created; and that run."""
    runs, lists, refreshes = [], [], []
    async with Engine.open(settings) as engine:
        made: list[str] = []
        try:
            for count in CONTAINERS:
                while len(made) < count:
                    made.append((await engine.create(RunOptions(image=BUSYBOX, command=("true",)))).id)
                runs.append(_median(own, "run", "--rm", BUSYBOX, "true"))
                lists.append(_median(own, "ps", "-a"))
                refreshes.append(await _awaited(engine.containers))
        finally:
            for name in made:
                await engine.remove(name)
    table.grows("run --rm", "containers", CONTAINERS, runs)
    table.grows("ps -a", "containers", CONTAINERS, lists)
    table.grows("the dashboard's whole refresh", "containers", CONTAINERS, refreshes)


async def _images(table: Table, own: Peer, settings: Settings, registry: RegistryServer, base: bytes) -> None:
    runs, lists, refreshes = [], [], []
    async with Engine.open(settings) as engine:
        made: list[str] = []
        try:
            for count in IMAGES:
                while len(made) < count:
                    name = f"image{len(made)}"
                    registry.put_image(name, layers=[base], config={"author": name})
                    made.append((await engine.pull(f"{registry.host}/{name}:latest")).id)
                runs.append(_median(own, "run", "--rm", f"{registry.host}/image0", "true"))
                lists.append(_median(own, "images"))
                refreshes.append(await _awaited(engine.images))
        finally:
            for name in made:
                await engine.remove_image(name)
    table.grows("run --rm", "images", IMAGES, runs)
    table.grows("images", "images", IMAGES, lists)
    table.grows("the dashboard's refresh of images", "images", IMAGES, refreshes)


def _layers(table: Table, own: Peer, registry: RegistryServer, base: bytes) -> None:
    runs = []
    for count in LAYERS:
        layers = [base, *(LayerTar().file(f"file{number}", b"x").build() for number in range(1, count))]
        registry.put_image(f"layers{count}", layers=layers)
        image = f"{registry.host}/layers{count}"
        own("pull", "-q", image)
        runs.append(_median(own, "run", "--rm", image, "true"))
        own("rmi", image)
    table.grows("run --rm", "layers", LAYERS, runs)


def _ports(table: Table, own: Peer) -> None:
    """That are published; a start is of another container, with one port."""
    starts, lists, publishing = [], [], []
    for count in PORTS:
        begin = time.perf_counter()
        ports = f"21000-{20999 + count}:1000-{999 + count}"
        name = own("run", "-d", "-p", ports, BUSYBOX, "sleep", "600").stdout.strip()
        publishing.append(time.perf_counter() - begin)
        try:
            starts.append(_median(own, "run", "--rm", "-p", "20999:80", BUSYBOX, "true"))
            lists.append(_median(own, "ps"))
        finally:
            own("rm", "-f", name)
    table.grows("run --rm -p", "ports", PORTS, starts)
    table.grows("ps", "ports", PORTS, lists)
    table.grows("run -d that publishes them all", "ports", PORTS, publishing)


async def _log(table: Table, own: Peer, settings: Settings, directory: Path) -> None:
    """Sparse: a megabyte of lines, a hole, and a megabyte of lines."""
    tails, opens = [], []
    name = own("run", "-d", BUSYBOX, "true").stdout.strip()
    own("wait", name)
    try:
        for megabytes in LOG_MEGABYTES:
            log = settings.container_dir(name) / "log"
            (log / FILE_NAME).unlink()
            _lines(log)
            if megabytes > 2:
                os.truncate(log / FILE_NAME, (megabytes - 1) * 1_000_000 - 1)
                with (log / FILE_NAME).open("ab") as file:
                    file.write(b"\n")
            _lines(log)
            tails.append(_median(own, "logs", "--tail", "10", name))
            opens.append(await _opened(str(log)))
    finally:
        own("rm", name)
    table.grows("logs --tail 10", "megabytes", LOG_MEGABYTES, tails)
    table.grows("the dashboard's opening of a log", "megabytes", LOG_MEGABYTES, opens)


def _lines(log: Path) -> None:
    writer = LogWriter(str(log), max_size=0)
    for _ in range(100):
        writer.write("stdout", b"a line of fifty-nine bytes as many a program would print it\n" * 100)
    writer.close()


async def _opened(log: str) -> float:
    """Seconds from the wish to see the end to the painted screen."""
    taken = []
    async with Answering(log).run_test(size=(120, 40)) as pilot:
        view = pilot.app.query_one(LogView)
        for number in range(ROUNDS):
            view.clear()
            await pilot.pause()
            begin = time.perf_counter()
            view.show(f"c{number}", "bench", log)
            painted = asyncio.Event()
            view.body.call_after_refresh(painted.set)
            await painted.wait()
            taken.append(time.perf_counter() - begin)
        view.clear()  # it still counts the lines
        await pilot.pause()
    return statistics.median(taken)
