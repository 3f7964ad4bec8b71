"""The monitor: it survives its clients, is survived by its container, restarts, and tells the end."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from engine.errors import Conflict, RuntimeFailure
from engine.linux import processes
from engine.runtime import cgroups, control, launch, restart
from engine.runtime.session import WIDE_BYTES
from engine.state.events import EventReader
from tests.engine.runtime.conftest import Containers, eventually, finish, frames, is_exit_of_orphan, read_until

COUNTING = "n=0; while :; do n=$((n+1)); echo $n; sleep 0.02; done"


def test_a_container_outlives_its_killed_monitor_and_goes_on_logging_under_a_new_one(containers: Containers) -> None:
    container = containers.started(["sh", "-c", COUNTING])
    eventually(lambda: len(containers.log(container)) > 3)
    init = containers.status(container).pid
    containers.kill_monitor(container)
    now = containers.status(container)
    assert (now.state, now.pid, now.has_monitor, now.orphaned) == ("running", init, False, True)
    time.sleep(0.1)  # what is written meanwhile waits in the pipe
    launch.adopt(containers.settings, container)
    now = containers.status(container)
    assert (now.pid, now.has_monitor, now.orphaned) == (init, True, False)
    count = len(containers.log(container))
    eventually(lambda: len(containers.log(container)) > count + 3)
    numbers = [int(line) for line in containers.log(container)]
    assert numbers == list(range(1, len(numbers) + 1)), "not a line is lost"


def test_the_exit_code_of_an_adopted_container_is_known(containers: Containers) -> None:
    container = containers.started(["sh", "-c", "trap 'exit 33' TERM; echo ready; while :; do sleep 0.02; done"])
    eventually(lambda: containers.log(container))
    containers.kill_monitor(container)
    control.kill(containers.settings, container, signal.SIGTERM, by_user=True)  # adopts it first
    assert control.wait(containers.settings, container) == containers.state(container)["exit_code"]
    assert is_exit_of_orphan(containers.settings, container, 33)


def test_only_who_floods_gets_a_wider_pipe(containers: Containers) -> None:
    quiet = containers.started(["sh", "-c", "echo once; sleep 60"])
    flooding = containers.started(["sh", "-c", "while :; do echo line; done"])

    def width(container: str) -> int:
        fd = os.open(containers.settings.run_dir(container) / "stdout", os.O_RDONLY | os.O_NONBLOCK)
        try:
            return fcntl.fcntl(fd, fcntl.F_GETPIPE_SZ)
        finally:
            os.close(fd)

    eventually(lambda: width(flooding) == WIDE_BYTES)
    assert width(quiet) < WIDE_BYTES


def test_nobody_who_writes_gets_a_broken_pipe_when_the_monitor_is_killed(containers: Containers) -> None:
    # a child: process 1 is spared by the kernel
    container = containers.started(["sh", "-c", "(while :; do echo on and on; done); touch /ended; sleep 60"])
    containers.kill_monitor(container)
    time.sleep(0.1)
    assert containers.status(container).running
    assert not (containers.settings.container_dir(container) / "upper/ended").exists()
    attachment = control.attach(containers.settings, container)
    assert frames(attachment)[0][0] == "stdout"
    attachment.close()


@pytest.mark.parametrize("what", ["what is in it", "all of it"])
def test_a_monitor_whose_run_directory_was_emptied_is_reached_again(containers: Containers, what: str) -> None:
    container = containers.started(["sh", "-c", "trap 'exit 33' TERM; while :; do echo on; sleep 0.02; done"])
    run_dir = containers.settings.run_dir(container)
    shutil.rmtree(run_dir)
    if what == "what is in it":
        run_dir.mkdir(mode=0o700)
    attachment = control.attach(containers.settings, container)
    assert frames(attachment)[0][0] == "stdout"
    control.kill(containers.settings, container, signal.SIGTERM, by_user=True)
    assert finish(attachment).code == 33
    eventually(lambda: not containers.status(container).has_monitor)
    assert not os.path.lexists(run_dir / "control.sock")


def test_a_container_whose_monitor_cannot_be_reached_can_be_killed_all_the_same(
    containers: Containers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "PATIENCE", 0.2)
    container = containers.started(["sleep", "60"])
    monitor, init = (containers.state(container)[key] for key in ("monitor_pid", "pid"))
    os.kill(monitor, signal.SIGSTOP)
    shutil.rmtree(containers.settings.run_dir(container))
    with pytest.raises(RuntimeFailure, match=r"cannot be reached: .* was emptied"):
        control.attach(containers.settings, container)
    control.kill(containers.settings, container, signal.SIGKILL, by_user=True)
    eventually(lambda: not processes.start_time(init))
    os.kill(monitor, signal.SIGCONT)
    assert control.wait(containers.settings, container) == 137


@pytest.mark.parametrize("terminal", [False, True])
def test_stdin_and_terminal_survive_the_monitor(containers: Containers, terminal: bool) -> None:
    script = "while read x; do echo got $x; done; exit 9"
    container = containers.make(["sh", "-c", script], stdin_open=True, process={"terminal": terminal})
    attachment = containers.attached(container, stdin=True)
    attachment.send(b"one\n")
    read_until(attachment, b"got one")
    containers.kill_monitor(container)
    with pytest.raises(RuntimeFailure, match="monitor"):
        while True:
            frames(attachment)
    attachment.close()
    again = control.attach(containers.settings, container)
    again.send(b"two\n")
    read_until(again, b"got two")
    if terminal:
        again.send(b"\x04")
    again.close_stdin()
    assert finish(again).code == containers.state(container)["exit_code"]
    assert is_exit_of_orphan(containers.settings, container, 9)


def test_an_orphan_that_ended_unseen_is_recorded_when_it_is_adopted(containers: Containers) -> None:
    container = containers.started(["sleep", "60"])
    containers.kill_monitor(container)
    os.kill(containers.status(container).pid, signal.SIGKILL)
    eventually(lambda: not containers.status(container).running)
    now = containers.status(container)
    assert (now.state, now.exit_code, now.orphaned) == ("exited", 255, True)
    launch.adopt(containers.settings, container)
    now = containers.status(container)
    assert (now.state, now.exit_code, now.orphaned) == ("exited", 255, False)
    assert not any(map(os.path.exists, cgroups.find(f"{containers.settings.cgroup_parent}/{container}").directories))


@pytest.mark.parametrize("delay", [0.0, 0.01, 0.015, 0.02, 0.025, 0.03])
def test_a_monitor_killed_while_it_starts_leaves_a_recorded_container_or_none(
    containers: Containers, delay: float
) -> None:
    container = containers.make(["sleep", "60"])
    starter = os.fork()
    if starter == 0:
        try:
            launch.start(containers.settings, container)
        finally:
            os._exit(0)
    time.sleep(delay)
    directory = os.fspath(containers.settings.container_dir(container)).encode()
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if directory in entry.read_bytes():
                os.kill(int(entry.parent.name), signal.SIGKILL)
        except (OSError, ValueError):
            continue
    os.waitpid(starter, 0)
    path = f"{containers.settings.cgroup_parent}/{container}"
    eventually(lambda: (cgroups.pids(path) == []) == (not containers.status(container).running))
    if not containers.status(container).running:
        cgroups.remove(path)


def test_a_start_after_a_killed_start_works(containers: Containers) -> None:
    container = containers.make(["echo", "hi"])
    (containers.settings.run_dir(container)).mkdir(parents=True)
    for name in ("stdout", "stderr"):
        os.mkfifo(containers.settings.run_dir(container) / name)
    (containers.settings.run_dir(container) / "control.sock").touch()
    cgroups.create(f"{containers.settings.cgroup_parent}/{container}", {})
    assert finish(containers.attached(container)).stdout == b"hi\n"


def test_detaching_leaves_the_container_running(containers: Containers) -> None:
    container = containers.make(["sh", "-c", COUNTING])
    attachment = containers.attached(container)
    frames(attachment)
    attachment.close()
    count = len(containers.log(container))
    eventually(lambda: len(containers.log(container)) > count + 5)


def test_two_clients_see_the_same_from_the_moment_they_come(containers: Containers) -> None:
    container = containers.make(["sh", "-c", "echo early; read x; echo late"], stdin_open=True)
    first = containers.attached(container, stdin=True)
    read_until(first, b"early\n")
    second = control.attach(containers.settings, container)
    first.send(b"go\n")
    assert finish(second).stdout == b"late\n"
    assert finish(first).stdout == b"late\n"


def test_stdin_ends_with_its_first_client_where_the_bundle_says_so(containers: Containers) -> None:
    container = containers.make(["cat"], stdin_open=True, stdin_once=True)
    containers.attached(container, stdin=True).close()
    assert control.wait(containers.settings, container) == 0


def test_a_client_that_does_not_read_holds_the_writer_up_only_for_a_while(
    containers: Containers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one process, with the patience of a test: what a monitor does with a client that never reads."""
    from engine.runtime import client as clients
    from engine.runtime import protocol
    from engine.runtime.client import Client
    from engine.runtime.loop import Loop
    from engine.runtime.session import Session

    monkeypatch.setattr(clients, "PATIENCE", 0.3)
    loop = Loop()
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    session = Session(loop, {reader: protocol.STDOUT}, -1, tty=False)
    ours, theirs = protocol.pair()
    client = Client(ours, loop, lambda client, packet: None, lambda client: None)
    session.attach(client)
    written, begin, stalled = 0, time.monotonic(), 0.0
    loop.after(20, "the end of this test's patience", lambda: None)
    while written < 40 << 20 and time.monotonic() < begin + 20:
        try:
            written += os.write(writer, b"x" * 4096)
        except BlockingIOError:
            before = time.monotonic()
            loop.turn()
            stalled = max(stalled, time.monotonic() - before)
    assert written >= 40 << 20, "the writer was stopped for ever"
    assert stalled > 0.2, "the writer was never made to wait"
    session.close()
    client.close()
    theirs.close()
    os.close(writer)


def test_restarts_follow_the_policy_and_are_counted(containers: Containers) -> None:
    policy = {"name": "on-failure", "maximum_retry_count": 2}
    container = containers.make(["sh", "-c", "echo run; exit 4"], restart=policy)
    begin = time.monotonic()
    result = finish(containers.attached(container))
    assert (result.code, result.stdout) == (4, b"run\nrun\nrun\n")
    assert time.monotonic() - begin > 0.3, "100 and 200 ms between the runs"
    assert containers.status(container).restart_count == 2
    assert finish(containers.attached(containers.make(["true"], restart=policy))).code == 0


def test_a_stop_by_the_user_ends_a_container_that_would_always_restart(containers: Containers) -> None:
    container = containers.started(["sleep", "60"], restart={"name": "always"})
    control.kill(containers.settings, container, signal.SIGKILL, by_user=True)
    assert control.wait_for_exit(containers.settings, container, 10)
    assert containers.status(container).exit_code == 137
    assert containers.status(container).state == "exited"


def test_a_stop_by_the_user_ends_the_pause_before_a_restart(containers: Containers) -> None:
    container = containers.started(["false"], restart={"name": "always"})
    eventually(
        lambda: containers.status(container).restart_count >= 2 and containers.status(container).state == "restarting"
    )
    control.kill(containers.settings, container, signal.SIGTERM, by_user=True)
    assert control.wait_for_exit(containers.settings, container, 10)
    assert containers.status(container).exit_code == 1


def test_a_container_killed_by_someone_else_is_restarted(containers: Containers) -> None:
    container = containers.started(["sleep", "60"], restart={"name": "unless-stopped"})
    first = containers.status(container).pid
    os.kill(first, signal.SIGKILL)
    eventually(lambda: containers.status(container).running and containers.status(container).pid != first)


def test_a_restarting_container_whose_monitor_is_killed_restarts_when_adopted(containers: Containers) -> None:
    container = containers.started(["sh", "-c", "sleep 0.05; exit 3"], restart={"name": "always"})
    eventually(lambda: containers.status(container).restart_count >= 3)
    eventually(lambda: containers.status(container).state == "restarting")
    containers.kill_monitor(container)
    assert containers.status(container).orphaned
    count = containers.state(container)["restart_count"]
    launch.adopt(containers.settings, container)
    eventually(lambda: containers.status(container).restart_count > count)


def test_backoff_doubles_to_a_minute_and_begins_anew_after_a_steady_run() -> None:
    backoff = restart.Backoff()
    pauses = [backoff.next() for _ in range(12)]
    assert pauses[:4] == [0.1, 0.2, 0.4, 0.8]
    assert pauses[-1] == 60.0
    backoff.ended(11)
    assert backoff.next() == 0.1


def test_the_exit_command_runs_unless_a_client_cleans_up_itself(containers: Containers, tmp_path: Path) -> None:
    for acknowledged in (False, True):
        mark = tmp_path / str(acknowledged)
        container = containers.make(["true"], exit_command=["/usr/bin/touch", str(mark)])
        attachment = containers.attached(container)
        while attachment.exit_code is None:
            frames(attachment)
        if acknowledged:
            attachment.acknowledge()
        attachment.close()
        eventually(lambda container=container: not containers.status(container).has_monitor)
        if acknowledged:
            assert not mark.exists()
        else:
            eventually(mark.exists)


def test_the_state_is_on_disk_before_anyone_is_told_of_the_exit(containers: Containers) -> None:
    container = containers.make(["sh", "-c", "exit 3"])
    attachment = containers.attached(container)
    while attachment.exit_code is None:
        frames(attachment)
    state = json.loads((containers.settings.container_dir(container) / "state.json").read_text())
    assert (state["status"], state["exit_code"], state["pid"]) == ("exited", 3, 0)
    assert state["finished"] >= state["started"] > 0
    attachment.close()


def test_memory_exhaustion_is_told(containers: Containers) -> None:
    container = containers.make(
        ["sh", "-c", "x=x; while :; do x=$x$x; done"],
        linux={"resources": {"memory": {"limit": 8 << 20, "swap": 8 << 20}}},
    )
    assert finish(containers.attached(container)).code == 137
    assert containers.status(container).oom_killed
    actions = [event.action for event in EventReader(str(containers.settings.journal), 0).read()]
    assert actions == ["start", "oom", "die"]


def test_events_tell_start_and_end_with_the_exit_code(containers: Containers) -> None:
    container = containers.make(["sh", "-c", "exit 3"])
    finish(containers.attached(container))
    with EventReader(str(containers.settings.journal), 0) as reader:
        told = [(event.action, event.id, event.name, event.attributes.get("exitCode")) for event in reader.read()]
    assert told == [("start", container, "boxy", None), ("die", container, "boxy", "3")]


def test_the_end_tells_how_long_the_run_went_on_by_the_state(containers: Containers) -> None:
    container = containers.make(["true"])
    finish(containers.attached(container))
    state = json.loads((containers.settings.container_dir(container) / "state.json").read_text())
    with EventReader(str(containers.settings.journal), 0) as reader:
        (told,) = [event.attributes["ran"] for event in reader.read() if event.action == "die"]
    assert float(told) == pytest.approx(state["finished"] - state["started"], abs=1e-6)


def test_a_monitor_leaves_nobody_a_zombie(containers: Containers) -> None:
    containers.run(["true"])
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_a_monitor_is_small(containers: Containers) -> None:
    container = containers.started(["sleep", "60"])
    eventually(lambda: processes.start_time(containers.state(container)["monitor_pid"]))
    rollup = Path(f"/proc/{containers.state(container)['monitor_pid']}/smaps_rollup").read_text()
    pss = next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    assert pss < 8 << 10, "kilobytes"


def test_without_a_monitor_there_is_nothing_to_attach_to(containers: Containers) -> None:
    container = containers.make(["true"])
    finish(containers.attached(container))
    with pytest.raises(Conflict, match="cannot attach to a stopped container"):
        control.attach(containers.settings, container)
