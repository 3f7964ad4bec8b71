"""Ports: where they can be reached, published and taken away live."""

from __future__ import annotations

import socket

import pytest

from engine.engine import Engine
from engine.models import Image, PortMapping
from tests.support.ports import free_port
from tests.tui.conftest import Open, sleeper
from tui.panes.ports import PortsPane


async def test_the_address_can_be_read_and_copied(dashboard: Open, engine: Engine, image: Image):
    port = free_port()
    await engine.run(sleeper("web", ports=(PortMapping(80, port),)))
    async with dashboard() as driver:
        await driver.shows(f"{port}→80", "o Open")
        await driver.press("4")
        await driver.shows(f"0.0.0.0:{port}", "80/tcp")
        await driver.press("c")
        assert driver.app.clipboard == f"http://localhost:{port}"
        await driver.press("o")
        await driver.says("no browser here: copied")


async def test_over_ssh_open_copies_and_shows_the_tunnel(
    dashboard: Open, engine: Engine, image: Image, monkeypatch: pytest.MonkeyPatch
):
    port = free_port()
    await engine.run(sleeper("web", ports=(PortMapping(80, port),)))
    async with dashboard(120, 24) as driver:
        monkeypatch.setenv("SSH_CONNECTION", "10.0.0.9 50000 10.0.0.5 22")
        await driver.shows("o Open")
        await driver.press("o")
        await driver.says(f"ssh -L {port}:localhost:{port} 10.0.0.5")
        assert driver.app.clipboard == f"http://localhost:{port}"


async def test_a_port_is_published_and_taken_away_while_it_runs(dashboard: Open, engine: Engine, image: Image):
    port = free_port()
    await engine.run(sleeper("web"))
    async with dashboard() as driver:
        await driver.shows("running")
        await driver.press("4")
        await driver.shows("No ports are published")
        await driver.press("plus")
        await driver.shows("Publish a port of web")
        await driver.type(f"{port}:80")
        await driver.shows("✓ free")
        await driver.press("enter")
        await driver.says(f"port 80 of web is published at http://localhost:{port}")
        await driver.shows(f"0.0.0.0:{port}")
        await driver.press("d")
        await driver.says(f"port {port} is no longer published for web")
        await driver.shows("No ports are published")
        await driver.press("u")  # it asked nothing, so it can be undone
        await driver.shows(f"0.0.0.0:{port}")
        await driver.until(
            lambda: driver.last.endswith(f"port 80 of web is published at http://localhost:{port}"), "published again"
        )
        await driver.press("u")
        await driver.shows("No ports are published")


async def test_at_eighty_columns_the_footer_has_room_for_the_key_that_takes_a_port_away(
    dashboard: Open, engine: Engine, image: Image
):
    await engine.run(sleeper("web", ports=(PortMapping(80, free_port()),)))
    async with dashboard(80, 24) as driver:
        await driver.select("web")
        await driver.press("4")
        await driver.until(lambda: driver.app.dashboard.active.id == "ports", "the ports have the focus")
        await driver.shows("o Open", "c Copy URL", "p Probe", "+ Publish", "d Unpublish", "? Help")


async def test_a_stopped_container_says_who_holds_its_port(dashboard: Open, engine: Engine, image: Image):
    with socket.create_server(("0.0.0.0", 0)) as holder:
        port = holder.getsockname()[1]
        await engine.create(sleeper("later", ports=(PortMapping(80, port),)))
        async with dashboard(200, 24) as driver:
            await driver.select("later")
            await driver.press("4")
            await driver.shows(f"✗ {port} taken by", "will clash on start")
            await driver.press("o")
            await driver.says("later does not run")


async def test_all_ports_of_the_machine_in_one_list_those_of_containers_first(
    dashboard: Open, engine: Engine, image: Image
):
    first, second = free_port(), free_port()
    await engine.run(sleeper("web", ports=(PortMapping(80, first),)))
    await engine.run(sleeper("api", ports=(PortMapping(53, second, protocol="udp"),)))
    async with dashboard() as driver:
        await driver.shows("api", "web")
        await driver.press("4", "a")
        await driver.shows("Ports of this machine", f"0.0.0.0:{first}", f"0.0.0.0:{second}", "53/udp")


async def test_the_cursor_goes_to_the_port_that_was_published(dashboard: Open, engine: Engine, image: Image):
    first, second = free_port(), free_port()
    await engine.run(sleeper("web", ports=(PortMapping(80, first),)))
    async with dashboard() as driver:
        await driver.press("4")
        await driver.shows(f"0.0.0.0:{first}")
        await driver.press("plus")
        await driver.shows("Publish a port of web")
        await driver.type(f"{second}:81")
        await driver.shows("✓ free")
        await driver.press("enter")
        pane = driver.app.dashboard.query_one(PortsPane)
        await driver.until(
            lambda: (line := pane.current()) and line.host_port == second, "the cursor is on the new one"
        )


async def test_a_container_that_cannot_publish_is_not_told_to(dashboard: Open, engine: Engine, image: Image):
    await engine.create(sleeper("idle"))
    await engine.run(sleeper("alone", network="none"))
    async with dashboard(140, 24) as driver:
        await driver.select("idle")
        await driver.press("4")
        await driver.shows("Once it runs, + publishes one; in the list R")
        assert "+ Publish" not in driver.text
        await driver.press("plus")
        await driver.says("idle does not run; a port is published while it runs")
        await driver.select("alone")
        await driver.shows("--network none: none can be.")
        await driver.press("plus")
        await driver.says("alone has no address (--network none)")


async def test_a_reason_that_its_column_has_no_room_for_stands_below(dashboard: Open, engine: Engine, image: Image):
    with socket.create_server(("0.0.0.0", 0)) as holder:
        port = holder.getsockname()[1]
        await engine.create(sleeper("later", ports=(PortMapping(80, port),)))
        async with dashboard() as driver:
            await driver.select("later")
            await driver.press("4")
            await driver.until(lambda: f"{port} taken by" in " ".join(driver.text.split()), "who has it")
            note = driver.app.dashboard.query_one("#port-note")
            await driver.until(lambda: note.display, "the whole reason")
            await driver.shows("will clash on start")
            await driver.press("a")
            await driver.shows("a:only later")
