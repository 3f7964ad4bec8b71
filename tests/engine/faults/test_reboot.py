"""A reboot takes everything of the kernel and the run directory; the next command finds a store that is in order."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.containers import records
from engine.containers.view import is_live
from engine.images import durability
from engine.linux import netns, processes
from engine.network import bridge, holding
from engine.runtime import cgroups, statefile
from engine.runtime.status import read_state
from engine.settings import Settings
from engine.state.database import Database
from tests.conftest import SMALL, Command, traces
from tests.engine.faults.leftovers import leftovers
from tests.engine.faults.test_killed import dying
from tests.support.registry import PutImage, RegistryServer

NextCommand = Callable[[], str]


def reboot(settings: Settings) -> None:
    """Take away what a reboot does, without warning: processes, mounts, links, rules, cgroups, the run directory."""
    database = Database(settings.database)
    try:
        for record in records.every(database):
            directory = settings.container_dir(record.id)
            state = read_state(str(directory))
            kill(state["monitor_pid"], state["monitor_start_time"])
            kill(state["keeper_pid"], state["keeper_start_time"])
            cgroups.remove(f"{settings.cgroup_parent}/{record.id}")
            holding.stop(settings, record.id)
            netns.unpin(str(settings.run_dir(record.id) / "netns"))
            if state.pop("written"):
                state["boot_id"] = "of another life"
                statefile.write(str(directory), state)
        bridge.remove(settings, database)
    finally:
        database.close()
    shutil.rmtree(settings.run)
    assert traces(settings) == []


def kill(pid: int, started: int) -> None:
    with contextlib.suppress(ProcessLookupError, ValueError, OSError):
        watch = processes.open_process(pid, started)
        processes.send_signal(watch, signal.SIGKILL)
        select.select([watch], [], [])
        os.close(watch)


@pytest.mark.usefixtures("image")
def test_after_a_reboot_containers_have_exited_ports_are_free_and_start_works(
    settings: Settings, pilothouse: Command, next_command: NextCommand
) -> None:
    with socket.create_server(("0.0.0.0", 0)) as free:
        port = free.getsockname()[1]
    pilothouse("run", "-d", "--name", "web", "-p", f"{port}:80", SMALL, "sh", "-c", "echo up; sleep 60")
    pilothouse("run", "-d", "--name", "plain", SMALL, "sleep", "60")
    pilothouse("run", "-d", "--name", "alone", "--network", "none", "--restart", "always", SMALL, "sleep", "60")
    pilothouse("run", "-d", "--name", "passing", "--rm", "-v", "/data", SMALL, "sleep", "60")
    pilothouse("run", "--name", "done", SMALL, "sh", "-c", "exit 3")
    pilothouse("create", "--name", "new", SMALL, "true")
    reboot(settings)
    shown = dict(line.split(" ", 1) for line in next_command().splitlines())
    assert {name: text.split(" ")[0:2] for name, text in shown.items()} == {
        "web": ["Exited", "(255)"],
        "plain": ["Exited", "(255)"],
        "alone": ["Exited", "(255)"],
        "done": ["Exited", "(3)"],
        "new": ["Created"],
    }
    with socket.create_server(("0.0.0.0", port)):
        pass
    for name in ("web", "plain", "alone"):
        assert pilothouse("start", name).returncode == 0
    assert pilothouse("port", "web").stdout.decode().startswith(f"80/tcp -> 0.0.0.0:{port}")
    assert "web Up" in next_command()
    assert pilothouse("logs", "web").stdout == b"up\nup\n"
    assert pilothouse("rm", "-f", "web", "plain", "alone", "done", "new").returncode == 0
    assert next_command() == ""


@pytest.mark.usefixtures("image")
def test_a_reboot_in_the_middle_of_a_removal_ends_it(
    settings: Settings, pilothouse: Command, next_command: NextCommand
) -> None:
    pilothouse("run", "--name", "web", "-v", "/data", SMALL, "true")
    database = Database(settings.database)
    try:
        container = records.find(database, "web")
        records.mark_removing(database, container.id, with_volumes=True)
    finally:
        database.close()
    reboot(settings)
    assert next_command() == ""
    assert list(settings.volumes.iterdir()) == []


@pytest.mark.usefixtures("image")
def test_a_state_that_a_power_cut_has_emptied_is_told_and_the_container_starts_again(
    settings: Settings, pilothouse: Command, next_command: NextCommand
) -> None:
    pilothouse("run", "--name", "web", SMALL, "true")
    (directory,) = settings.containers.iterdir()
    for name in ("state.json", "config.json", "monitor.json"):
        Path(directory, name).write_bytes(b"")
    assert next_command().startswith("web Exited (255)")
    (told,) = json.loads(pilothouse("inspect", "web").stdout)
    assert "was damaged" in told["State"]["Error"]
    assert pilothouse("start", "-a", "web").returncode == 0
    assert next_command().startswith("web Exited (0)")


def test_a_reboot_in_the_middle_of_a_pull_leaves_nothing(
    settings: Settings, registry: RegistryServer, remote: PutImage, next_command: NextCommand
) -> None:
    dying(settings, "cli", "images.snapshots.stage", "return", ("pull", "-q", f"{registry.host}/shop/app:1"))
    shutil.rmtree(settings.run)
    assert "staged layer" in str(leftovers(settings))
    assert next_command() == ""


@pytest.mark.usefixtures("image")
def test_a_lost_database_takes_no_data_and_no_running_container_with_it(
    settings: Settings, pilothouse: Command
) -> None:
    told = pilothouse("run", "-d", "-v", "/data", SMALL, "sh", "-c", "echo written > /file; sleep 60")
    container_id = told.stdout.decode().strip()
    kept = settings.database.with_name("kept.db")
    settings.database.rename(kept)
    for _ in range(2):
        assert pilothouse("ps", "-aq").stdout == b""
        assert is_live(settings, container_id)
        shutil.rmtree(settings.run / "locks", ignore_errors=True)
        (settings.run / "boot").unlink()
    assert (settings.container_dir(container_id) / "upper" / "file").read_text() == "written\n"
    assert len(list(settings.volumes.iterdir())) == 1
    for name in settings.root.glob("state.db*"):
        name.unlink()
    kept.rename(settings.database)
    assert pilothouse("rm", "-fv", container_id[:12]).returncode == 0


@pytest.mark.usefixtures("image")
def test_after_a_reboot_the_boot_command_starts_what_its_policy_says(
    settings: Settings, pilothouse: Command, next_command: NextCommand
) -> None:
    for name, policy, words in (
        ("always", "always", ("sleep", "60")),
        ("stopped", "always", ("sleep", "60")),
        ("unless", "unless-stopped", ("sleep", "60")),
        ("halted", "unless-stopped", ("sleep", "60")),
        ("failed", "on-failure", ("sleep", "60")),
        ("no", "no", ("sleep", "60")),
    ):
        assert pilothouse("run", "-d", "--name", name, "--restart", policy, SMALL, *words).returncode == 0
    pilothouse("create", "--name", "new", "--restart", "always", SMALL, "sleep", "60")
    pilothouse("stop", "-t", "0", "stopped", "halted")
    reboot(settings)
    assert next_command().count("Exited") == 6
    booted = pilothouse("system", "boot")
    assert (booted.returncode, booted.stdout, booted.stderr) == (0, b"always\nstopped\nunless\n", b"")
    running = pilothouse("ps", "--format", "{{.Names}}").stdout.decode().split()
    assert sorted(running) == ["always", "stopped", "unless"]
    assert pilothouse("system", "boot").stdout == b""
    for line in next_command().splitlines():
        assert pilothouse("rm", "-f", line.split()[0]).returncode == 0


@pytest.mark.usefixtures("image")
def test_an_image_that_a_crash_has_taken_is_told_once(settings: Settings, pilothouse: Command) -> None:
    pilothouse("ps")
    with contextlib.closing(sqlite3.connect(settings.database)) as connection, connection:
        connection.execute("UPDATE snapshots SET boot = 'of another life'")
    shutil.rmtree(settings.snapshots / durability.MARKS, ignore_errors=True)
    shutil.rmtree(settings.run)
    told = pilothouse("ps")
    assert told.returncode == 0
    assert told.stderr.decode() == (
        f"WARNING: image {SMALL}: the machine went down before it was on the disk; pull it again\n"
    )
    assert pilothouse("images").stderr == b""
    assert pilothouse("images", "-q").stdout == b""
