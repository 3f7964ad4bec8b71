"""Namespaces, addresses and links: what `connect` makes and `disconnect` takes away."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from engine.errors import InvalidInput
from engine.linux import netlink, netns
from engine.linux.netlink import Netlink
from engine.models import PortMapping
from engine.network import bridge, endpoints, links, nftables
from tests.engine.network.conftest import Neighbour, Root, ask, eventually, serve

_CONNECT = """
import sys
from pathlib import Path
from engine.network import endpoints
from engine.settings import Settings
from engine.state.database import Database
settings = Settings(Path(sys.argv[1]), Path(sys.argv[2]))
print(endpoints.connect(settings, Database(settings.database), sys.argv[3]).ip_address)
"""


def test_a_container_reaches_its_gateway_and_another_container_reaches_it(root: Root) -> None:
    one = root.run(PortMapping(80, 0))
    two = root.run()
    assert ask(one.endpoint.ip_address, 80, namespace=two.endpoint.netns) == two.endpoint.ip_address
    assert ask(one.endpoint.ip_address, 80) == one.endpoint.gateway


def test_a_container_goes_out_under_the_hosts_address(root: Root, neighbour: Neighbour) -> None:
    serve(neighbour.netns, 80, "tcp")
    serve(neighbour.netns, 53, "udp")
    container = root.run()
    assert ask(neighbour.address, 80, namespace=container.endpoint.netns) == neighbour.host
    assert ask(neighbour.address, 53, "udp", namespace=container.endpoint.netns) == neighbour.host


def test_another_host_cannot_route_to_a_port_that_is_not_published(root: Root, neighbour: Neighbour) -> None:
    container = root.run()
    serve(container.endpoint.netns, 80, "tcp")
    with pytest.raises(TimeoutError):
        ask(container.endpoint.ip_address, 80, namespace=neighbour.netns, seconds=0.3)


def test_a_container_cannot_reach_what_listens_on_the_hosts_loopback(root: Root) -> None:
    container = root.run()
    with socket.create_server(("127.0.0.1", 0)) as private:
        port = private.getsockname()[1]

        def attack() -> None:
            from pyroute2 import IPRoute

            with IPRoute() as routes:  # as a container with NET_ADMIN could
                routes.flush_addr(index=1)
                routes.route("add", dst="127.0.0.1/32", gateway=container.endpoint.gateway, table=254)

        netns.within(container.endpoint.netns, attack)
        with pytest.raises(TimeoutError):
            ask("127.0.0.1", port, namespace=container.endpoint.netns, seconds=0.3)


def test_network_none_has_loopback_and_nothing_else(root: Root) -> None:
    container_id = root.new_id()
    endpoint = endpoints.connect(root.settings, root.database, container_id, "none")
    names = netns.within(endpoint.netns, lambda: [name for _, name in socket.if_nameindex()])
    assert "eth0" not in names
    serve(endpoint.netns, 80, "tcp")
    assert ask("127.0.0.1", 80, namespace=endpoint.netns) == "127.0.0.1"
    assert not root.database.query("SELECT 1 FROM addresses")


def test_an_unknown_network_is_refused(root: Root) -> None:
    with pytest.raises(InvalidInput, match="network backend not found"):
        endpoints.connect(root.settings, root.database, root.new_id(), "backend")


def test_eth0_has_no_ipv6_and_loopback_has(root: Root) -> None:
    container = root.run()
    addresses = netns.within(container.endpoint.netns, Path("/proc/thread-self/net/if_inet6").read_text)
    assert addresses.split()[-1] == "lo"
    assert "eth0" not in addresses


def test_connecting_again_replaces_what_is_left_of_the_last_time(root: Root) -> None:
    container_id = root.new_id()
    first = endpoints.connect(root.settings, root.database, container_id)
    second = endpoints.connect(root.settings, root.database, container_id)
    assert second.ip_address == first.ip_address
    serve(second.netns, 80, "tcp")
    assert ask(second.ip_address, 80)


def test_disconnecting_twice_or_before_connecting_does_nothing(root: Root) -> None:
    container_id = root.new_id()
    root.stop(container_id)
    endpoints.connect(root.settings, root.database, container_id)
    root.stop(container_id)
    root.stop(container_id)
    assert not root.database.query("SELECT 1 FROM addresses")


def test_a_failed_connect_leaves_nothing(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    container = root.run()
    broken = root.new_id()

    def refuse(*_: object) -> None:
        raise OSError(12, "Cannot allocate memory")

    with monkeypatch.context() as patch:
        patch.setattr(links, "configure", refuse)
        with pytest.raises(endpoints.NetworkError, match="Cannot allocate memory"):
            endpoints.connect(root.settings, root.database, broken)
    assert not (root.settings.run_dir(broken) / "netns").exists()
    rows = root.database.query("SELECT container_id FROM addresses")
    assert [row[0] for row in rows] == [container.id]


def test_addresses_go_round_and_are_not_given_again_at_once(root: Root) -> None:
    first = root.run()
    root.stop(first.id)
    assert root.run().endpoint.ip_address != first.endpoint.ip_address


def test_twenty_processes_connecting_at_once_get_twenty_addresses(root: Root) -> None:
    ids = [root.new_id() for _ in range(20)]
    arguments = [str(root.settings.root), str(root.settings.run)]
    processes = [
        subprocess.Popen([sys.executable, "-c", _CONNECT, *arguments, one], stdout=subprocess.PIPE, text=True)
        for one in ids
    ]
    printed = [process.communicate()[0].strip() for process in processes]
    assert all(process.returncode == 0 for process in processes)
    assert len(set(printed)) == 20
    for address in printed:
        assert address


def test_threads_of_one_process_connect_at_once_and_stay_in_their_namespace(root: Root) -> None:
    here = Path("/proc/self/ns/net").readlink()
    ids = [root.new_id() for _ in range(8)]
    seen: list[str] = []

    def connect(container_id: str) -> None:
        seen.append(endpoints.connect(root.settings, root.database, container_id).ip_address)
        assert Path("/proc/thread-self/ns/net").readlink() == here

    threads = [threading.Thread(target=connect, args=(one,)) for one in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(seen)) == 8


def test_two_roots_have_their_own_subnets_and_do_not_disturb_each_other(root: Root, other_root: Root) -> None:
    mine, other = root.run(PortMapping(80, 0)), other_root.run(PortMapping(80, 0))
    assert mine.endpoint.gateway != other.endpoint.gateway
    with pytest.raises(TimeoutError):  # only what is published is open to the other
        ask(mine.endpoint.ip_address, 80, namespace=other.endpoint.netns, seconds=0.3)
    assert ask(mine.endpoint.gateway, mine.mappings[0].host_port, namespace=other.endpoint.netns)
    bridge.remove(other_root.settings, other_root.database)
    assert ask("127.0.0.1", mine.mappings[0].host_port)


def test_the_subnet_stays_and_is_chosen_clear_of_what_the_host_uses(root: Root, other_root: Root) -> None:
    container = root.run()
    kept = root.database.query("SELECT value FROM network WHERE key = 'subnet'")[0][0]
    root.stop(container.id)
    bridge.remove(root.settings, root.database)
    with other_root.database.transaction() as connection:  # as if it had been chosen while the first was down
        connection.execute("INSERT INTO network VALUES ('subnet', ?)", (kept,))
    assert root.run().endpoint.gateway == kept.replace(".0.0/16", ".0.1")
    assert other_root.run().endpoint.gateway != kept.replace(".0.0/16", ".0.1")


def test_a_reloaded_firewall_is_mended_by_the_next_container(root: Root) -> None:
    first = root.run(PortMapping(80, 0))
    with Netlink(netlink.NETFILTER) as netfilter:
        nftables.commit(netfilter, [nftables.delete_table(root.settings.nft_table)])
    root.run()
    answer = ask(first.endpoint.gateway, first.mappings[0].host_port)
    assert answer == first.endpoint.gateway
    with Netlink(netlink.NETFILTER) as netfilter:
        assert nftables.elements(netfilter, root.settings.nft_table, "ports")


def test_a_restarted_container_is_quickly_connected_again(root: Root) -> None:
    container_id = root.new_id()
    for _ in range(5):
        endpoint = endpoints.connect(root.settings, root.database, container_id)
        root.stop(container_id)
    serve_again = endpoints.connect(root.settings, root.database, container_id)
    assert serve_again.netns == endpoint.netns


def test_a_veth_pair_is_removed_though_connections_keep_its_namespace_alive(root: Root) -> None:
    container = root.run()
    name = endpoints.link_name(container.id, links_address(container.endpoint.ip_address))
    kept = netns.within(container.endpoint.netns, lambda: socket.create_server(("0.0.0.0", 80)))
    with kept, Netlink(netlink.ROUTE) as rtnl:
        root.stop(container.id)
        assert links.link_index(rtnl, name) == 0


def test_a_veth_pair_ends_with_its_namespace(root: Root) -> None:
    container = root.run()
    name = endpoints.link_name(container.id, links_address(container.endpoint.ip_address))
    with Netlink(netlink.ROUTE) as rtnl:
        assert links.link_index(rtnl, name)
        root.stop(container.id)
        eventually(lambda: links.link_index(rtnl, name) == 0)


def links_address(dotted: str) -> int:
    return int.from_bytes(socket.inet_aton(dotted), "big")
