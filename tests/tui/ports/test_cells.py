"""Ports in the few cells a column has."""

from __future__ import annotations

import time

from engine.models import Container, Listener, PortMapping, Probe, RunOptions, State
from tui.ports.cells import listener_cell, ports_cell, probe_cell
from tui.ports.diagnosis import diagnosis
from tui.ports.findings import Findings
from tui.ports.lines import Line, of_container
from tui.state.world import World
from tui.widgets.table import Cell

WEB, DNS, TLS = PortMapping(80, 8080), PortMapping(53, 5353, protocol="udp"), PortMapping(443, 8443)


def container(*ports: PortMapping, started: float = 1.0, state: State = State.RUNNING) -> Container:
    return Container("id", "web", "web", "", (), RunOptions("web"), 0.0, state, started=started, ports=ports)


def text(cell: Cell) -> str:
    return "".join(part for part, _ in cell)


def test_the_column_has_tcp_first_what_answered_and_how_many_more_there_are():
    findings = Findings(probes={("id", WEB): Probe("http", status=404), ("id", TLS): Probe("tls")})
    web = container(DNS, WEB, TLS)
    assert text(ports_cell(web, findings, 2, "")) == "8080→80 ✓404 8443→443 ✓tls +1"
    assert text(ports_cell(web, Findings(), 1, "")) == "8080→80 +2"
    assert text(ports_cell(container(), findings, 2, "")) == "-"
    assert text(ports_cell(container(WEB, state=State.EXITED), findings, 2, "")) == "8080→80"


def test_what_does_not_answer_yet_is_starting_and_later_refused():
    findings = Findings(probes={("id", WEB): Probe("refused", detail="connection refused")})
    young, old = container(WEB, started=time.time()), container(WEB)
    assert text(probe_cell(Line("mapped", 80, "tcp", young, WEB), findings)) == "… starting"
    assert text(probe_cell(Line("mapped", 80, "tcp", old, WEB), findings)) == "✗ refused"
    assert text(ports_cell(young, findings, 1, "")) == "8080→80 …"
    assert text(ports_cell(old, findings, 1, "")) == "8080→80 ✗"


def test_the_names_of_processes_cannot_steer_the_terminal():
    inside = (Listener("::", 80, process="ev\x1b[31mil\u202e"),)
    line = Line("mapped", 80, "tcp", container(WEB), WEB, inside)
    assert text(listener_cell(line)) == "[::]:80 ev␛[31mil\\u202e"
    outside = Listener("0.0.0.0", 22, pid=7, process="\x9b2J", user="root")
    words, _ = diagnosis(Line("foreign", 22, "tcp", outside=outside), World())
    assert words == "taken by \\x9b2J (pid 7, root)"


def test_the_usual_mistake_is_named_the_program_listens_on_another_port():
    world = World()
    web = container(WEB)
    world.put(web)
    world.ports.listeners["id"] = (Listener("0.0.0.0", 3000, process="node"),)
    world.ports.probes["id", WEB] = Probe("refused")
    mapped, heard = of_container(world, web)
    assert diagnosis(mapped, world)[0] == "nothing listens on 80/tcp inside; node listens on 3000"
    assert (heard.kind, heard.port) == ("heard", 3000)


def test_a_client_that_waits_for_a_datagram_is_no_server():
    world = World()
    web = container()
    world.put(web)
    world.ports.listeners["id"] = (Listener("0.0.0.0", 40001, "udp"), Listener("0.0.0.0", 53, "udp"))
    assert [line.port for line in of_container(world, web)] == [53]


def test_what_listens_elsewhere_than_at_the_containers_address_is_told():
    world = World()
    web = container(WEB)
    world.put(web)
    world.ports.listeners["id"] = (Listener("10.9.8.7", 80),)
    world.ports.probes["id", WEB] = Probe("refused")
    (line,) = of_container(world, web)
    assert diagnosis(line, world)[0].startswith("listens on 10.9.8.7 inside, which is not the container's address")
