"""Published ports, asked from everywhere a user asks from."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from engine.errors import InvalidInput, NetworkError, PortTaken
from engine.linux import netlink, netns
from engine.linux.netlink import Netlink
from engine.models import PortMapping
from engine.network import endpoints, holding, nftables, ports
from tests.engine.network.conftest import Neighbour, Root, ask, eventually

PROTOCOLS = pytest.mark.parametrize("protocol", ["tcp", "udp"])


@PROTOCOLS
def test_a_port_answers_on_loopback_on_the_hosts_addresses_and_on_the_bridge(root: Root, protocol: str) -> None:
    server = root.run(PortMapping(80, 0, protocol=protocol))
    port = server.mappings[0].host_port
    assert ask("127.0.0.1", port, protocol) == server.endpoint.gateway
    assert ask(server.endpoint.gateway, port, protocol) == server.endpoint.gateway


@PROTOCOLS
def test_another_host_reaches_a_port_and_is_seen_as_itself(root: Root, neighbour: Neighbour, protocol: str) -> None:
    server = root.run(PortMapping(80, 0, protocol=protocol))
    port = server.mappings[0].host_port
    assert ask(neighbour.host, port, protocol, namespace=neighbour.netns) == neighbour.address


@PROTOCOLS
def test_containers_reach_a_port_through_the_host_even_their_own(root: Root, protocol: str) -> None:
    server, client = root.run(PortMapping(80, 0, protocol=protocol)), root.run()
    port, gateway = server.mappings[0].host_port, server.endpoint.gateway
    assert ask(gateway, port, protocol, namespace=client.endpoint.netns)
    assert ask(gateway, port, protocol, namespace=server.endpoint.netns) == gateway


@PROTOCOLS
def test_ipv6_clients_are_carried_by_the_port_holder(root: Root, protocol: str) -> None:
    server = root.run(PortMapping(80, 0, protocol=protocol), PortMapping(80, 0, "::1", protocol))
    for mapping in server.mappings:
        assert ask("::1", mapping.host_port, protocol) == server.endpoint.gateway


def test_ipv4_clients_are_carried_while_the_rules_are_missing(root: Root) -> None:
    server = root.run(PortMapping(80, 0))
    with Netlink(netlink.NETFILTER) as netfilter:
        nftables.commit(netfilter, [nftables.delete_table(root.settings.nft_table)])
    assert ask("127.0.0.1", server.mappings[0].host_port) == server.endpoint.gateway


def test_a_port_bound_to_one_address_is_closed_on_the_others(root: Root, neighbour: Neighbour) -> None:
    server = root.run(PortMapping(80, 0, "127.0.0.1"))
    port = server.mappings[0].host_port
    assert ask("127.0.0.1", port)
    with pytest.raises(ConnectionRefusedError):
        ask(neighbour.host, port, namespace=neighbour.netns)
    with pytest.raises(ConnectionRefusedError):
        ask("::1", port)


def test_one_port_on_two_addresses_leads_to_two_containers(root: Root, neighbour: Neighbour) -> None:
    one = root.run(PortMapping(80, 0, "127.0.0.1"))
    port = one.mappings[0].host_port
    root.run(PortMapping(81, port, neighbour.host))
    assert ask("127.0.0.1", port) == one.endpoint.gateway
    assert ask(neighbour.host, port, namespace=neighbour.netns) == neighbour.address


def test_large_transfers_pass_the_holder_unharmed_and_half_closed(root: Root) -> None:
    container = root.run(PortMapping(7, 0))
    port = container.mappings[0].host_port
    payload = os.urandom(3 << 20)

    def echoing() -> socket.socket:
        return socket.create_server(("0.0.0.0", 8))

    echo = netns.within(container.endpoint.netns, echoing)
    extra = root.new_id()
    mappings = ports.reserve(root.settings, root.database, extra, [PortMapping(8, 0, "::1")])
    root.settings.run_dir(extra).mkdir(parents=True)
    ports.publish(root.settings, root.database, extra, container.endpoint, mappings)
    assert port != mappings[0].host_port
    with echo, socket.create_connection(("::1", mappings[0].host_port), 5) as client:
        server, _ = echo.accept()
        with server:
            server.settimeout(5)
            received = bytearray()
            client.setblocking(False)
            view = memoryview(payload)
            while len(received) < len(payload):  # the reader is slower than the writer
                try:
                    view = view[client.send(view) :] if view else view
                except BlockingIOError:
                    pass
                if not view:
                    client.shutdown(socket.SHUT_WR) if len(received) == 0 else None
                received += server.recv(100_000)
            assert bytes(received) == payload
            client.setblocking(True)
            if view == b"":
                client.shutdown(socket.SHUT_WR)
            assert server.recv(1) == b""
            server.sendall(b"thanks")
            server.shutdown(socket.SHUT_WR)
            assert client.recv(10) == b"thanks"
            assert client.recv(10) == b""


def test_a_port_is_held_against_every_other_program(root: Root) -> None:
    port = root.run(PortMapping(80, 0)).mappings[0].host_port
    for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::")):
        with socket.socket(family, socket.SOCK_STREAM) as intruder:
            intruder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with pytest.raises(OSError, match="in use"):
                intruder.bind((address, port))
                intruder.listen()


def test_a_port_of_a_container_is_refused_with_the_container_named_and_a_free_one_told(root: Root) -> None:
    first = root.run(PortMapping(80, 0))
    port = first.mappings[0].host_port
    with pytest.raises(PortTaken) as refused:
        ports.reserve(root.settings, root.database, root.new_id(), [PortMapping(81, 0), PortMapping(80, port)])
    assert str(refused.value) == (
        f"Bind for 0.0.0.0:{port} failed: port is already allocated (held by container {first.id[:12]})"
    )
    assert refused.value.free > port
    assert len(root.database.query("SELECT 1 FROM port_mappings")) == 1  # the first of the two was given up


def test_a_port_of_another_program_is_refused_with_the_program_named(root: Root) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(PortTaken, match=rf"held by \S+ \(pid {os.getpid()}, you\)"):
            ports.reserve(root.settings, root.database, root.new_id(), [PortMapping(80, port)])


def test_a_port_of_another_root_is_refused_with_its_container_named(root: Root, other_root: Root) -> None:
    other = other_root.run(PortMapping(80, 0))
    port = other.mappings[0].host_port
    with pytest.raises(
        PortTaken, match=f"held by container {other.id[:12]} of the engine in {other_root.settings.root}"
    ):
        ports.reserve(root.settings, root.database, root.new_id(), [PortMapping(80, port)])


def test_a_port_reserved_and_not_yet_published_is_taken(root: Root) -> None:
    reserved = ports.reserve(root.settings, root.database, root.new_id(), [PortMapping(53, 0, protocol="udp")])
    with pytest.raises(PortTaken):
        ports.reserve(root.settings, root.database, root.new_id(), reserved)


def test_the_same_number_is_free_for_the_other_protocol(root: Root) -> None:
    port = root.run(PortMapping(53, 0, protocol="udp")).mappings[0].host_port
    both = root.run(PortMapping(53, port, protocol="tcp"))
    assert ask("127.0.0.1", port, "udp")
    assert ask("127.0.0.1", port, "tcp") == both.endpoint.gateway


def test_ephemeral_ports_differ_and_are_written_down(root: Root) -> None:
    server = root.run(PortMapping(80, 0), PortMapping(81, 0), PortMapping(82, 0))
    assert len({mapping.host_port for mapping in server.mappings} - {0}) == 3
    assert ports.mappings_of(root.database, server.id) == server.mappings


@pytest.mark.parametrize("address", ["203.0.113.7", "2001:db8::7"])
def test_an_address_that_is_not_this_hosts_is_refused(root: Root, address: str) -> None:
    with pytest.raises(NetworkError, match="cannot assign requested address"):
        ports.reserve(root.settings, root.database, root.new_id(), [PortMapping(80, 0, address)])


@pytest.mark.parametrize("mapping", [PortMapping(80, 0, "localhost"), PortMapping(80, 0, "", "sctp")])
def test_nonsense_is_refused(root: Root, mapping: PortMapping) -> None:
    with pytest.raises(InvalidInput):
        ports.reserve(root.settings, root.database, root.new_id(), [mapping])


def test_an_unpublished_port_is_free_at_once_and_leads_nowhere(root: Root) -> None:
    server = root.run(PortMapping(80, 0))
    port = server.mappings[0].host_port
    ports.unpublish(root.settings, root.database, server.id)
    with pytest.raises(ConnectionRefusedError):
        ask("127.0.0.1", port)
    with socket.create_server(("0.0.0.0", port)):
        pass


def test_mappings_come_and_go_while_a_container_runs(root: Root) -> None:
    server = root.run(PortMapping(80, 0), PortMapping(81, 0))
    first, second = server.mappings
    third = ports.reserve(root.settings, root.database, server.id, [PortMapping(80, 0, "127.0.0.1")])
    ports.publish(root.settings, root.database, server.id, server.endpoint, third)
    for port in (first.host_port, second.host_port, third[0].host_port):
        assert ask("127.0.0.1", port)
    ports.unpublish(root.settings, root.database, server.id, [first])
    assert ports.mappings_of(root.database, server.id) == (second, *third)
    with socket.create_server(("0.0.0.0", first.host_port)):
        pass
    assert ask("::1", second.host_port) and ask("127.0.0.1", third[0].host_port)
    with pytest.raises(PortTaken):
        ports.reserve(root.settings, root.database, root.new_id(), [second])


def test_network_none_publishes_nothing(root: Root) -> None:
    container_id = root.new_id()
    mappings = ports.reserve(root.settings, root.database, container_id, [PortMapping(80, 0)])
    endpoint = endpoints.connect(root.settings, root.database, container_id, "none")
    ports.publish(root.settings, root.database, container_id, endpoint, mappings)
    assert ports.mappings_of(root.database, container_id) == ()
    with socket.create_server(("0.0.0.0", mappings[0].host_port)):
        pass


def test_a_udp_client_that_keeps_its_port_follows_a_port_that_moves(root: Root) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.bind(("127.0.0.1", 0))
        client.settimeout(3)
        first = root.run(PortMapping(53, 0, protocol="udp"))
        port = first.mappings[0].host_port
        client.sendto(b"?", ("127.0.0.1", port))
        assert client.recv(100)
        root.stop(first.id)
        client.sendto(b"?", ("127.0.0.1", port))  # tracked as going nowhere
        second = root.run(PortMapping(53, port, protocol="udp"))
        client.sendto(b"?", ("127.0.0.1", port))
        assert client.recv(100).decode() == second.endpoint.gateway


def test_the_holder_is_small_and_has_no_rights(root: Root) -> None:
    server = root.run(PortMapping(80, 0))
    pid = int((root.settings.run_dir(server.id) / "holders").read_text().split()[0])
    status = Path(f"/proc/{pid}/status")
    eventually(lambda: "Uid:\t65534\t65534\t65534\t65534" in status.read_text())
    assert "CapEff:\t0000000000000000" in status.read_text()
    assert ask("::1", server.mappings[0].host_port)
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    own = next(int(line.split()[1]) for line in rollup if line.startswith("Private_Dirty:"))
    assert own < 4000  # kB; the rest is the interpreter, shared with every other Python process
    descriptors = {entry.readlink().name for entry in Path(f"/proc/{pid}/fd").iterdir()}
    assert not any("state.db" in name for name in descriptors)


def test_a_free_port_is_found_beside_a_taken_one(root: Root) -> None:
    port = root.run(PortMapping(80, 0)).mappings[0].host_port
    assert ports.free_port(root.settings, root.database, port, "tcp") > port


def test_a_killed_holder_is_noticed(root: Root) -> None:
    server = root.run(PortMapping(80, 0))
    assert holding.alive(root.settings, server.id)
    os.kill(int((root.settings.run_dir(server.id) / "holders").read_text().split()[0]), 9)
    eventually(lambda: not holding.alive(root.settings, server.id))
    holding.reap()
