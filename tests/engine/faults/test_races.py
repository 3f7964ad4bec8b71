"""Several commands at once on one thing: no deadlock, no traceback, one winner and clear losers, nothing left."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence

import pytest

from engine.containers import lifecycle, records
from engine.engine import Engine
from engine.errors import Conflict, EngineError
from engine.frozen import replace
from engine.models import PortMapping, RunOptions
from engine.runtime import control, protocol, spawn
from engine.settings import Settings
from engine.state.database import Database
from tests.conftest import SMALL, Command, _remaining_traces, environment
from tests.engine.faults.leftovers import settled_leftovers
from tests.support.registry import PutImage, RegistryServer

NextCommand = Callable[[], str]
Outcome = tuple[int, str, str]


def at_once(settings: Settings, commands: Sequence[Sequence[str]]) -> list[Outcome]:
    """Run command lines at the same time: exit code, stdout and stderr of each."""
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "engine.cli.main", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(settings),
        )
        for words in commands
    ]
    outcomes = []
    for process in running:
        out, error = process.communicate(timeout=120)
        assert "Traceback" not in error and "unexpected" not in error, error
        outcomes.append((process.returncode, out, error))
    return outcomes


@pytest.mark.usefixtures("image")
async def test_fifty_at_once_by_twenty_commands_and_two_open_engines_run_and_leave_nothing(
    settings: Settings, next_command: NextCommand
) -> None:
    async def life(engine: Engine, number: int) -> None:
        ports = (PortMapping(80),) if number % 5 == 0 else ()
        made = await engine.run(RunOptions(SMALL, ("sleep", "60"), ports=ports, detach=True))
        assert (await engine.stop(made.id, grace=0)).exit_code == 137
        await engine.remove(made.id)

    commands = [("run", "--rm", SMALL, "echo", str(number)) for number in range(20)]
    async with Engine.open(settings) as one, Engine.open(settings) as other:
        lives = [life(engine, number) for engine in (one, other) for number in range(15)]
        outcomes, *_ = await asyncio.gather(asyncio.to_thread(at_once, settings, commands), *lives)
    assert outcomes == [(0, f"{number}\n", "") for number in range(20)]
    assert next_command() == ""


@pytest.mark.usefixtures("image")
async def test_of_two_engines_at_one_thing_one_wins_and_the_other_is_told(
    settings: Settings, next_command: NextCommand
) -> None:
    sleeper = RunOptions(SMALL, ("sleep", "60"), name="web", network="none", detach=True)
    async with Engine.open(settings) as one, Engine.open(settings) as other:
        for _ in range(6):
            await one.create(sleeper)
            loser = await only_loser(one.start("web"), other.remove("web"))
            if isinstance(loser, Conflict) and "cannot remove" in loser.message:
                await one.remove("web", force=True)
            assert await other.containers() == []
        for _ in range(5):
            await one.create(sleeper)
            loser = await only_loser(one.rename("web", "heir"), other.create(replace(sleeper, name="heir")))
            assert '"/heir" is already in use' in loser.message
            for container in await one.containers():
                await one.remove(container.id)
        for _ in range(3):
            await only_loser(one.run(sleeper), other.remove_image(SMALL))
            for container in await one.containers():
                await one.remove(container.id, force=True)
            if not await one.images():
                await one.add_host_image(SMALL)
    assert next_command() == ""


async def only_loser(*acts: Awaitable[object]) -> EngineError:
    """Do all at once: exactly one of them is refused, with a sentence."""
    outcomes = await asyncio.gather(*acts, return_exceptions=True)
    (loser,) = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert isinstance(loser, EngineError) and loser.message, repr(loser)
    return loser


def test_two_pulls_of_one_image_fetch_each_layer_once(
    settings: Settings, registry: RegistryServer, remote: PutImage, next_command: NextCommand
) -> None:
    registry.faults.throttle = 20_000  # bytes per second: the second is there before the first is done
    outcomes = at_once(settings, [("pull", "-q", f"{registry.host}/shop/app:1")] * 2)
    assert [(code, error) for code, _, error in outcomes] == [(0, "")] * 2
    asked = [request.path for request in registry.requests]
    for layer in remote.layers:
        assert sum(layer.descriptor["digest"] in path for path in asked) == 1
    assert next_command() == ""


@pytest.mark.usefixtures("image")
def test_of_five_runs_with_one_name_one_wins_and_four_are_told(
    settings: Settings, pilothouse: Command, next_command: NextCommand
) -> None:
    outcomes = at_once(settings, [("run", "-d", "--name", "web", SMALL, "sleep", "60")] * 5)
    assert sorted(code for code, _, _ in outcomes) == [0, 125, 125, 125, 125]
    for code, _, error in outcomes:
        assert not code or 'The container name "/web" is already in use by container' in error
    assert next_command().startswith("web Up")
    pilothouse("rm", "-f", "web")


@pytest.mark.usefixtures("image")
def test_of_five_runs_with_one_port_one_wins_and_four_are_told(
    settings: Settings, pilothouse: Command, next_command: NextCommand
) -> None:
    from engine.network import ports
    from engine.state.database import Database

    database = Database(settings.database)
    port = ports.free_port(settings, database, 20000, "tcp")
    database.close()
    outcomes = at_once(settings, [("run", "-d", "-p", f"{port}:80", SMALL, "sleep", "60")] * 5)
    assert sorted(code for code, _, _ in outcomes) == [0, 125, 125, 125, 125]
    for code, _, error in outcomes:
        assert not code or f"Bind for 0.0.0.0:{port} failed: port is already allocated" in error
    assert len(next_command().splitlines()) == 1
    pilothouse("rm", "-f", *(out.strip() for code, out, _ in outcomes if not code))


@pytest.mark.usefixtures("image")
def test_rm_against_start_one_of_them_wins_and_the_other_is_told(
    settings: Settings, pilothouse: Command, next_command: NextCommand
) -> None:
    for force in ((), ("-f",)):
        pilothouse("create", "--name", "web", SMALL, "sleep", "60")
        (started, _, refusal), (removed, _, conflict) = at_once(settings, [("start", "web"), ("rm", *force, "web")])
        if removed == 0:
            assert started == 0 or "No such container: web" in refusal
            assert next_command() == ""
        else:
            assert (started, force) == (0, ())
            assert 'cannot remove container "web": container is running' in conflict
            assert next_command().startswith("web Up")
            pilothouse("rm", "-f", "web")


@pytest.mark.usefixtures("image")
def test_of_three_removals_one_wins_and_the_others_are_told(
    settings: Settings, pilothouse: Command, next_command: NextCommand
) -> None:
    pilothouse("run", "-d", "--name", "web", SMALL, "sleep", "60")
    outcomes = at_once(settings, [("rm", "-f", "web")] * 3)
    assert [out for _, out, _ in outcomes].count("web\n") == 1
    assert all("No such container: web" in error for _, out, error in outcomes if not out)
    assert next_command() == ""


@pytest.mark.usefixtures("image")
def test_rmi_against_run_one_of_them_wins_and_the_other_is_told(
    settings: Settings, pilothouse: Command, next_command: NextCommand
) -> None:
    (ran, container, refusal), (removed, _, conflict) = at_once(
        settings, [("run", "-d", "--pull", "never", SMALL, "sleep", "60"), ("rmi", SMALL)]
    )
    if ran == 0:
        assert removed == 1 and "is using its referenced image" in conflict
        next_command()
        pilothouse("rm", "-f", container.strip())
    else:
        assert removed == 0
        assert "No such image" in refusal or "the image was removed while" in refusal
    assert next_command() == ""


@pytest.mark.usefixtures("image")
def test_stop_restart_and_kill_at_once_end_in_one_state(
    settings: Settings, pilothouse: Command, next_command: NextCommand
) -> None:
    pilothouse("run", "-d", "--name", "web", "-p", "0:80", SMALL, "sleep", "60")
    stops = [("stop", "-t", seconds, "web") for seconds in ("0", "1")]
    commands = [*stops, ("restart", "-t", "0", "web"), ("kill", "web"), ("ps",)]
    for code, _, error in at_once(settings, commands):
        assert code == 0 or "is not running" in error
    assert next_command().startswith("web ")
    assert pilothouse("start", "web").returncode == 0
    assert next_command().startswith("web Up")
    pilothouse("rm", "-f", "web")


@pytest.mark.usefixtures("image")
def test_an_exec_on_its_way_into_a_container_that_ends_leaves_nobody_behind(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The child that is to enter the container takes its time, in a monitor that is told so."""
    slow = "from engine.runtime import join; import time; join._enter = lambda *_: time.sleep(600); main()"
    monkeypatch.setattr(spawn, "_BOOTSTRAP", spawn._BOOTSTRAP.replace("main()", slow))
    database = Database(settings.database)
    try:
        record = lifecycle.create(settings, database, RunOptions(SMALL, ("sleep", "60"), name="web", network="none"))
        lifecycle.start(settings, database, record)
        connection = control.connect(settings, record.id)
        assert connection is not None
        connection.send(protocol.frame(protocol.EXECUTE, {"args": ["true"]}, False, None))
        lifecycle.remove(settings, database, records.find(database, "web"), force=True)
        assert connection.recv(protocol.CHUNK)[:1] == protocol.FAILED
        connection.close()
    finally:
        database.close()
    assert settled_leftovers(settings) == []
    assert _remaining_traces(settings) == []
