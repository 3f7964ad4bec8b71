"""kill -9 of a command, a monitor or an exit command at named points and at random ones: the next command mends it."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.engine import Engine
from engine.models import LogQuery
from engine.runtime.status import read_state
from engine.settings import Settings
from tests.conftest import PROJECT, SMALL, Command, environment
from tests.engine.faults.leftovers import leftovers, settled_leftovers
from tests.support.registry import PutImage, RegistryServer

NextCommand = Callable[[], str]
SLEEPER = ("run", "-d", "-p", "0:80", "-v", "/data", "--name", "web", SMALL, "sleep", "60")
PASSING = ("run", "-d", "--rm", "-p", "0:80", "-v", "/data", "--name", "web", SMALL, "true")
ALONE = ("run", "-d", "--rm", "--network", "host", "--name", "web", SMALL, "true")

# who is killed, where, before or after it, in which command, and what may be there afterwards
RUNS = [
    ("cli", "network.ports.reserve", "return", SLEEPER, ("",)),
    ("cli", "containers.lifecycle.make_directories", "return", SLEEPER, ("",)),
    ("cli", "containers.records.insert", "return", SLEEPER, ("",)),
    ("cli", "containers.volumes.make", "return", SLEEPER, ("",)),
    ("cli", "network.addresses.claim", "return", SLEEPER, ("web Created",)),
    ("cli", "network.links.create_veth", "return", SLEEPER, ("web Created",)),
    ("cli", "containers.prepare.prepare", "return", SLEEPER, ("web Created",)),
    ("cli", "network.ports._put", "return", SLEEPER, ("web Created",)),
    ("cli", "network.holding._spawn", "return", SLEEPER, ("web Created",)),
    ("cli", "network.holding.start", "return", SLEEPER, ("web Created",)),
    ("cli", "runtime.spawn.Waiting.give", "return", SLEEPER, ("web Created", "web Up")),
    ("cli", "runtime.launch.await_start", "return", SLEEPER, ("web Up",)),
    ("cli", "network.ports._put", "return", PASSING, ("",)),
    ("monitor", "runtime.cgroups.create", "return", SLEEPER, ("web Created",)),
    ("monitor", "runtime.start.Stdio.close_inner", "return", SLEEPER, ("web Created",)),
    ("monitor", "runtime.monitor.Monitor._record", "return", SLEEPER, ("web Created", "web Exited")),
    ("monitor", "runtime.monitor.Monitor._init_ended", "call", PASSING, ("",)),
    ("monitor", "runtime.monitor.Monitor._finish", "call", PASSING, ("",)),
    ("monitor", "runtime.monitor.Monitor._end", "call", PASSING, ("",)),
    ("monitor", "runtime.monitor.Monitor._end", "call", ALONE, ("",)),
    ("finish", "network.endpoints.disconnect", "call", PASSING, ("",)),
    ("finish", "containers.lifecycle.remove_directories", "return", PASSING, ("",)),
    ("finish", "containers.volumes._delete", "call", PASSING, ("",)),
]
# the same for commands on a container that runs
ON_RUNNING = [
    ("runtime.control.kill", ("stop", "-t", "5", "web"), ("web Exited", "web Up")),
    ("runtime.control.wait_for_exit", ("stop", "-t", "0", "web"), ("web Exited",)),
    ("network.ports.unpublish", ("stop", "-t", "0", "web"), ("web Exited",)),
    ("containers.records.mark_removing", ("rm", "-fv", "web"), ("",)),
    ("network.endpoints.disconnect", ("rm", "-fv", "web"), ("",)),
    ("containers.volumes.remove_anonymous", ("rm", "-fv", "web"), ("",)),
    ("runtime.execute.execute", ("exec", "web", "sleep", "0.1"), ("web Up",)),
]


def dying(settings: Settings, who: str, point: str, when: str, words: tuple[str, ...]) -> None:
    """Run a command line of which something is killed at a point, and wait until it has come to that."""
    mark = settings.root.parent / "died"
    command = [sys.executable, "-m", "tests.engine.faults.dying", who, point, when, str(mark), *words]
    ended = subprocess.run(command, env=environment(settings), cwd=PROJECT, capture_output=True, timeout=60)
    assert b"Traceback" not in ended.stderr, ended.stderr
    assert who != "cli" or ended.returncode == -signal.SIGKILL, f"{point} was not passed: {ended.stderr!r}"
    assert who != "interrupted" or (ended.returncode, ended.stderr) == (130, b""), ended.stderr
    deadline = time.monotonic() + 60
    while not mark.exists():
        assert time.monotonic() < deadline, f"{point} was not passed"
        time.sleep(0.01)
    killed = int(mark.read_text())
    while who != "interrupted" and is_there(killed):  # it made the mark a moment before its end
        assert time.monotonic() < deadline, f"{point}: {killed} lives"
        time.sleep(0.01)
    mark.unlink()


def is_there(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def state_of(shown: str, allowed: tuple[str, ...]) -> bool:
    return any(shown.startswith(words) if words else shown == "" for words in allowed)


@pytest.mark.usefixtures("image")
def test_a_run_killed_at_any_of_its_steps_leaves_nothing_or_a_container_in_order(
    settings: Settings, pilothouse: Command, next_command: NextCommand
) -> None:
    for who, point, when, words, allowed in RUNS:
        dying(settings, who, point, when, words)
        print("killed:", who, point)
        shown = next_command()
        if "--rm" in words:
            shown = until_gone(next_command, shown)
        assert state_of(shown, allowed), (who, point, shown)
        if shown:
            assert pilothouse("rm", "-fv", "web").returncode == 0
        assert settled_leftovers(settings) == [], (who, point)


@pytest.mark.parametrize(
    ("point", "when", "words", "allowed"),
    [
        ("containers.volumes.data_directory", "return", ("volume", "create", "data"), ("", "data")),
        ("containers.volumes._emit", "call", ("volume", "create", "data"), ("data",)),
        ("containers.volumes._delete", "call", ("volume", "rm", "data"), ("", "data")),
        ("containers.volumes._clear_away", "call", ("volume", "rm", "data"), ("",)),
        ("containers.volumes._delete", "return", ("volume", "rm", "data"), ("",)),
        ("containers.volumes._emit", "call", ("volume", "rm", "data"), ("",)),
        ("containers.volumes._delete", "return", ("volume", "prune", "-af"), ("",)),
    ],
)
@pytest.mark.usefixtures("image")
def test_a_volume_is_whole_or_gone_wherever_its_command_is_killed(
    settings: Settings,
    pilothouse: Command,
    next_command: NextCommand,
    point: str,
    when: str,
    words: tuple[str, ...],
    allowed: tuple[str, ...],
) -> None:
    if "create" not in words:
        assert (
            pilothouse("run", "--rm", "-v", "data:/data", SMALL, "sh", "-c", "echo kept > /data/file").returncode == 0
        )
    dying(settings, "cli", point, when, words)
    next_command()
    there = pilothouse("volume", "ls", "-q").stdout.decode().strip()
    assert there in allowed
    if there and "create" not in words:
        assert (settings.volumes / "data" / "_data" / "file").read_text() == "kept\n"
    assert settled_leftovers(settings) == []


def until_gone(next_command: NextCommand, shown: str) -> str:
    """Its init may not have ended yet: then its monitor, or the next command, removes it."""
    deadline = time.monotonic() + 60
    while shown and time.monotonic() < deadline:
        shown = next_command()
    return shown


@pytest.mark.usefixtures("image")
def test_a_command_on_a_running_container_killed_at_any_of_its_steps(
    settings: Settings, pilothouse: Command, next_command: NextCommand
) -> None:
    for point, words, allowed in ON_RUNNING:
        if next_command() == "":
            assert pilothouse(*SLEEPER).returncode == 0
        assert pilothouse("start", "web").returncode == 0
        dying(settings, "cli", point, "return", words)
        shown = next_command()
        assert state_of(shown, allowed), (point, shown)
    pilothouse("rm", "-fv", "web")
    assert next_command() == ""


@pytest.mark.usefixtures("image")
def test_ctrl_c_at_any_step_of_a_start_leaves_a_container_that_does_not_run(
    settings: Settings, pilothouse: Command, next_command: NextCommand
) -> None:
    for point in (
        "network.endpoints.connect",
        "runtime.spawn.Waiting.give",
        "runtime.launch.await_start",
        "runtime.launch.start",
    ):
        for words, allowed in ((SLEEPER, ("web Created", "web Exited")), (("run", "--rm", *SLEEPER[1:]), ("",))):
            dying(settings, "interrupted", point, "return", words)
            assert state_of(next_command(), allowed), point
            pilothouse("rm", "-fv", "web")
    assert next_command() == ""


@pytest.mark.usefixtures("image")
def test_runs_killed_at_random_moments_leave_nothing_or_a_container_in_order(
    settings: Settings, pilothouse: Command, next_command: NextCommand
) -> None:
    chance = random.Random(time.time_ns())
    for _ in range(12):
        moment = chance.uniform(0.02, 0.6)
        command = [sys.executable, "-m", "engine.cli.main", *chance.choice((SLEEPER, PASSING))]
        killed_after(settings, command, moment)
        shown = next_command()
        if shown:
            pilothouse("rm", "-fv", "web")
        assert settled_leftovers(settings) == [], f"killed after {moment} s"


def killed_after(settings: Settings, command: list[str], seconds: float) -> None:
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet, env=environment(settings))
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def test_a_pull_killed_at_any_of_its_steps_leaves_nothing_and_goes_on_the_next_time(
    settings: Settings, pilothouse: Command, registry: RegistryServer, remote: PutImage, next_command: NextCommand
) -> None:
    reference = f"{registry.host}/shop/app:1"
    for point in (
        "images.blobs.write",
        "images.snapshots.stage",
        "images.quick._unpacked",
        "images.snapshots.commit",
        "images.records.insert",
        "images.gc._set_aside",
    ):
        dying(settings, "cli", point, "return", ("pull", "-q", reference))
        next_command()
        assert pilothouse("images", "-q").stdout.decode().strip() in ("", remote.id[7:19]), point
        pilothouse("rmi", "-f", reference)
        assert settled_leftovers(settings) == [], point
    registry.faults.throttle = 20_000
    command = [sys.executable, "-m", "engine.cli.main", "pull", "-q", reference]
    for moment in (0.5, 0.8, 1.1):
        killed_after(settings, command, moment)
        next_command()
    registry.faults.throttle = 0
    assert pilothouse("pull", "-q", reference).returncode == 0
    dying(settings, "cli", "images.removal._Removal.by_name", "return", ("rmi", reference))
    next_command()
    assert pilothouse("images", "-q").stdout.decode().strip() == remote.id[7:19]
    dying(settings, "cli", "images.gc._forget", "call", ("rmi", reference))
    next_command()
    assert pilothouse("images", "-q").stdout == b""
    assert list(settings.snapshots.glob("[0-9a-f]*")) == []


@pytest.mark.usefixtures("image")
async def test_containers_run_on_and_go_on_logging_whichever_process_is_killed(
    settings: Settings, pilothouse: Command, next_command: NextCommand
) -> None:
    script = "i=0; while :; do i=$((i+1)); echo $i; sleep 0.02; done"
    foreground = in_foreground(settings, "run", "-i", "--name", "web", "-p", "0:80", SMALL, "sh", "-c", script)
    assert foreground.stdout and foreground.stdout.readline() == b"1\n"
    foreground.kill()
    foreground.wait()
    foreground.stdout.close()
    assert next_command().startswith("web Up")
    async with Engine.open(settings) as engine:
        made = await engine.container("web")
        for _ in range(3):
            state = read_state(str(settings.container_dir(made.id)))
            os.kill(state["monitor_pid"], signal.SIGKILL)
            assert next_command().startswith("web Up")
            assert (await engine.container("web")).pid == made.pid
            async for _ in engine.logs("web", LogQuery(follow=True, tail=0)):
                break  # a line of after the kill
        lines = [int(line.text) async for line in engine.logs("web")]
    assert lines == list(range(1, len(lines) + 1))  # and none was lost or written twice
    pilothouse("rm", "-f", "web")
    assert next_command() == ""


@pytest.mark.usefixtures("image")
def test_a_container_stopped_by_the_user_does_not_come_back_though_command_and_monitor_are_killed(
    settings: Settings, pilothouse: Command, next_command: NextCommand
) -> None:
    script = "trap '' TERM; until [ -e /go ]; do sleep 0.05; done"
    made = pilothouse("run", "-d", "--name", "web", "--restart", "always", SMALL, "sh", "-c", script)
    directory = str(settings.container_dir(made.stdout.decode().strip()))
    stop = in_foreground(settings, "stop", "-t", "600", "web")
    deadline = time.monotonic() + 60
    while not read_state(directory)["stopped_by_user"]:
        assert stop.poll() is None and time.monotonic() < deadline
    kill_and_close(stop)
    for _ in range(2):
        os.kill(read_state(directory)["monitor_pid"], signal.SIGKILL)
        assert next_command().startswith("web Up")
    pilothouse("exec", "web", "sh", "-c", ": > /go")
    while (state := read_state(directory))["status"] == "running":
        assert state["restart_count"] == 0
    assert (state["status"], state["restart_count"]) == ("exited", 0)
    assert next_command().startswith("web Exited (0)")
    assert pilothouse("start", "web").returncode == 0
    state = read_state(directory)
    assert not state["stopped_by_user"], "another life, another policy"
    assert pilothouse("rm", "-f", "web").returncode == 0
    assert next_command() == ""


def kill_and_close(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        assert pipe is not None
        pipe.close()


def in_foreground(settings: Settings, *words: str) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    command = [sys.executable, "-m", "engine.cli.main", *words]
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment(settings))


@pytest.mark.usefixtures("image")
def test_a_port_stays_held_when_its_holder_is_killed(
    settings: Settings, pilothouse: Command, next_command: NextCommand
) -> None:
    from engine.network import holding

    made = pilothouse(*SLEEPER).stdout.decode().strip()
    port = int(pilothouse("port", "web", "80").stdout.decode().partition("\n")[0].rpartition(":")[2])
    ((pid, _),) = holding._recorded(settings, made)
    os.kill(pid, signal.SIGKILL)
    assert next_command().startswith("web Up")
    with pytest.raises(OSError, match="in use"), socket.create_server(("0.0.0.0", port)):
        pass
    pilothouse("rm", "-fv", "web")
    assert next_command() == ""


@pytest.mark.usefixtures("image")
def test_a_dashboard_that_is_killed_takes_nothing_with_it(
    settings: Settings, pilothouse: Command, next_command: NextCommand
) -> None:
    pilothouse(*SLEEPER)
    with dashboard(settings) as screen:
        assert "web" in screen
    assert next_command().startswith("web Up")
    pilothouse("rm", "-fv", "web")
    assert next_command() == ""


class dashboard:  # a verb, as it were: `with dashboard(settings) as screen:`
    """The dashboard in a terminal of its own until it shows something; killed at the end of the block."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def __enter__(self) -> str:
        self._pid, self._terminal = os.forkpty()
        if self._pid == 0:
            surroundings = {**environment(self._settings), "TERM": "xterm-256color", "COLUMNS": "120", "LINES": "30"}
            os.execve(sys.executable, [sys.executable, "-m", "engine.cli.main", "dash"], surroundings)
        return "".join(self._shown())

    def _shown(self) -> Iterator[str]:
        shown = b""
        while b"web" not in shown:
            shown += os.read(self._terminal, 65536)
        yield shown.decode(errors="replace")

    def __exit__(self, *_: object) -> None:
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        os.close(self._terminal)


def test_without_the_locks_that_a_killed_command_leaves_nothing_would_be_mended(
    settings: Settings, registry: RegistryServer, remote: PutImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guard that these tests rest on, taken out for once."""
    from engine.containers import reconcile
    from engine.state.database import Database

    dying(settings, "cli", "images.snapshots.stage", "return", ("pull", "-q", f"{registry.host}/shop/app:1"))
    database = Database(settings.database)
    try:
        with monkeypatch.context() as patched:
            patched.setattr(reconcile, "left_behind", lambda _: {})
            reconcile.reconcile(settings, database)
        assert "staged layer" in str(leftovers(settings))
        reconcile.reconcile(settings, database)
        assert settled_leftovers(settings) == []
    finally:
        database.close()
