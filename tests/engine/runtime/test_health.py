"""Health checks: what probes find out, how they are held in, and what they survive."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.linux import processes
from engine.runtime import cgroups, control, healthfile, launch
from engine.runtime.execute import ExecSpec, container_process, execute
from engine.runtime.health import OUTPUT_BYTES
from engine.state import events
from tests.engine.runtime.conftest import Containers, eventually, finish

LONG = 1000.0  # seconds; longer than a test
# the first probe hangs with its children, all later ones succeed
HANGS_ONCE = "test -e /tmp/once && exit 0; touch /tmp/once; sleep 1111 & setsid sleep 2222 & sleep 3333"


def check(script: str, **changes: Any) -> dict[str, Any]:
    """A health check as monitor.json has it."""
    times = {"interval": 0.1, "timeout": LONG, "start_period": 0.0, "start_interval": 0.1}
    return {"args": ["sh", "-c", script], "retries": 2, **times, **changes}


def checked(containers: Containers, script: str, **changes: Any) -> str:
    """A container that sleeps, and has a health check."""
    return containers.started(["sleep", "60"], health=check(script, **changes))


def results(containers: Containers, container: str):
    return healthfile.results(os.fspath(containers.settings.container_dir(container)))


def probing(containers: Containers, container: str) -> int:
    """The pid of the probe that runs now."""
    return healthfile.read(os.fspath(containers.settings.container_dir(container)))["pid"]


def becomes(containers: Containers, container: str, health: str) -> None:
    eventually(lambda: containers.status(container).health == health)


def inside(containers: Containers, container: str, script: str) -> None:
    process = container_process(containers.settings, container) | {"args": ["sh", "-c", script]}
    assert finish(execute(containers.settings, container, ExecSpec(process))).code == 0


def commands(containers: Containers, container: str) -> list[str]:
    pids = cgroups.pids(f"{containers.settings.cgroup_parent}/{container}")
    lines = (Path(f"/proc/{pid}/cmdline") for pid in pids)
    return [line.read_bytes().replace(b"\0", b" ").decode().strip() for line in lines if line.exists()]


def told(containers: Containers, container: str) -> list[str]:
    """The events of its health."""
    found = events.history(str(containers.settings.journal), container)
    return [event.action for event in found if event.action.startswith("health")]


def test_a_container_is_starting_until_a_probe_has_ended(containers: Containers) -> None:
    container = checked(containers, "exit 0", interval=LONG)
    assert containers.status(container).health == "starting"
    assert results(containers, container) == ()


def test_one_good_probe_makes_it_healthy_and_leaves_its_words(containers: Containers) -> None:
    container = checked(containers, "echo out; echo err >&2")
    becomes(containers, container, "healthy")
    result = results(containers, container)[-1]
    assert (result.exit_code, sorted(result.output.split())) == (0, ["err", "out"])
    assert result.start <= result.end
    assert told(containers, container) == ["health_status: healthy"]


def test_it_is_unhealthy_after_so_many_failures_in_a_row_and_healthy_after_one_success(containers: Containers) -> None:
    container = checked(containers, "echo no; test -e /tmp/well", retries=3)
    becomes(containers, container, "unhealthy")
    assert containers.status(container).failing_streak >= 3
    assert [(each.exit_code, each.output) for each in results(containers, container)[:3]] == [(1, "no\n")] * 3
    inside(containers, container, "touch /tmp/well")
    becomes(containers, container, "healthy")
    assert containers.status(container).failing_streak == 0
    assert told(containers, container) == ["health_status: unhealthy", "health_status: healthy"]


def test_failures_do_not_count_while_it_is_starting_up_and_do_once_it_was_well(containers: Containers) -> None:
    container = checked(containers, "test -e /tmp/well", retries=1, start_period=LONG, interval=0.1)
    eventually(lambda: len(results(containers, container)) >= 3)
    now = containers.status(container)
    assert (now.health, now.failing_streak) == ("starting", 0)
    inside(containers, container, "touch /tmp/well")
    becomes(containers, container, "healthy")
    inside(containers, container, "rm /tmp/well")
    becomes(containers, container, "unhealthy")


def test_a_probe_runs_as_an_exec_does(containers: Containers) -> None:
    """Its namespaces, capabilities, filter, cgroup, user, variables and directory are the container's."""
    script = (
        "cat /proc/1/cmdline | tr '\\0' ' '; id -u; pwd; echo $X; grep CapEff /proc/self/status | tr -d '\\t'; "
        "grep -c :/$ /proc/self/cgroup; hostname; for name in pid mnt net; do readlink /proc/self/ns/$name; done"
    )
    process = {"user": {"uid": 5, "gid": 5}, "cwd": "/etc", "env": [f"PATH={os.defpath}", "X=y"]}
    process["capabilities"] = {"bounding": [], "effective": [], "permitted": []}
    container = containers.started(["sleep", "60"], process=process, health=check(f"umask 0; {script}"))
    becomes(containers, container, "healthy")
    lines = results(containers, container)[-1].output.split()
    assert lines[:6] == ["sleep", "60", "5", "/etc", "y", "CapEff:0000000000000000"]
    assert lines[6] != "0"
    pid = containers.status(container).pid
    assert lines[7:] == ["boxy", *(os.readlink(f"/proc/{pid}/ns/{name}") for name in ("pid", "mnt", "net"))]  # noqa: PTH115


def test_a_probe_that_takes_too_long_is_ended_with_all_its_children(containers: Containers) -> None:
    container = checked(containers, HANGS_ONCE, timeout=0.5)
    becomes(containers, container, "healthy")
    first = results(containers, container)[0]
    assert (first.exit_code, first.output) == (-1, "Health check exceeded timeout (0.5s)")
    eventually(lambda: not [words for words in commands(containers, container) if words != "sleep 60"])


def test_a_test_that_cannot_be_executed_fails_and_says_why(containers: Containers) -> None:
    container = containers.started(["sleep", "60"], health=check("") | {"args": ["no-such-program"]})
    becomes(containers, container, "unhealthy")
    result = results(containers, container)[0]
    assert result.exit_code == -1
    assert result.output == 'exec: "no-such-program": executable file not found in $PATH'


def test_words_that_no_program_can_be_given_fail_and_harm_nothing(containers: Containers) -> None:
    container = containers.started(["sleep", "60"], health=check("") | {"args": ["sh", "-c", "echo \0", "x" * 300_000]})
    becomes(containers, container, "unhealthy")
    assert results(containers, container)[0].exit_code == -1


def test_only_the_beginning_of_what_a_probe_says_is_kept_and_only_of_the_last_five(containers: Containers) -> None:
    said = "head -c 100000 /dev/zero | tr '\\0' x; echo >> /tmp/count; wc -l < /tmp/count"
    container = checked(containers, f"printf '\\377\\033[2J'; {said}")
    becomes(containers, container, "healthy")
    assert results(containers, container)[0].output == "\ufffd\x1b[2J" + "x" * (OUTPUT_BYTES - 5) + "..."
    upper = containers.settings.container_dir(container) / "upper/tmp/count"
    eventually(lambda: len(upper.read_bytes()) >= 8)
    assert len(results(containers, container)) == 5


def test_a_probe_that_leaves_a_flood_behind_does_not_hold_up_the_monitor(containers: Containers) -> None:
    container = checked(containers, "yes & echo ok")
    becomes(containers, container, "healthy")
    control.kill(containers.settings, container, 9, by_user=True)
    assert control.wait_for_exit(containers.settings, container, 20)


def test_probes_stand_still_with_a_paused_container_and_its_time_does_not_count(containers: Containers) -> None:
    hung = "test -e /tmp/well || sleep 0.4; echo >> /tmp/count"
    paused = checked(containers, hung, timeout=2.0)
    eventually(lambda: probing(containers, paused))
    control.pause(containers.settings, paused)
    before = results(containers, paused)
    clock = checked(
        containers, "sleep 0.5; echo >> /tmp/count"
    )  # so long as the other one's probe may take, and longer
    count = containers.settings.container_dir(clock) / "upper/tmp/count"
    eventually(lambda: count.exists() and len(count.read_bytes()) >= 5, 30)
    assert results(containers, paused) == before
    control.unpause(containers.settings, paused)
    becomes(containers, paused, "healthy")
    assert {result.exit_code for result in results(containers, paused)} == {0}


@pytest.mark.parametrize("number", [15, 9])
def test_a_container_ends_at_once_while_a_probe_hangs_and_the_probe_is_no_failure(
    containers: Containers, number: int
) -> None:
    container = containers.started(
        ["sh", "-c", "trap exit TERM; sleep 60 & wait"], health=check("sleep 1000", retries=1)
    )
    eventually(lambda: probing(containers, container))
    pid = probing(containers, container)
    control.kill(containers.settings, container, number, by_user=True)
    assert control.wait_for_exit(containers.settings, container, 20)
    eventually(lambda: not processes.start_time(pid))
    assert results(containers, container) == ()
    now = containers.status(container)
    assert (now.state, now.health, now.failing_streak) == ("exited", "unhealthy", 0)  # Docker's word for one that ended


def test_a_new_run_starts_anew(containers: Containers) -> None:
    container = checked(containers, "exit 1", retries=1)
    becomes(containers, container, "unhealthy")
    control.kill(containers.settings, container, 9, by_user=True)
    control.wait(containers.settings, container)
    changed = containers.settings.container_dir(container) / "monitor.json"
    changed.write_text(changed.read_text().replace('"interval": 0.1', f'"interval": {LONG}'))
    launch.start(containers.settings, container)
    now = containers.status(container)
    assert (now.health, now.failing_streak, results(containers, container)) == ("starting", 0, ())


def test_a_monitor_that_adopts_a_container_goes_on_probing(containers: Containers) -> None:
    container = checked(containers, "test -e /tmp/well")
    becomes(containers, container, "unhealthy")
    containers.kill_monitor(container)
    streak, known = containers.status(container).failing_streak, results(containers, container)
    launch.adopt(containers.settings, container)
    eventually(lambda: containers.status(container).failing_streak > streak)
    assert known[-1] in results(containers, container)
    inside(containers, container, "touch /tmp/well")
    becomes(containers, container, "healthy")


def test_the_probe_of_a_killed_monitor_is_ended_by_the_next(containers: Containers) -> None:
    container = checked(containers, HANGS_ONCE)
    eventually(lambda: "sleep 2222" in commands(containers, container) and probing(containers, container))
    containers.kill_monitor(container)
    launch.adopt(containers.settings, container)
    becomes(containers, container, "healthy")
    eventually(lambda: not [words for words in commands(containers, container) if words != "sleep 60"])


def test_without_a_health_check_a_monitor_pays_nothing(containers: Containers) -> None:
    container = containers.started(["sleep", "60"], health=None)
    assert containers.status(container).health == ""
    assert not (containers.settings.container_dir(container) / healthfile.NAME).exists()
    code = "import sys, engine.runtime.monitor; print(*(name for name in sys.modules if 'health' in name))"
    asked = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert asked.stdout.split() == []
