"""Signals, pause, waiting, and what a container's status says."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import threading
import time

import pytest

from engine.errors import Conflict, InvalidInput
from engine.linux import processes
from engine.runtime import cgroups, control, launch, statefile
from engine.runtime.status import Status
from tests.engine.runtime.conftest import Containers, finish, frames, is_exit_of_orphan, read_until


def test_a_signal_reaches_init(containers: Containers) -> None:
    container = containers.make(["sh", "-c", "trap 'echo got it' USR1; echo ready; while :; do sleep 0.02; done"])
    attachment = containers.attached(container)
    read_until(attachment, b"ready")
    control.kill(containers.settings, container, signal.SIGUSR1, by_user=False)
    read_until(attachment, b"got it")
    with pytest.raises(InvalidInput, match="signal 99"):
        control.kill(containers.settings, container, 99, by_user=False)


def test_process_1_without_a_handler_ignores_the_signal_that_asks_it_to_end(containers: Containers) -> None:
    container = containers.started(["sleep", "60"])
    control.kill(containers.settings, container, signal.SIGTERM, by_user=True)
    assert not control.wait_for_exit(containers.settings, container, 0.2)
    control.kill(containers.settings, container, signal.SIGKILL, by_user=True)
    assert control.wait_for_exit(containers.settings, container, 10)


def test_a_container_that_does_not_run_takes_no_signal(containers: Containers) -> None:
    container = containers.make(["true"])
    with pytest.raises(Conflict, match="is not running"):
        control.kill(containers.settings, container, signal.SIGTERM, by_user=False)
    finish(containers.attached(container))
    with pytest.raises(Conflict, match="is not running"):
        control.kill(containers.settings, container, signal.SIGTERM, by_user=False)


def test_every_waiter_gets_the_exit_code(containers: Containers) -> None:
    container = containers.started(["sh", "-c", "sleep 0.3; exit 12"])
    codes: list[int] = []
    waiters = [
        threading.Thread(target=lambda: codes.append(control.wait(containers.settings, container))) for _ in range(5)
    ]
    for waiter in waiters:
        waiter.start()
    for waiter in waiters:
        waiter.join()
    assert codes == [12] * 5
    assert control.wait(containers.settings, container) == 12, "afterwards, too"


def test_a_waiter_survives_the_monitor(containers: Containers) -> None:
    container = containers.started(["sh", "-c", "sleep 0.5; exit 12"])
    with control.exit_watch(containers.settings, container) as watch:
        containers.kill_monitor(container)
        while watch.exit_code is None:
            assert select.select([watch], [], [], 10)[0]
            watch.read()
        assert watch.exit_code == containers.state(container)["exit_code"]
        assert is_exit_of_orphan(containers.settings, container, 12)


def test_a_paused_container_stands_still_until_it_is_unpaused(containers: Containers) -> None:
    container = containers.make(["sh", "-c", "while :; do echo tick; sleep 0.02; done"])
    attachment = containers.attached(container)
    frames(attachment)
    control.pause(containers.settings, container)
    assert containers.status(container).state == "paused"
    with pytest.raises(Conflict, match="already paused"):
        control.pause(containers.settings, container)
    time.sleep(0.1)
    attachment.receive()
    assert not select.select([attachment], [], [], 0.2)[0]
    control.unpause(containers.settings, container)
    frames(attachment)
    assert containers.status(container).state == "running"
    with pytest.raises(Conflict, match="is not paused"):
        control.unpause(containers.settings, container)


def test_the_status_of_a_container_that_was_never_started(containers: Containers) -> None:
    assert containers.status(containers.make(["true"])) == Status()


def test_the_status_of_a_run_and_of_its_end(containers: Containers) -> None:
    before = time.time()
    container = containers.make(["sh", "-c", "read x; exit 3"], stdin_open=True)
    attachment = containers.attached(container, stdin=True)
    now = containers.status(container)
    assert (now.state, now.running, now.live, now.has_monitor) == ("running", True, True, True)
    assert now.pid == attachment.pid and processes.is_alive(now.pid, now.start_time)
    assert before - 1 < now.started <= time.time()
    attachment.close_stdin()
    finish(attachment)
    now = containers.status(container)
    assert (now.state, now.pid, now.exit_code, now.live) == ("exited", 0, 3, False)
    assert now.finished >= now.started


def test_a_pid_is_not_trusted_without_its_start_time_and_its_boot(containers: Containers) -> None:
    container = containers.make(["true"])
    directory = os.fspath(containers.settings.container_dir(container))
    sleeper = subprocess.Popen(["sleep", "60"])
    ours = {"pid": sleeper.pid, "start_time": processes.start_time(sleeper.pid), "boot_id": statefile.boot_id()}
    base = statefile.fresh() | {"status": "running", "started": 1.0}
    statefile.write(directory, base | ours)
    assert containers.status(container).state == "running"
    for change in ({"start_time": ours["start_time"] + 1}, {"boot_id": "another"}, {"pid": 2**22 - 1}):
        statefile.write(directory, base | ours | change)
        now = containers.status(container)
        assert (now.state, now.pid, now.exit_code, now.orphaned) == ("exited", 0, 255, True)
    launch.adopt(containers.settings, container)
    assert not containers.status(container).orphaned
    sleeper.kill()
    sleeper.wait()


def test_a_state_that_a_power_cut_has_damaged_is_an_end_of_unknown_kind(containers: Containers) -> None:
    container = containers.make(["true"])
    for content in ("", '{"status": "run', "[]"):
        (containers.settings.container_dir(container) / "state.json").write_text(content)
        now = containers.status(container)
        assert (now.state, now.exit_code) == ("exited", 255)
        assert "damaged" in now.error


def test_the_state_file_is_plain_json_that_others_can_read(containers: Containers) -> None:
    container = containers.make(["true"])
    directory = containers.settings.container_dir(container)
    statefile.write(os.fspath(directory), statefile.fresh() | {"error": 'a "quoted" \x1b[31m \\ ä 🐳 \n'})
    assert json.loads((directory / "state.json").read_text())["error"] == 'a "quoted" \x1b[31m \\ ä 🐳 \n'


def test_without_a_pid_namespace_the_cgroup_is_emptied_at_the_end(containers: Containers) -> None:
    kinds = [{"type": kind} for kind in ("mount", "ipc", "uts", "cgroup", "network")]
    container = containers.make(["sh", "-c", "sleep 60 & exit 4"], linux={"namespaces": kinds})
    assert finish(containers.attached(container)).code == 4
    assert cgroups.pids(f"{containers.settings.cgroup_parent}/{container}") == []
