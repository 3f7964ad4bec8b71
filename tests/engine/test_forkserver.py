"""Monitors that an engine that lasts has forked: as good as those with an interpreter of their own."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from engine.engine import Engine
from engine.errors import CommandNotFound, RuntimeFailure
from engine.linux import processes
from engine.models import Image, RunOptions, State
from engine.runtime import cgroups, spawn
from engine.runtime.forkserver import ForkServer
from engine.runtime.spawn import Waiting
from engine.runtime.status import read_state
from engine.settings import Settings

WAITING = ("sh", "-c", "trap 'exit 7' TERM; echo up; while :; do sleep 100 & wait; done")


def options(name: str, command: tuple[str, ...] = WAITING) -> RunOptions:
    return RunOptions(image="localhost/small:1", name=name, command=command, network="none", detach=True)


def monitor(settings: Settings, container_id: str) -> int:
    return int(read_state(str(settings.container_dir(container_id)))["monitor_pid"])


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def descriptors(pid: int) -> list[str]:
    """What a process has open, without numbers that differ from one to the next."""
    found = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        target = str(entry.readlink())
        found.append(f"{entry.name} {target.split('[')[0].rpartition('/')[2]}")
    return sorted(found)


def connections() -> int:
    """How many sockets and files in memory this process has open."""
    targets = [str(entry.readlink()) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()]
    return sum(target.startswith(("socket:", "/memfd:")) for target in targets)


def wait_for_end(pid: int) -> None:
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < deadline, f"process {pid} is still there"
        time.sleep(0.01)


async def test_the_monitors_of_one_engine_come_from_one_process_and_are_called_after_their_containers(
    engine: Engine, image: Image
):
    made = [(await engine.run(options(name))).id for name in ("one", "two")]
    pids = [monitor(engine.settings, one) for one in made]
    [server] = {parent(pid) for pid in pids}
    assert Path(f"/proc/{server}/comm").read_text() == "pilothouse-fork\n"
    for container_id, pid in zip(made, pids, strict=True):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        assert words[-2] == os.fsencode(engine.settings.container_dir(container_id))
        assert Path(f"/proc/{pid}/comm").read_text() == "pilothouse-mon\n"
        assert os.getsid(pid) == pid


async def test_a_forked_monitor_has_open_what_one_with_its_own_interpreter_has(engine: Engine, image: Image):
    forked = await engine.run(options("forked"))
    async with Engine(engine.settings) as other:
        other._forks = None
        executed = await other.run(options("executed"))
    pids = [monitor(engine.settings, one.id) for one in (forked, executed)]
    assert parent(pids[0]) != parent(pids[1])
    deadline = time.monotonic() + 10
    while descriptors(pids[0]) != (theirs := descriptors(pids[1])):  # once both have seen that their starter is gone
        assert time.monotonic() < deadline, (descriptors(pids[0]), theirs)
        await asyncio.sleep(0.05)
    lines = [
        [
            line
            for line in Path(f"/proc/{pid}/status").read_text().splitlines()
            if line.startswith(("Sig", "Cap", "Seccomp", "NoNew", "Umask", "Groups"))
        ]
        for pid in pids
    ]
    assert lines[0] == lines[1]


async def test_a_container_outlives_the_engine_and_the_server_does_not(settings: Settings):
    async with Engine(settings) as engine:
        await engine.add_host_image("localhost/small:1")
        made = await engine.run(options("web"))
        server = parent(monitor(settings, made.id))
    wait_for_end(server)
    async with Engine(settings) as engine:
        assert (await engine.container("web")).state is State.RUNNING
        stopped = await engine.stop("web")
        assert (stopped.state, stopped.exit_code) == (State.EXITED, 7), "its monitor reaps it and reads its exit code"


async def test_a_server_that_was_killed_is_replaced(engine: Engine, image: Image):
    first = await engine.run(options("first"))
    server = parent(monitor(engine.settings, first.id))
    pidfd = processes.open_process(server, processes.start_time(server))
    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    os.close(pidfd)
    wait_for_end(server)
    second = await engine.run(options("second"))
    assert parent(monitor(engine.settings, second.id)) != server
    assert (await engine.container("first")).state is State.RUNNING


async def test_a_server_that_may_not_fork_tells_why_and_goes_on(engine: Engine, image: Image):
    first = await engine.run(options("first"))
    server = parent(monitor(engine.settings, first.id))
    path = f"{engine.settings.cgroup_parent}/crowded"
    crowded = cgroups.create(path, {"pids": {"limit": 1}})
    try:
        cgroups.add(crowded, server)
        with pytest.raises(RuntimeFailure) as failed:
            await engine.run(options("second"))
        assert failed.value.hint == "cannot fork: Resource temporarily unavailable"
        for directory in crowded.directories:
            if (limit := Path(directory, "pids.max")).exists():
                limit.write_text("max")
        third = await engine.run(options("third"))
        assert parent(monitor(engine.settings, third.id)) == server
        await engine.remove("third", force=True)
    finally:
        cgroups.remove(path)


async def test_a_server_that_does_not_come_up_tells_why(engine: Engine, image: Image, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(spawn, "_BOOTSTRAP", spawn._BOOTSTRAP.replace("main()", "raise SystemExit('no memory')"))
    with pytest.raises(RuntimeFailure) as failed:
        await engine.run(options("web"))
    assert failed.value.hint == "no memory"


async def test_several_that_are_started_at_once_come_from_one_server_and_leave_nothing_open(
    engine: Engine, image: Image
):
    before = connections()
    made = await asyncio.gather(*(engine.run(options(f"web{number}", ("sleep", "100"))) for number in range(6)))
    assert len({parent(monitor(engine.settings, one.id)) for one in made}) == 1
    assert connections() == before + 1, "the one to the server"


async def test_a_start_that_is_under_way_when_the_engine_is_closed_is_finished(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    begun = threading.Event()
    fork = ForkServer.fork
    monkeypatch.setattr(ForkServer, "fork", lambda *arguments: (begun.set(), fork(*arguments)))
    async with Engine(settings) as engine:
        await engine.add_host_image("localhost/small:1")
        await engine.create(options("web"))
        starting = asyncio.ensure_future(engine.start("web"))
        await asyncio.to_thread(begun.wait)
    assert (await starting).state is State.RUNNING
    async with Engine(settings) as engine:
        await engine.remove("web", force=True)


async def test_a_command_that_is_not_there_is_told_by_a_forked_monitor_too(engine: Engine, image: Image):
    await engine.run(options("first"))
    try:
        await engine.run(options("wrong", ("no-such-command",)))
    except CommandNotFound as error:
        assert "no-such-command" in str(error)
    else:
        raise AssertionError("it was started")


def test_a_monitor_that_is_not_needed_after_all_ends_and_leaves_no_zombie(tmp_path: Path):
    forks = ForkServer()
    directory = str(tmp_path / "x")
    with Waiting("x", directory, forks):
        deadline = time.monotonic() + 10
        while len(found := named(directory)) != 1:
            assert time.monotonic() < deadline
    wait_for_end(found[0])
    forks.close()


def named(directory: str) -> list[int]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.fsencode(directory) in (process / "cmdline").read_bytes():
                found.append(int(process.name))
        except OSError:
            continue  # it has ended
    return found
