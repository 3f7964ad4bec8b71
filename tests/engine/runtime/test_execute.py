"""One more command in a running container."""

from __future__ import annotations

import os
import select
from pathlib import Path
from typing import Any

import psutil
import pytest

from engine.errors import CommandNotExecutable, CommandNotFound, Conflict, RuntimeFailure
from engine.runtime import cgroups, control, failure, protocol
from engine.runtime.execute import ExecSpec, container_process, execute
from tests.engine.runtime.conftest import Containers, Result, eventually, finish, read_until


def run(
    containers: Containers, container: str, args: list[str], *, input: bytes | None = None, **process: Any
) -> Result:
    changed = container_process(containers.settings, container) | {"args": args} | process
    attachment = execute(containers.settings, container, ExecSpec(changed, stdin=input is not None))
    if input is not None:
        attachment.send(input)
        attachment.close_stdin()
    return finish(attachment)


def test_a_command_runs_among_the_containers_processes(containers: Containers) -> None:
    container = containers.started(["sleep", "60"])
    result = run(
        containers, container, ["sh", "-c", "cat /proc/1/cmdline | tr '\\0' ' '; hostname; echo e >&2; exit 6"]
    )
    assert (result.code, result.stdout, result.stderr) == (6, b"sleep 60 boxy\n", b"e\n")
    for name in ("pid", "mnt", "ipc", "uts", "cgroup", "net"):
        there = os.readlink(f"/proc/{containers.status(container).pid}/ns/{name}")  # noqa: PTH115
        assert run(containers, container, ["readlink", f"/proc/self/ns/{name}"]).text.strip() == there


def test_it_is_held_by_the_containers_cgroup_capabilities_and_filter(containers: Containers) -> None:
    denied = [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]
    profile = {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"]}
    container = containers.started(["sleep", "60"], linux={"seccomp": profile | {"syscalls": denied}})
    script = (
        "grep -E 'CapEff|Seccomp:' /proc/self/status; mkdir /tmp/x; sort -u /proc/self/cgroup | cut -d: -f3 | sort -u"
    )
    result = run(containers, container, ["sh", "-c", script])
    assert result.text.split() == ["CapEff:", "00000000a80425fb", "Seccomp:", "2", "/"]
    assert b"not permitted" in result.stderr
    unconfined = container_process(containers.settings, container) | {"args": ["mkdir", "/tmp/x"]}
    assert finish(execute(containers.settings, container, ExecSpec(unconfined, unconfined=True))).code == 0


def test_user_directory_environment_and_input_are_its_own(containers: Containers) -> None:
    container = containers.started(["sleep", "60"])
    changes = {"user": {"uid": 5, "gid": 6}, "cwd": "/usr/bin", "env": ["PATH=/bin", "A=b"]}
    result = run(containers, container, ["sh", "-c", "id -u; id -g; pwd; echo $A; cat"], input=b"typed", **changes)
    assert result.text == "5\n6\n/usr/bin\nb\ntyped"


def test_a_terminal_of_the_containers_devpts(containers: Containers) -> None:
    container = containers.started(["sleep", "60"])
    process = container_process(containers.settings, container)
    process |= {"args": ["sh", "-c", "tty; stty size; read x; stty size; echo $x"], "terminal": True}
    process["consoleSize"] = {"width": 70, "height": 20}
    attachment = execute(containers.settings, container, ExecSpec(process, stdin=True))
    assert read_until(attachment, b"20 70").split() == [b"/dev/pts/0", b"20", b"70"]
    attachment.resize(71, 21)
    attachment.send(b"hello\n")
    assert b"21 71\r\nhello\r\n" in finish(attachment).stdout


@pytest.mark.parametrize(
    ("command", "error", "words"),
    [
        ("frobnicate", CommandNotFound, 'exec: "frobnicate": executable file not found in $PATH'),
        ("/etc/passwd", CommandNotExecutable, 'exec: "/etc/passwd": permission denied'),
    ],
)
def test_a_command_that_cannot_run_is_told(
    containers: Containers, command: str, error: type[RuntimeFailure], words: str
) -> None:
    container = containers.started(["sleep", "60"])
    with pytest.raises(error) as raised:
        run(containers, container, [command])
    assert str(raised.value) == f"OCI runtime exec failed: {words}"
    assert containers.status(container).running


def test_only_in_a_container_that_runs(containers: Containers) -> None:
    container = containers.make(["sleep", "60"])
    with pytest.raises(Conflict, match="is not running"):
        run(containers, container, ["true"])
    containers_started = containers.started(["sleep", "60"])
    control.pause(containers.settings, containers_started)
    with pytest.raises(Conflict, match="is paused"):
        run(containers, containers_started, ["true"])


def test_it_ends_with_its_container_and_its_client_is_told(containers: Containers) -> None:
    container = containers.started(["sleep", "60"])
    process = container_process(containers.settings, container) | {"args": ["sleep", "50"]}
    attachment = execute(containers.settings, container, ExecSpec(process))
    control.kill(containers.settings, container, 9, by_user=True)
    assert finish(attachment).code == 137


def test_one_that_is_killed_on_its_way_in_is_told_and_the_container_goes_on(containers: Containers) -> None:
    container = containers.started(["sleep", "60"])
    cgroup = f"{containers.settings.cgroup_parent}/{container}"
    process = container_process(containers.settings, container) | {"args": ["true"]}
    connection = control.connect(containers.settings, container)
    assert connection
    cgroups.freeze(cgroup)  # so it comes no farther than the cgroup
    connection.send(protocol.frame(protocol.EXECUTE, process, False, None))
    monitor = psutil.Process(containers.state(container)["monitor_pid"])
    eventually(lambda: len(monitor.children()) > 1)
    (entering,) = (child for child in monitor.children() if child.pid != containers.status(container).pid)
    entering.kill()
    cgroups.thaw(cgroup)
    with pytest.raises(RuntimeFailure, match=r"^exec: the process was killed before it could execute its command$"):
        failure.raise_from(connection.recv(protocol.SOCKET_BUFFER), "exec")
    connection.close()
    assert run(containers, container, ["true"]).code == 0


def test_closed_it_goes_on_in_the_background(containers: Containers) -> None:
    container = containers.started(["sleep", "60"])
    process = container_process(containers.settings, container)
    process |= {"args": ["sh", "-c", "sleep 0.1; echo lost; echo done >/tmp/mark"]}
    execute(containers.settings, container, ExecSpec(process)).close()
    mark = containers.settings.container_dir(container) / "upper/tmp/mark"
    eventually(lambda: mark.exists() and mark.read_text() == "done\n")


def test_many_at_once_each_have_their_own_streams(containers: Containers) -> None:
    container = containers.started(["sleep", "60"])
    process = container_process(containers.settings, container)
    attachments = [
        execute(containers.settings, container, ExecSpec(process | {"args": ["sh", "-c", f"echo {n}; exit {n}"]}))
        for n in range(20)
    ]
    results = [finish(attachment) for attachment in attachments]
    assert [(result.code, result.text) for result in results] == [(n, f"{n}\n") for n in range(20)]


def test_it_works_in_a_container_that_lost_its_monitor(containers: Containers) -> None:
    container = containers.started(["sleep", "60"])
    containers.kill_monitor(container)
    assert run(containers, container, ["echo", "still"]).text == "still\n"


def test_its_environment_may_be_large(containers: Containers) -> None:
    container = containers.started(["sleep", "60"])
    environment = ["PATH=/bin", *(f"V{n}={'x' * 1000}" for n in range(900))]
    assert run(containers, container, ["sh", "-c", "echo ${#V899}"], env=environment).text == "1000\n"


def test_its_process_is_no_zombie_afterwards(containers: Containers) -> None:
    container = containers.started(["sleep", "60"])
    process = container_process(containers.settings, container) | {"args": ["sleep", "0.1"]}
    attachment = execute(containers.settings, container, ExecSpec(process))
    pidfd = os.pidfd_open(attachment.pid)
    finish(attachment)
    select.select([pidfd], [], [], 5)
    assert not Path(f"/proc/{attachment.pid}").exists()
    os.close(pidfd)
