"""Who listens where, in containers and on the host."""

from __future__ import annotations

import asyncio
import os
import socket
import time

import pytest

from engine.engine import Engine
from engine.errors import Conflict
from engine.models import Image, Listener, PortMapping, RunOptions
from engine.network import sockets
from tests.support.ports import free_port

SERVERS = """
import os, socket, time
def listen(family, address, port):
    s = socket.socket(family); s.bind((address, port)); s.listen(); return s
kept = [listen(socket.AF_INET, "0.0.0.0", 80), listen(socket.AF_INET, "127.0.0.1", 81)]
kept += [listen(socket.AF_INET6, "::", 82)]
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.bind(("0.0.0.0", 53))
asked = socket.create_connection(("127.0.0.1", 80))
for each in kept: os.set_inheritable(each.fileno(), True)
open("/proc/self/comm", "w").write("ser\\x1bver")
time.sleep(60)
"""


async def listening(engine: Engine, container: str, port: int) -> tuple[Listener, ...]:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        found = await engine.listeners(container)
        if any(one.port == port for one in found):
            return found
        await asyncio.sleep(0.05)  # nothing tells when a program begins to listen
    raise AssertionError(f"nothing listens on {port}: {found}")


async def test_what_listens_in_a_container_is_told_with_address_and_process(engine: Engine, python_image: Image):
    run = RunOptions("localhost/python:1", ("python3", "-c", SERVERS), name="many", detach=True)
    container = await engine.run(run)
    await listening(engine, "many", 53)  # bound last
    found = await engine.listeners("many")
    assert [(one.address, one.port, one.protocol) for one in found] == [
        ("0.0.0.0", 53, "udp"),
        ("0.0.0.0", 80, "tcp"),
        ("127.0.0.1", 81, "tcp"),
        ("::", 82, "tcp"),
    ]
    assert {one.pid for one in found} == {container.pid}
    while {one.process for one in found} != {"ser\x1bver"}:  # it renames itself last
        await asyncio.sleep(0.02)
        found = await engine.listeners("many")
    await engine.stop("many", grace=0)
    with pytest.raises(Conflict):
        await engine.listeners("many")


async def test_on_the_hosts_network_only_the_containers_own_sockets_count(engine: Engine, python_image: Image):
    port = free_port()
    script = f"import socket, time; s = socket.create_server(('127.0.0.1', {port})); time.sleep(60)"
    with socket.create_server(("127.0.0.1", 0)) as other:
        await engine.run(
            RunOptions("localhost/python:1", ("python3", "-c", script), name="host", network="host", detach=True)
        )
        found = await listening(engine, "host", port)
        assert [one.port for one in found] == [port]
        assert other.getsockname()[1] != port


async def test_the_host_tells_processes_with_their_user_and_containers_of_any_engine(engine: Engine, image: Image):
    with socket.create_server(("127.0.0.1", 0)) as server:
        run = RunOptions("localhost/small:1", ("sleep", "60"), name="web", detach=True, ports=(PortMapping(80, 0),))
        container = await engine.run(run)
        found = await engine.host_listeners()
        mine = next(one for one in found if one.port == server.getsockname()[1])
        assert (mine.address, mine.pid, mine.user, mine.container) == ("127.0.0.1", os.getpid(), "you", "")
        published = [one for one in found if one.port == container.ports[0].host_port]
        assert {one.address for one in published} == {"0.0.0.0", "::"}
        assert {(one.container, one.root) for one in published} == {(container.id, str(engine.settings.root))}


async def test_without_sock_diag_proc_tells_the_same(engine: Engine, python_image: Image):
    run = RunOptions("localhost/python:1", ("python3", "-c", SERVERS), name="many", detach=True)
    container = await engine.run(run)
    await listening(engine, "many", 53)
    diagnosed = sockets.listening(container.pid)
    assert len(diagnosed) == 4
    assert sorted(diagnosed, key=str) == sorted(sockets._read(container.pid), key=str)
