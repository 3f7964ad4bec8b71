"""`-p` as typed and as shown."""

from __future__ import annotations

import pytest

from engine.cli.ports import parse_port, shown_ports, spell_port
from engine.errors import InvalidInput
from engine.models import PortMapping


@pytest.mark.parametrize(
    ("text", "mappings"),
    [
        ("80", [PortMapping(80)]),
        ("8080:80", [PortMapping(80, 8080)]),
        ("8080:80/udp", [PortMapping(80, 8080, "", "udp")]),
        ("127.0.0.1:8080:80", [PortMapping(80, 8080, "127.0.0.1")]),
        ("127.0.0.1::80", [PortMapping(80, 0, "127.0.0.1")]),
        ("[::1]:8080:80/udp", [PortMapping(80, 8080, "::1", "udp")]),
        ("0.0.0.0:8080:80", [PortMapping(80, 8080, "0.0.0.0")]),
        ("8000-8001:90-91", [PortMapping(90, 8000), PortMapping(91, 8001)]),
        ("90-91", [PortMapping(90), PortMapping(91)]),
        ("8000-8010:80", [PortMapping(80, 8000)]),
        ("0:80", [PortMapping(80)]),
    ],
)
def test_mappings_are_read_as_docker_reads_them(text, mappings):
    assert parse_port(text) == mappings


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("abc", "invalid containerPort: abc"),
        ("99999:80", "invalid hostPort: 99999"),
        ("80:", "no port specified: 80:<empty>"),
        ("", "no port specified: <empty>"),
        ("1.2.3:80:80", "invalid IP address: 1.2.3"),
        ("80:80/foo", "invalid proto: foo"),
        ("8000-8001:80-82", "invalid ranges specified for container and host Ports: 80-82 and 8000-8001"),
        ("81-80", "invalid containerPort: 81-80"),
        ("-1:80", "invalid hostPort: -1"),
        ("٣:80", "invalid hostPort: ٣"),
    ],
)
def test_mappings_that_cannot_be_read_are_refused_in_the_words_of_docker(text, message):
    with pytest.raises(InvalidInput) as refused:
        parse_port(text)
    assert refused.value.message == message


@pytest.mark.parametrize("text", ["80", "8080:80/udp", "127.0.0.1::80", "[::1]:8080:80"])
def test_a_mapping_is_spelled_as_it_was_typed(text):
    assert spell_port(parse_port(text)[0]) == text


def test_the_ports_column_shows_both_families_joins_neighbours_and_lists_what_is_only_exposed():
    published = [PortMapping(80, 8080), PortMapping(90, 9000, "127.0.0.1"), PortMapping(91, 9001, "127.0.0.1")]
    assert shown_ports(published, ["80/tcp", "443/tcp", "53/udp", "54/udp"]) == (
        "53-54/udp, 0.0.0.0:8080->80/tcp, [::]:8080->80/tcp, 127.0.0.1:9000-9001->90-91/tcp, 443/tcp"
    )
