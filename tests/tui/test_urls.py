"""From a port mapping to a page."""

from __future__ import annotations

import pytest

from engine.models import Container, PortMapping, Probe, RunOptions, State
from tui import urls


@pytest.mark.parametrize(
    ("mapping", "address"),
    [
        (PortMapping(80, 8080), "http://localhost:8080"),
        (PortMapping(80, 80, "0.0.0.0"), "http://localhost"),
        (PortMapping(443, 8443, "::"), "https://localhost:8443"),
        (PortMapping(3000, 3000, "127.0.0.1"), "http://127.0.0.1:3000"),
        (PortMapping(3000, 3000, "fd00::1"), "http://[fd00::1]:3000"),
    ],
)
def test_the_address_is_one_a_browser_understands(mapping: PortMapping, address: str):
    assert urls.url(mapping) == address


def test_over_ssh_there_is_a_tunnel_line(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SSH_CONNECTION", "10.0.0.9 50000 10.0.0.5 22")
    assert urls.over_ssh()
    assert urls.tunnel(PortMapping(80, 8080)) == "ssh -L 8080:localhost:8080 10.0.0.5"


def test_without_a_graphical_session_no_browser_is_started():
    assert urls.browser() == []
    assert not urls.open_in_browser("http://localhost")


def test_what_no_browser_can_show_is_an_address_and_no_page():
    assert urls.address(PortMapping(6379, 16379)) == "localhost:16379"
    assert urls.address(PortMapping(80, 8080)) == "http://localhost:8080"
    assert urls.other_service(PortMapping(80, 80, protocol="udp")) == "udp"


def test_what_has_answered_like_a_page_is_opened_before_what_only_looks_like_one_and_by_its_own_scheme():
    looks, answers, other = PortMapping(80, 8080), PortMapping(9999, 9999), PortMapping(8000, 8000)
    options = RunOptions("web")
    web = Container("id", "web", "web", "", (), options, 0.0, State.RUNNING, ports=(looks, other, answers))
    probes = {("id", answers): Probe("tls", status=200), ("id", other): Probe("tcp")}
    assert urls.web_mapping(web) == looks
    assert urls.web_mapping(web, probes) == answers
    assert urls.found_address(answers, probes["id", answers]) == "https://localhost:9999"
    assert urls.found_address(other, probes["id", other]) == "localhost:8000"
