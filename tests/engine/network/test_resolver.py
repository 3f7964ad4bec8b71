"""resolv.conf and hosts, as Docker writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import InvalidInput
from engine.network.resolver import hosts_file, own_address, resolv_conf
from engine.settings import Settings


def written(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def test_the_hosts_resolvers_search_list_and_options_are_taken_over(tmp_path: Path) -> None:
    host = written(
        tmp_path / "a",
        "# comment\nnameserver 192.0.2.53\n\nsearch lan example.org\noptions ndots:2\nnameserver 192.0.2.54\n",
    )
    assert resolv_conf(Settings(), (), [host]) == (
        "nameserver 192.0.2.53\nnameserver 192.0.2.54\nsearch lan example.org\noptions ndots:2\n"
    )


def test_systemd_resolveds_stub_is_replaced_by_the_servers_behind_it(tmp_path: Path) -> None:
    stub = written(tmp_path / "a", "nameserver 127.0.0.53\noptions edns0 trust-ad\nsearch lan\n")
    behind = written(tmp_path / "b", "nameserver 192.0.2.1\nsearch lan\n")
    assert resolv_conf(Settings(), (), [stub, behind]) == ("nameserver 192.0.2.1\noptions edns0 trust-ad\nsearch lan\n")


@pytest.mark.parametrize("text", ["nameserver 127.0.0.1\n", "nameserver ::1\nnameserver fe80::1%eth0\n", ""])
def test_without_a_resolver_that_a_container_can_reach_dockers_fallback_is_used(tmp_path: Path, text: str) -> None:
    host = written(tmp_path / "a", text)
    assert resolv_conf(Settings(), (), [host, str(tmp_path / "none")]) == "nameserver 8.8.8.8\nnameserver 8.8.4.4\n"


def test_dns_replaces_the_resolvers_and_keeps_the_rest(tmp_path: Path) -> None:
    host = written(tmp_path / "a", "nameserver 192.0.2.53\nsearch lan\n")
    assert resolv_conf(Settings(), ("1.1.1.1", "2606:4700::1111"), [host]) == (
        "nameserver 1.1.1.1\nnameserver 2606:4700::1111\nsearch lan\n"
    )


def test_dns_must_be_an_address() -> None:
    with pytest.raises(InvalidInput, match=r"dns\.example is not an ip address"):
        resolv_conf(Settings(), ("dns.example",))


def test_hosts_names_loopback_extra_hosts_and_the_container() -> None:
    lines = hosts_file(
        "web", "10.80.0.2", ("db:192.0.2.9", "six:2001:db8::1", "up=host-gateway"), "10.80.0.1"
    ).splitlines()
    assert lines[0] == "127.0.0.1\tlocalhost"
    assert lines[-4:] == ["192.0.2.9\tdb", "2001:db8::1\tsix", "10.80.0.1\tup", "10.80.0.2\tweb"]


def test_a_hostname_with_a_domain_is_also_known_by_its_first_part() -> None:
    assert hosts_file("web.example.org", "10.80.0.2").endswith("10.80.0.2\tweb.example.org web\n")


def test_network_none_has_no_line_for_the_container() -> None:
    assert "web" not in hosts_file("web", "")


@pytest.mark.parametrize(
    "extra", ["db", ":1.2.3.4", "d b:1.2.3.4", "db:1.2.3", "db:1.2.3.4\n5.6.7.8 bank", "db:host-gateway"]
)
def test_a_bad_extra_host_is_refused(extra: str) -> None:
    with pytest.raises(InvalidInput):
        hosts_file("web", "10.80.0.2", (extra,))


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (hosts_file("web", "10.1.0.4", ["db:10.9.9.9"]), "10.1.0.4"),
        (hosts_file("web", ""), ""),
        ("what a container\nhas written there", ""),
        ("", ""),
    ],
)
def test_a_containers_own_address_is_read_from_the_last_line_of_its_hosts(tmp_path: Path, text: str, address: str):
    (tmp_path / "hosts").write_text(text)
    assert own_address(tmp_path / "hosts") == address


def test_a_container_that_was_never_started_has_had_no_address(tmp_path: Path) -> None:
    assert own_address(tmp_path / "hosts") == ""
