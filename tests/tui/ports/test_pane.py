"""The ports pane on real servers: what answers, what listens, and in words why not."""

from __future__ import annotations

import asyncio
import socket

import pytest

from engine.engine import Engine
from engine.models import Image, PortMapping, RunOptions
from tests.conftest import PYTHON
from tests.support.ports import free_port
from tests.tui.conftest import Driver, Open, sleeper
from tests.tui.ports.conftest import Serve
from tui.config import Preferences
from tui.widgets.text_view import TextView


def row(driver: Driver, target: str) -> str:
    """The row of a port of the container, as it stands on the screen."""
    return next((line for line in driver.text.splitlines() if f" {target} " in line), "")


async def test_every_kind_of_server_is_told_by_what_it_answers(dashboard: Open, serve: Serve):
    container = await serve(80, 8443, 6000, 83)
    ports = {mapping.container_port: mapping.host_port for mapping in container.ports}
    async with dashboard(200, 40) as driver:
        await driver.select("many")
        await driver.press("4", "z")
        await driver.until(lambda: "✓ HTTP 200" in row(driver, "80/tcp"), "HTTP")
        await driver.until(lambda: "✓ TLS 200" in row(driver, "8443/tcp"), "TLS")
        await driver.until(lambda: "✓ tcp" in row(driver, "6000/tcp"), "tcp")
        await driver.until(lambda: "! HTTP 503" in row(driver, "83/tcp"), "503")
        await driver.until(lambda: "0.0.0.0:80 python3" in row(driver, "80/tcp"), "the listener")
        assert " ms" in row(driver, "80/tcp")
        assert f"http://localhost:{ports[80]}" in row(driver, "80/tcp")
        assert f"https://localhost:{ports[8443]}" in row(driver, "8443/tcp")
        assert "an error of its own" in row(driver, "83/tcp")
        assert f"localhost:{ports[6000]}" in row(driver, "6000/tcp")
        assert "http" not in row(driver, "6000/tcp").lower()
        assert "neither exposed nor mapped" in row(driver, "9000/tcp")
        assert "127.0.0.1 inside only: for the container itself" in row(driver, "81/tcp")
        await driver.press("1")
        await driver.shows(f"{ports[80]}→80 ✓200")


async def test_what_cannot_be_reached_is_told_with_the_reason(
    dashboard: Open, serve: Serve, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("tui.ports.diagnosis.YOUNG", 0.0)
    await serve(81, 82)
    async with dashboard(200, 40) as driver:
        await driver.select("many")
        await driver.press("4", "z")
        why = "listens on 127.0.0.1 inside only, so it cannot be reached from outside: bind 0.0.0.0"
        await driver.until(lambda: why in row(driver, "81/tcp"), why)
        await driver.until(lambda: "✗ refused" in row(driver, "81/tcp"), "refused")
        await driver.until(lambda: "nothing listens on 82/tcp inside" in row(driver, "82/tcp"), "nothing listens")
        assert "no listener" in row(driver, "82/tcp")


async def test_a_late_server_is_starting_and_then_found_without_a_key(dashboard: Open, serve: Serve):
    container = await serve(80, LATE="6")
    async with dashboard(200, 40) as driver:
        await driver.select("many")
        await driver.press("4")
        await driver.shows("… starting", "nothing listens on 80/tcp yet")
        await driver.shows("✓ HTTP 200", f"{container.ports[0].host_port}→80 ✓200")


async def test_udp_is_never_asked_and_a_paused_container_neither(dashboard: Open, engine: Engine, image: Image):
    await engine.run(sleeper("dns", ports=(PortMapping(53, free_port(), protocol="udp"), PortMapping(80, free_port()))))
    await engine.pause("dns")
    async with dashboard(200, 40) as driver:
        await driver.select("dns")
        await driver.press("4")
        await driver.until(lambda: "‖ paused" in row(driver, "80/tcp"), "paused")
        await engine.unpause("dns")
        await driver.until(lambda: "? udp" in row(driver, "53/udp"), "udp")
        await driver.press("j", "p")
        await driver.says("udp is not probed")


async def test_without_probing_nothing_is_sent_until_p_is_pressed(dashboard: Open, engine: Engine, serve: Serve):
    container = await serve(80)
    async with dashboard(200, 40, preferences=Preferences(probe=False)) as driver:
        await driver.select("many")
        await driver.press("4")
        await driver.shows("○ off", "0.0.0.0:80 python3")
        await asyncio.sleep(0.5)
        assert not any(b"probe" in line.text for line in [line async for line in engine.logs("many")])
        await driver.press("p")
        await driver.says(f"http://localhost:{container.ports[0].host_port} answers: HTTP 200 in")
        assert any(b"HEAD / HTTP/1.1" in line.text for line in [line async for line in engine.logs("many")])
        await driver.shows("✓ HTTP 200")


async def test_a_port_that_is_only_listened_on_is_published_from_its_row(dashboard: Open, serve: Serve):
    await serve()
    async with dashboard(200, 40) as driver:
        await driver.select("many")
        await driver.press("4", "z")
        await driver.shows("9000/tcp")
        line = next(line for line in driver.app.dashboard._tabs["ports"].lines() if line.port == 9000)
        driver.app.dashboard._tabs["ports"].table.select(line.key)
        await driver.press("plus")
        await driver.shows("9000:9000")
        await driver.press("f2")
        await driver.shows("✓ free")
        await driver.press("enter")
        await driver.says("port 9000 of many is published at http://localhost:")
        await driver.until(lambda: "✓ HTTP 200" in row(driver, "9000/tcp"), "it is probed at once")


async def test_details_tell_everything_and_a_redirect_is_shown_but_not_followed(dashboard: Open, serve: Serve):
    container = await serve(80)
    port = container.ports[0].host_port
    async with dashboard(120, 40) as driver:
        await driver.select("many")
        await driver.press("4")
        await driver.shows("✓ HTTP 200")
        await driver.press("enter")
        await driver.shows("in short", f"-p {port}:80", f"pilothouse unpublish many {port}:80", "0.0.0.0:80  python3")
        assert "\x1b" not in driver.text
        await driver.pilot.resize_terminal(44, 24)
        view = driver.app.screen.query_one(TextView)
        await driver.pilot.pause()
        assert view.virtual_size.width <= view.size.width, "its lines are wrapped anew"
        await driver.press("escape")
        await driver.press("o")
        await driver.says(f"copied http://localhost:{port}")


async def test_a_container_at_rest_says_who_has_its_port_and_which_is_free(
    dashboard: Open, engine: Engine, image: Image
):
    port = free_port()
    await engine.create(sleeper("first", ports=(PortMapping(80, port),)))
    await engine.create(sleeper("second", ports=(PortMapping(80, port, "127.0.0.1"),)))
    async with dashboard(200, 24) as driver:
        await driver.select("second")
        await driver.press("4", "z")
        await driver.shows(f"{port} taken by container first too (stopped, will clash on start)")
        await engine.start("first")
        await driver.shows(f"{port} taken by container first: will clash on start; ", " is free")


async def test_the_whole_machine_in_one_list_with_who_holds_what(dashboard: Open, serve: Serve):
    container = await serve(80)
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        async with dashboard(200, 60) as driver:
            await driver.select("many")
            await driver.press("4", "z", "a")
            await driver.shows("Ports of this machine", f"0.0.0.0:{container.ports[0].host_port}", "✓ HTTP 200")
            await driver.shows(f"127.0.0.1:{taken}", "taken by ", ", you)")
            await driver.press("f")
            await driver.shows("Find a free port")
            driver.app.screen.query_one("Input").value = str(taken)
            await driver.shows(f"✗ {taken} is taken by", "next free:")
            await driver.press("enter")
            assert int(driver.app.clipboard) > taken


async def test_on_the_hosts_network_the_containers_own_listeners_are_told(
    dashboard: Open, engine: Engine, python_image: Image
):
    port = free_port()
    script = f"import socket, time; s = socket.create_server(('127.0.0.1', {port})); time.sleep(60)"
    await engine.run(RunOptions(PYTHON, ("python3", "-c", script), name="host", network="host", detach=True))
    async with dashboard(200, 24) as driver:
        await driver.select("host")
        await driver.press("4")
        await driver.shows(f"127.0.0.1:{port}", "this port is the host's own")
        await driver.press("c")
        assert driver.app.clipboard == f"http://127.0.0.1:{port}"
