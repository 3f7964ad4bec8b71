"""Processes by descriptor, terminals, namespaces, mounts: the thin calls against the kernel."""

from __future__ import annotations

import asyncio
import os
import select
import signal
from pathlib import Path

import pytest

from engine.linux import mounts, namespaces, processes


def test_a_start_time_tells_a_process_from_another_with_its_pid() -> None:
    pid = os.fork()
    if pid == 0:
        signal.pause()
        os._exit(0)
    started = processes.start_time(pid)
    assert processes.is_alive(pid, started)
    assert not processes.is_alive(pid, started + 1)
    with pytest.raises(ProcessLookupError):
        processes.open_process(pid, started + 1)
    pidfd = processes.open_process(pid, started)
    processes.send_signal(pidfd, signal.SIGKILL)
    select.select([pidfd], [], [])
    assert processes.start_time(pid) == 0, "a zombie is not alive"
    assert processes.wait_status_of_zombie(pid, started) == signal.SIGKILL
    assert processes.wait_status_of_zombie(pid, started + 1) is None
    os.waitpid(pid, 0)
    assert processes.wait_status_of_zombie(pid, started) is None
    assert processes.wait_status_of_reaped(pidfd) in (signal.SIGKILL, None), "None before Linux 6.15"
    os.close(pidfd)


def test_a_name_with_spaces_and_parentheses_does_not_confuse_the_reader() -> None:
    pid = os.fork()
    if pid == 0:
        processes.set_name("a) Z 1 (b")
        signal.pause()
        os._exit(0)
    comm = Path(f"/proc/{pid}/comm")
    while comm.read_text() != "a) Z 1 (b\n":
        os.sched_yield()
    assert processes.start_time(pid) > 0
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def test_a_descriptor_can_be_taken_from_another_process() -> None:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        signal.pause()
        os._exit(0)
    os.close(writer)
    pidfd = os.pidfd_open(pid)
    taken = processes.take_descriptor(pidfd, writer)
    assert not os.get_inheritable(taken)
    os.write(taken, b"through")
    assert os.read(reader, 10) == b"through"
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    for fd in (reader, taken, pidfd):
        os.close(fd)


def test_a_fork_into_namespaces_is_process_1_there() -> None:
    reader, writer = os.pipe()
    pid = namespaces.fork(namespaces.flag("pid") | namespaces.flag("uts"))
    if pid == 0:
        os.write(writer, b"%d" % os.getpid())
        os._exit(4)
    os.close(writer)
    assert os.read(reader, 10) == b"1"
    os.close(reader)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 4


def test_a_filesystem_that_refuses_its_options_says_why() -> None:
    with pytest.raises(OSError, match=r"(?i)bogus"):
        mounts.new_filesystem("tmpfs", [("bogus", "1")])
    with pytest.raises(OSError) as raised:
        mounts.new_filesystem("nosuchfs", [])
    assert raised.value.filename == "nosuchfs"
    assert (mounts.can_mount("tmpfs"), mounts.can_mount("nosuchfs")) == (True, False)


async def test_a_process_is_seen_off_also_by_who_is_cancelled_again_and_again():
    process = await asyncio.create_subprocess_exec("sleep", "60", stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None

    async def wait() -> None:
        try:
            await process.communicate()
        finally:
            await processes.see_off(process)

    waiting = asyncio.create_task(wait())
    left_with: list[int | None] = []
    waiting.add_done_callback(lambda _: left_with.append(process.returncode))
    for _ in range(50):  # each takes a few turns of the loop to get through
        await asyncio.sleep(0)
        waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert left_with == [-signal.SIGKILL]
    assert process.stdout.at_eof()


async def test_a_pipe_that_somebody_else_holds_open_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(processes, "PATIENCE", 0.2)
    process = await asyncio.create_subprocess_exec(
        "sh", "-c", "sleep 60 & echo both; exec sleep 60", stdout=asyncio.subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"both\n"
    await processes.see_off(process)
    assert process.returncode == -signal.SIGKILL
    assert not process.stdout.at_eof()
    os.killpg(process.pid, signal.SIGKILL)
    await process.communicate()
