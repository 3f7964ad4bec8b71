"""What changes on the host while containers run: the clock, the resolvers, the firewall, who has a pid."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.engine import Engine
from engine.linux import netlink, processes
from engine.linux.netlink import Netlink
from engine.network import links, nftables
from engine.runtime import statefile
from engine.runtime.status import read_state
from engine.settings import Settings
from tests.conftest import PROJECT, SMALL, Command, environment
from tests.engine.faults.test_reboot import kill

NextCommand = Callable[[], str]
DAY = 86400
TALKER = "i=0; while :; do i=$((i+1)); echo $i; sleep 0.02; done"

pytestmark = pytest.mark.usefixtures("image")


class Clock:
    """Runs command lines whose time of day, and that of the monitors they start, is moved by `seconds`."""

    def __init__(self, settings: Settings) -> None:
        self._settings, self._path = settings, settings.root.parent / "clock"
        self.set(0)

    def set(self, seconds: float | str) -> None:
        new = self._path.with_suffix(".new")
        new.write_text(str(seconds))
        new.rename(self._path)

    def __call__(self, *words: str) -> str:
        command = [sys.executable, "-m", "tests.engine.faults.clock", str(self._path), *words]
        done = subprocess.run(
            command, env=environment(self._settings), cwd=PROJECT, capture_output=True, text=True, timeout=60
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout


@pytest.fixture
def at(settings: Settings) -> Clock:
    return Clock(settings)


def test_a_clock_that_is_set_changes_what_is_shown_and_nothing_that_runs(at: Clock) -> None:
    at("run", "-d", "--name", "web", SMALL, "sh", "-c", TALKER)
    until(lambda: at("logs", "web").count("\n") > 5)
    for seconds, shown in ((DAY, "Up 24 hours"), (-DAY, "Up Less than a second")):
        at.set(seconds)
        before = at("logs", "web").count("\n")
        until(lambda before=before: at("logs", "web").count("\n") > before)  # type: ignore[misc]
        assert at("ps", "--format", "{{.Status}}") == f"{shown}\n"
        assert at("ps", "-q", "--filter", "status=running")
    lines = at("logs", "web").split()
    assert lines == [str(number) for number in range(1, len(lines) + 1)], "in the order in which they were written"
    assert int(at("logs", "--tail", "3", "web").split()[0]) >= len(lines) - 2
    recent = at("logs", "--since", "12h", "web").split()
    assert recent[0] == "1" and len(recent) >= len(lines), "all are of later, as the clock is now"
    at.set(DAY)
    recent = at("logs", "--since", "12h", "web").split()
    assert recent and "1" not in recent, "those of before the clock was set are a day old"
    at.set(-DAY)
    at("stop", "-t", "0", "web")
    assert at("ps", "-a", "--format", "{{.Status}}") == "Exited (137) Less than a second ago\n"
    at.set(2 * DAY)
    assert at("ps", "-a", "--format", "{{.Status}}") == "Exited (137) 3 days ago\n"
    told = at("events", "--since", "0", "--until", "0s", "--filter", "type=container", "--format", "{{.Action}}")
    assert told.split() == ["create", "start", "die", "stop"], "in the order in which they came"
    at("rm", "web")


def test_pauses_between_restarts_grow_whatever_the_clock_says(at: Clock, pilothouse: Command) -> None:
    """By the clock on the wall each run took an hour, and would be a success after which the pause begins anew."""
    at.set("wild")
    at("run", "-d", "--name", "loop", "--restart", "always", SMALL, "sh", "-c", "read up _ </proc/uptime; echo $up")
    until(lambda: at("logs", "loop").count("\n") > 4)
    began, *_, ended = [float(line) for line in at("logs", "loop").split()[:5]]
    assert ended - began > 0.1 + 0.2 + 0.4 + 0.8
    assert pilothouse("rm", "-f", "loop").returncode == 0


def test_a_container_gets_the_hosts_resolvers_as_they_are_when_it_starts(
    settings: Settings, pilothouse: Command, tmp_path: Path, next_command: NextCommand
) -> None:
    """As with Docker: what runs keeps what it has, a restart brings what is new."""

    def with_resolver(server: str, *words: str) -> None:
        file = tmp_path / server
        file.write_text(f"nameserver {server}\nsearch here.example\n")
        script = f'mount --bind {file} /etc/resolv.conf && exec "$@"'
        command = ["unshare", "-m", "sh", "-c", script, "sh", sys.executable, "-m", "engine.cli.main", *words]
        subprocess.run(command, env=environment(settings), check=True, capture_output=True, timeout=60)

    def inside() -> bytes:
        return pilothouse("exec", "web", "cat", "/etc/resolv.conf").stdout

    with_resolver("192.0.2.1", "run", "-d", "--name", "web", SMALL, "sleep", "60")
    assert inside() == b"nameserver 192.0.2.1\nsearch here.example\n"
    with_resolver("192.0.2.2", "ps")
    assert inside() == b"nameserver 192.0.2.1\nsearch here.example\n"
    with_resolver("192.0.2.2", "restart", "-t", "0", "web")
    assert inside() == b"nameserver 192.0.2.2\nsearch here.example\n"
    assert pilothouse("rm", "-f", "web").returncode == 0
    assert next_command() == ""


def test_rules_that_a_firewall_has_flushed_are_back_with_the_next_command(
    settings: Settings, pilothouse: Command, next_command: NextCommand
) -> None:
    pilothouse("run", "-d", "--name", "web", "-p", "0:80", SMALL, "sleep", "60")
    with Netlink(netlink.NETFILTER) as netfilter, Netlink(netlink.ROUTE) as rtnl:
        before = nftables.elements(netfilter, settings.nft_table, "ports")
        said = nftables.table_comment(netfilter, settings.nft_table)
        assert before and said
        nftables.commit(netfilter, [nftables.delete_table(settings.nft_table)])
        assert next_command().startswith("web Up")
        assert nftables.elements(netfilter, settings.nft_table, "ports") == before
        assert nftables.table_comment(netfilter, settings.nft_table) == said
        links.delete_link(rtnl, settings.bridge)
        assert next_command().startswith("web Up")
        assert links.link_index(rtnl, settings.bridge)
    assert pilothouse("rm", "-f", "web").returncode == 0
    assert next_command() == ""


async def test_rules_that_a_firewall_has_flushed_are_back_at_once_under_a_program_that_stays(
    settings: Settings, pilothouse: Command
) -> None:
    def is_back() -> bool:
        return nftables.elements(netfilter, settings.nft_table, "ports") == before

    pilothouse("run", "-d", "--name", "web", "-p", "0:80", SMALL, "sleep", "60")
    async with Engine.open(settings) as engine:
        keeping = asyncio.create_task(engine.keep_network())
        with Netlink(netlink.NETFILTER) as netfilter:
            before = nftables.elements(netfilter, settings.nft_table, "ports")
            for _ in range(2):
                nftables.commit(netfilter, [nftables.delete_table(settings.nft_table)])
                await asyncio.to_thread(until, is_back)
        keeping.cancel()
    assert pilothouse("rm", "-f", "web").returncode == 0


def test_who_has_the_pid_of_a_dead_container_now_is_left_alone(
    settings: Settings, pilothouse: Command, next_command: NextCommand
) -> None:
    made = pilothouse("run", "-d", "--name", "web", "-p", "0:80", SMALL, "sleep", "60").stdout.decode().strip()
    directory = os.fspath(settings.container_dir(made))
    holders = settings.run_dir(made) / "holders"
    state = read_state(directory)
    started = {pid: state[f"{who}start_time"] for who, pid in (("", state["pid"]), ("monitor_", state["monitor_pid"]))}
    for pid, start_time in (*started.items(), *(map(int, line.split()) for line in holders.read_text().splitlines())):
        kill(pid, start_time)
    with others(3) as (init, monitor, holder):
        state.pop("written")
        state.update(pid=init, monitor_pid=monitor)
        statefile.write(directory, state)
        holders.write_text(f"{holder} {holders.read_text().split()[1]}\n")
        assert next_command().startswith("web Exited (255)")
        state.update(pid=init, start_time=processes.start_time(init), status="running", boot_id="of another life")
        statefile.write(directory, state)
        assert next_command().startswith("web Exited (255)"), "even if it was given out at the same moment after a boot"
        assert pilothouse("start", "web").returncode == 0
        assert next_command().startswith("web Up")
        assert pilothouse("rm", "-f", "web").returncode == 0
        assert next_command() == ""


@contextlib.contextmanager
def others(count: int) -> Iterator[list[int]]:
    """Processes of somebody else's, which must all be there at the end."""
    running = [subprocess.Popen(["sleep", "60"]) for _ in range(count)]
    try:
        yield [process.pid for process in running]
        assert [process.poll() for process in running] == [None] * count
    finally:
        for process in running:
            process.kill()
            process.wait()


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
