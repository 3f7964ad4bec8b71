"""Whoever serves a container is out of reach of the end of its starter's session, as systemd ends it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.linux import processes
from engine.runtime.cgroup_mounts import host_mounts
from engine.runtime.status import read_state
from engine.settings import Settings
from tests.conftest import SMALL, Command, environment, traces
from tests.engine.runtime.conftest import eventually


def place_of(pid: int) -> str:
    lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    return next(line.split(":", 2)[2] for line in lines if line.split(":")[1] in ("name=systemd", ""))


@pytest.mark.usefixtures("image")
def test_the_end_of_a_session_takes_no_monitor_keeper_or_port_holder_with_it(
    settings: Settings, pilothouse: Command
) -> None:
    (root, *_) = host_mounts().of_systemd
    session = Path(root, f"session-of-a-test-{os.getpid()}")
    session.mkdir()
    try:
        words = [sys.executable, "-m", "engine.cli.main", "run", "-dit", "--name", "web", "-p", "0:80", SMALL, "cat"]
        code = f"import os; open('{session}/cgroup.procs', 'w').write('0'); os.execv({sys.executable!r}, {words!r})"
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, env=environment(settings))
        (container,) = settings.containers.iterdir()
        state = read_state(str(container))
        holder = int((settings.run_dir(container.name) / "holders").read_text().split()[0])
        serving = [state["monitor_pid"], state["keeper_pid"], holder]
        eventually(lambda: all(place_of(pid).endswith("-beside") for pid in serving))
        assert place_of(state["pid"]) == f"/{settings.cgroup_parent}/{container.name}"
        assert (session / "cgroup.procs").read_text() == ""
    finally:
        session.rmdir()
    assert all(processes.start_time(pid) for pid in serving)
    pilothouse("rm", "-f", "web")
    eventually(lambda: traces(settings) == [])
