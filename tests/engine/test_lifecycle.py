"""Containers from create to remove, on the real kernel."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from typing import Any

import pytest

from engine.engine import Engine
from engine.errors import CommandNotExecutable, CommandNotFound, Conflict, InvalidInput, NotFound, PortTaken
from engine.images import store
from engine.models import LogQuery, PortMapping, RestartPolicy, RunOptions, State
from engine.settings import Settings
from engine.state.database import Database
from tests.conftest import SMALL, remaining_traces, traces

pytestmark = pytest.mark.usefixtures("image")


def shell(script: str, **options: object) -> RunOptions:
    return RunOptions(SMALL, ("sh", "-c", script), **options)  # type: ignore[arg-type]


async def output(engine: Engine, container: str) -> bytes:
    return b"\n".join([line.text async for line in engine.logs(container)])


async def test_a_container_runs_its_command_and_keeps_its_output_and_exit_code(engine: Engine) -> None:
    container = await engine.run(shell("echo out; echo err >&2; exit 7"))
    assert await engine.wait(container.id) == 7
    ended = await engine.container(container.id)
    assert (ended.state, ended.exit_code, ended.pid) == (State.EXITED, 7, 0)
    assert sorted([(line.stream, line.text) async for line in engine.logs(container.id)]) == [
        ("stderr", b"err"),
        ("stdout", b"out"),
    ]


async def test_a_detached_container_outlives_the_engine_that_started_it(settings: Settings) -> None:
    async with Engine.open(settings) as engine:
        web = await engine.run(shell("sleep 60", name="web"))
    async with Engine.open(settings) as again:
        assert (await again.container("web")).state is State.RUNNING
        os.kill(web.pid, 0)
        await again.stop("web", grace=0)
        assert (await again.container("web")).exit_code == 137


async def test_stop_sends_the_stop_signal_and_the_program_may_end_as_it_likes(engine: Engine) -> None:
    await engine.run(
        shell("trap 'echo bye; exit 3' USR1; echo ready; while :; do sleep 0.05; done", name="web", stop_signal="USR1")
    )
    await ready(engine, "web")
    stopped = await engine.stop("web")
    assert stopped.exit_code == 3
    assert (await output(engine, "web")).endswith(b"bye")


async def test_stop_kills_after_the_grace(engine: Engine) -> None:
    script = "trap '' TERM; echo ready; while :; do sleep 0.05; done"
    await engine.run(shell(script, name="deaf", stop_timeout=3600))  # not this one
    await ready(engine, "deaf")
    began = time.monotonic()
    assert (await engine.stop("deaf", grace=0.3)).exit_code == 137
    assert time.monotonic() - began >= 0.3


async def test_a_container_starts_again_with_its_files_and_a_longer_log(engine: Engine) -> None:
    container = await engine.run(shell("echo run >> /runs; cat /runs; exit 0", name="again"))
    await engine.wait(container.id)
    await engine.start("again")
    await engine.wait("again")
    assert await output(engine, "again") == b"run\nrun\nrun"


async def test_rm_on_exit_leaves_nothing(engine: Engine, settings: Settings) -> None:
    container = await engine.run(shell("true", remove=True))
    await gone(engine, container.id)
    assert not settings.container_dir(container.id).exists()
    assert not settings.run_dir(container.id).exists()


async def test_a_running_container_is_removed_by_force_alone(engine: Engine) -> None:
    await engine.run(shell("sleep 60", name="web"))
    with pytest.raises(Conflict, match='cannot remove container "web": container is running: stop the container'):
        await engine.remove("web")
    await engine.remove("web", force=True)
    assert await engine.containers() == []


async def test_a_name_in_use_is_refused_in_dockers_words(engine: Engine) -> None:
    first = await engine.create(shell("true", name="web"))
    with pytest.raises(Conflict, match=f'The container name "/web" is already in use by container "{first.id}"'):
        await engine.create(shell("true", name="web"))
    assert len(await engine.containers()) == 1


async def test_an_image_that_is_removed_while_a_container_of_it_is_made_is_told(
    engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine.containers import lifecycle

    plain = lifecycle.make_directories

    def make_directories(*arguments: Any) -> None:
        plain(*arguments)
        database = Database(settings.database)
        store.remove(settings, database, SMALL)
        database.close()

    monkeypatch.setattr(lifecycle, "make_directories", make_directories)
    with pytest.raises(NotFound, match="the image was removed while the container was being created"):
        await engine.create(shell("true"))
    assert await engine.containers() == []
    assert list(settings.containers.iterdir()) == []


async def test_containers_are_found_by_name_id_and_unique_prefix(engine: Engine) -> None:
    made = await engine.create(shell("true", name="web"))
    for word in ("web", "/web", made.id, made.id[:7]):
        assert (await engine.container(word)).id == made.id
    for word in ("we", "xyz", "0" * 12):
        with pytest.raises(NotFound, match=f"No such container: {word}"):
            await engine.container(word)


async def test_a_command_that_is_not_there_is_127_and_one_that_cannot_be_executed_126(engine: Engine) -> None:
    with pytest.raises(CommandNotFound, match='exec: "nope": executable file not found in \\$PATH') as missing:
        await engine.run(RunOptions(SMALL, ("nope",), name="missing"))
    with pytest.raises(CommandNotExecutable, match='exec: "/etc/passwd": permission denied') as denied:
        await engine.run(RunOptions(SMALL, ("/etc/passwd",), name="denied"))
    assert (missing.value.exit_code, denied.value.exit_code) == (127, 126)
    left = await engine.container("missing")
    assert left.state is State.CREATED
    assert "not found" in left.error
    assert missing.value.container_id == left.id


async def test_a_failed_start_with_rm_leaves_nothing(engine: Engine, settings: Settings) -> None:
    with pytest.raises(CommandNotFound) as missing:
        await engine.run(RunOptions(SMALL, ("nope",), remove=True, ports=(PortMapping(80, 0),)))
    assert missing.value.container_id == ""
    assert await engine.containers() == []
    assert await remaining_traces(settings) == []


async def test_a_taken_port_is_refused_before_anything_is_made(engine: Engine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        with pytest.raises(PortTaken, match=f"Bind for 0.0.0.0:{port} failed: port is already allocated"):
            await engine.run(shell("sleep 60", ports=(PortMapping(80, port),)))
    assert await engine.containers() == []


async def test_a_port_of_another_container_is_named_as_its_holder(engine: Engine) -> None:
    web = await engine.run(shell("sleep 60", name="web", ports=(PortMapping(80),)))
    port = web.ports[0].host_port
    with pytest.raises(PortTaken, match="held by container web"):
        await engine.run(shell("sleep 60", ports=(PortMapping(80, port),)))
    await engine.stop("web", grace=0)
    again = await engine.run(shell("sleep 60", name="heir", ports=(PortMapping(80, port),)))
    assert again.ports[0].host_port == port


async def test_on_failure_restarts_so_often_and_no_more(engine: Engine) -> None:
    options = shell("echo once; exit 4", name="job", restart=RestartPolicy("on-failure", 2))
    await engine.run(options)
    assert await engine.wait("job") == 4
    assert (await engine.container("job")).restart_count == 2
    assert await output(engine, "job") == b"once\nonce\nonce"


async def test_a_restart_that_fails_is_told_as_no_run(engine: Engine) -> None:
    removes_itself = 'rm -f "$(command -v sh)"; exit 3'
    made = await engine.run(shell(removes_itself, name="once", restart=RestartPolicy("always")))
    assert await engine.wait("once") == 127
    ends = [event.attributes for event in await engine.past_events(made.id) if event.action == "die"]
    assert [(end["exitCode"], "ran" in end) for end in ends] == [("3", True), ("127", False)]
    ended = await engine.container("once")
    assert (ended.started, ended.restart_count) == (0.0, 1)
    assert ended.finished > made.created


async def test_stop_ends_a_container_that_always_restarts(engine: Engine) -> None:
    await engine.run(shell("sleep 0.05", name="loop", restart=RestartPolicy("always")))
    async for event in engine.events(since=0):
        if event.action == "restart" or (await engine.container("loop")).restart_count:
            break
    await engine.stop("loop", grace=0)
    assert (await engine.container("loop")).state is State.EXITED


async def test_pause_freezes_and_unpause_goes_on(engine: Engine) -> None:
    await engine.run(shell("while :; do echo x; sleep 0.02; done", name="busy"))
    assert (await engine.pause("busy")).state is State.PAUSED
    with pytest.raises(Conflict, match="already paused"):
        await engine.pause("busy")
    before, now, looks = -1, 0, 0
    while now != before:  # what it wrote before is on its way to the log
        await asyncio.sleep(0.2)
        before, now, looks = now, len(await output(engine, "busy")), looks + 1
        assert looks < 100
    assert now
    assert (await engine.unpause("busy")).state is State.RUNNING
    assert (await engine.stop("busy", grace=0)).exit_code == 137


async def test_killing_a_paused_container_ends_it(engine: Engine) -> None:
    for signal_name in ("KILL", "TERM"):
        await engine.run(shell("trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done", name="web"))
        await ready(engine, "web")
        await engine.pause("web")
        await engine.kill("web", signal_name)
        async with asyncio.timeout(60):
            assert await engine.wait("web") in (7, 137, 143)
        await engine.remove("web")


async def test_following_the_log_ends_with_the_container(engine: Engine) -> None:
    await engine.run(shell("for i in 1 2 3 4 5; do echo $i; sleep 0.05; done", name="count"))
    lines = [line.text async for line in engine.logs("count", LogQuery(follow=True))]
    assert lines == [b"1", b"2", b"3", b"4", b"5"]


async def test_events_tell_a_life_in_order(engine: Engine) -> None:
    start = await engine.event_cursor()
    await engine.run(shell("exit 2", name="short"))
    await engine.wait("short")
    await engine.remove("short")
    seen = []
    async for event in engine.events(since=start):
        seen.append(event.action)
        if event.action == "die":
            assert event.attributes["exitCode"] == "2"
        if event.action == "destroy":
            break
    assert seen == ["create", "start", "die", "destroy"]


async def test_a_start_that_fails_is_an_event_and_its_reason_is_there_by_then(engine: Engine) -> None:
    start = await engine.event_cursor()
    with pytest.raises(CommandNotFound):
        await engine.run(RunOptions(SMALL, ("nope",), name="missing"))
    async with asyncio.timeout(10):
        async for event in engine.events(since=start):
            if event.action == "die":
                break
    assert event.attributes["exitCode"] == "127"
    assert "not found" in (await engine.container("missing")).error


async def test_a_container_goes_on_logging_when_its_monitor_is_killed(engine: Engine, settings: Settings) -> None:
    from engine.runtime.status import read_state

    await engine.run(shell("i=0; while :; do i=$((i+1)); echo $i; sleep 0.02; done", name="count"))
    await ready(engine, "count")
    made = await engine.container("count")
    os.kill(read_state(str(settings.container_dir(made.id)))["monitor_pid"], signal.SIGKILL)
    async with Engine.open(settings) as another:
        assert (await another.container("count")).pid == made.pid
        seen = len(await output(another, "count"))
        async for _ in another.logs("count", LogQuery(follow=True, tail=0)):
            break
        assert len(await output(another, "count")) > seen
        await another.stop("count", grace=0)


async def test_an_unknown_signal_stop_signal_and_image_are_refused(engine: Engine) -> None:
    with pytest.raises(InvalidInput, match="Invalid signal: NOPE"):
        await engine.create(shell("true", stop_signal="NOPE"))
    with pytest.raises(NotFound, match="No such image: nothing"):
        await engine.create(RunOptions("nothing"))
    await engine.create(shell("true", name="web"))
    with pytest.raises(Conflict, match="is not running"):
        await engine.kill("web")


async def test_a_hundred_containers_at_once_leave_nothing_behind(engine: Engine, settings: Settings) -> None:
    options = [shell("echo hi; exec sleep 60", ports=(PortMapping(80),) if n % 5 == 0 else ()) for n in range(100)]
    made = await asyncio.gather(*(engine.run(each) for each in options))
    assert len({container.endpoint.ip_address for container in made if container.endpoint}) == 100
    assert len({mapping.host_port for container in made for mapping in container.ports}) == 20
    assert {name.split()[0] for name in traces(settings)} == {"mount", "link", "port", "cgroup", "process"}
    ended = await asyncio.gather(*(engine.stop(container.id, grace=0) for container in made))
    assert [container.exit_code for container in ended] == [137] * 100
    await asyncio.gather(*(engine.remove(container.id) for container in made))
    assert await remaining_traces(settings) == []
    assert list(settings.containers.iterdir()) == []
    # what is the root's and not a container's: the mark of this boot, the compiled default filter
    left = {path.relative_to(settings.run).parts[0] for path in settings.run.rglob("*") if path.is_file()}
    assert left <= {"boot", "seccomp"}


async def ready(engine: Engine, container: str) -> None:
    """Wait for a container's first line."""
    async for _ in engine.logs(container, LogQuery(follow=True)):
        return


async def gone(engine: Engine, container_id: str) -> None:
    """Wait until a container has been removed."""
    async for event in engine.events(since=0):
        if event.action == "destroy" and event.id == container_id:
            return


async def test_following_a_flood_loses_nothing_of_its_end(engine: Engine) -> None:
    await engine.run(shell("seq 200000; printf end", name="flood"))
    lines = [line.text async for line in engine.logs("flood", LogQuery(follow=True))]
    assert lines == [str(number).encode() for number in range(1, 200001)] + [b"end"]
    assert [line.text async for line in engine.logs("flood")] == lines
