"""Readings of running containers: cheap, true, and over when the container is."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from engine.engine import Engine
from engine.models import Image, RunOptions
from engine.runtime.cgroup_stats import Gauge
from tests.engine.runtime.test_cgroups import FakeV2Tree

BUSY = ("sh", "-c", "while :; do :; done")
IDLE = ("sh", "-c", "trap 'exit 0' TERM; while :; do sleep 100 & wait; done")


def options(name: str, command: tuple[str, ...]) -> RunOptions:
    return RunOptions(image="localhost/small:1", name=name, command=command, network="none", detach=True)


async def test_a_busy_container_uses_more_with_every_reading_and_an_idle_one_does_not(engine: Engine, image: Image):
    busy = await engine.run(options("busy", BUSY))
    idle = await engine.run(options("idle", IDLE))
    first = {each.container_id: each for each in await engine.stats(["busy", idle.id])}
    while (await engine.stats([busy.id]))[0].cpu_seconds < first[busy.id].cpu_seconds + 0.1:
        pass
    second = {each.container_id: each for each in await engine.stats(["busy", "idle"])}
    assert second[idle.id].cpu_seconds == pytest.approx(first[idle.id].cpu_seconds, abs=0.05)
    assert second[idle.id].time > first[idle.id].time
    assert second[idle.id].pids == 2


async def test_a_container_that_has_ended_or_is_not_there_has_no_reading(engine: Engine, image: Image):
    web = await engine.run(options("web", IDLE))
    assert len(await engine.stats(["web"])) == 1
    await engine.kill("web")
    await engine.wait("web")
    assert await engine.stats([web.id, "nobody"]) == []
    await engine.start("web")
    assert len(await engine.stats([web.id])) == 1  # its new cgroup, not the old one


async def test_while_all_are_at_rest_only_the_cgroup_they_are_in_is_read(
    engine: Engine, image: Image, monkeypatch: pytest.MonkeyPatch
):
    idle = [(await engine.run(options(f"idle{number}", IDLE))).id for number in range(3)]
    reads: list[int] = []
    real = os.pread
    monkeypatch.setattr(os, "pread", lambda *arguments: (reads.append(1), real(*arguments))[1])
    deadline = time.monotonic() + 20
    readings = await engine.stats(idle)
    # until their shells have come to rest: what one that runs just now uses is not counted yet
    while len(reads) != 2 or any(each.pids != 2 for each in readings):
        assert time.monotonic() < deadline, f"{len(reads)} reads of three containers at rest"
        reads.clear()
        readings = await engine.stats(idle)
    assert [each.container_id for each in readings] == idle
    assert all(each.pids == 2 and each.cpu_seconds > 0 for each in readings)
    busy = (await engine.run(options("busy", BUSY))).id
    before = (await engine.stats([busy]))[0].cpu_seconds
    while (await engine.stats([*idle, busy]))[-1].cpu_seconds < before + 0.05:
        assert time.monotonic() < deadline, "what one container uses is not seen"


async def test_what_a_container_used_while_others_were_asked_for_is_seen_when_all_are_at_rest_again(
    engine: Engine, image: Image
):
    work = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done"
    quiet = (await engine.run(options("quiet", IDLE))).id
    works = (await engine.run(options("works", ("sh", "-c", f"trap '{work}' USR1; {IDLE[-1]}")))).id
    deadline = time.monotonic() + 20
    while (await engine.stats([works]))[0].pids < 2:
        assert time.monotonic() < deadline, "it does not come to wait for a signal"
    before = {each.container_id: each.cpu_seconds for each in await engine.stats([quiet, works])}
    await engine.kill("works", "SIGUSR1")
    with Gauge(f"{engine.settings.cgroup_parent}/{works}") as own:
        at_rest = False
        while not at_rest or own.read()[0]["cpu_seconds"] < before[works] + 0.05:
            assert time.monotonic() < deadline, "it does not work, or not come to rest"
            await engine.stats([quiet])
            at_rest = not own.read()[1]
    readings = [{each.container_id: each for each in await engine.stats([quiet, works])} for _ in range(2)]
    assert readings[-1][works].cpu_seconds > before[works] + 0.05


async def test_what_was_kept_open_is_closed_with_the_engine(engine: Engine, image: Image):
    await engine.run(options("web", IDLE))
    async with Engine(engine.settings) as other:
        await other.stats(["web"])
        assert _open_cgroup_files() > 0
    assert _open_cgroup_files() == 0


def _open_cgroup_files() -> int:
    links = [str(path.readlink()) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
    return sum("/cgroup/" in link for link in links)


def test_a_cgroup_that_was_idle_is_not_read_to_the_end_again(tmp_path: Path):
    tree = FakeV2Tree(tmp_path)
    tree.write("cpu.stat", "usage_usec 1000000\nnr_throttled 3\n")
    tree.write("memory.current", "5000\n")
    tree.write("pids.current", "4\n")
    with Gauge("p/box", tree.mounts) as gauge:
        assert gauge.read()[1]
        tree.write("pids.current", "5\n")
        assert gauge.read() == (gauge.read()[0], False)
        tree.write("cpu.stat", "usage_usec 2000000\nnr_throttled 3\n")
        counters, changed = gauge.read()
        assert (counters["cpu_seconds"], counters["pids"], changed) == (2.0, 5, True)
