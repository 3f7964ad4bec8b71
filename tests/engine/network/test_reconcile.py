"""After a crash, a reboot or somebody's `nft flush ruleset`."""

from __future__ import annotations

import os
import socket
from typing import Any

import pytest

from engine.linux import netlink, netns
from engine.linux.netlink import Netlink
from engine.models import PortMapping
from engine.network import bridge, endpoints, holding, links, nftables, ports, ports_map
from engine.network.reconcile import reconcile, remove_all
from engine.state.locks import lock
from tests.engine.network.conftest import Root, ask, eventually, stop_serving


def test_everything_in_order_is_left_alone(root: Root) -> None:
    server = root.run(PortMapping(80, 0))
    assert reconcile(root.settings, root.database, {server.id}) == []
    assert ask("127.0.0.1", server.mappings[0].host_port)


def test_a_root_without_a_network_gets_none(root: Root) -> None:
    assert reconcile(root.settings, root.database, set()) == []
    with Netlink(netlink.ROUTE) as rtnl:
        assert links.link_index(rtnl, root.settings.bridge) == 0


def test_what_a_dead_container_left_is_removed_and_the_others_stay(root: Root, other_root: Root) -> None:
    dead, living = root.run(PortMapping(80, 0)), root.run(PortMapping(80, 0))
    foreign = other_root.run(PortMapping(80, 0))
    port = dead.mappings[0].host_port
    done = reconcile(root.settings, root.database, {living.id})
    assert done == [f"removed the network of container {dead.id[:12]}, which does not run"]
    assert not netns.pinned(dead.endpoint.netns)
    with socket.create_server(("127.0.0.1", port)):
        pass
    assert ask("127.0.0.1", living.mappings[0].host_port)
    assert ask("127.0.0.1", foreign.mappings[0].host_port)


def test_a_reservation_whose_process_died_is_given_up(root: Root) -> None:
    with root.database.transaction() as connection:
        connection.execute("INSERT INTO port_mappings VALUES ('', 18099, 'tcp', 'f00', 80)")
    reconcile(root.settings, root.database, set())
    assert not root.database.query("SELECT 1 FROM port_mappings")


def test_a_flushed_ruleset_is_made_anew(root: Root) -> None:
    server, client = root.run(PortMapping(80, 0)), root.run()
    with Netlink(netlink.NETFILTER) as netfilter:
        nftables.commit(netfilter, [nftables.delete_table(root.settings.nft_table)])
    reconcile(root.settings, root.database, {server.id, client.id})
    with Netlink(netlink.NETFILTER) as netfilter:
        assert nftables.elements(netfilter, root.settings.nft_table, "ports")


def test_elements_that_lead_astray_are_taken_out_and_missing_ones_put_in(root: Root) -> None:
    server = root.run(PortMapping(80, 0))
    with Netlink(netlink.NETFILTER) as netfilter:
        held = nftables.elements(netfilter, root.settings.nft_table, "ports")
        wrong = {key: b"\x0a\0\0\x09\0\x50\0\0" for key in held}
        table = root.settings.nft_table
        nftables.commit(netfilter, [nftables.take_elements(table, "ports", list(held))])
        nftables.commit(netfilter, [nftables.put_elements(table, "ports", list(wrong.items()))])
        assert reconcile(root.settings, root.database, {server.id}) == ["mended 2 port mappings"]
        assert nftables.elements(netfilter, table, "ports") == held


def test_a_deleted_bridge_is_made_anew_with_its_containers_on_it(root: Root) -> None:
    server = root.run(PortMapping(80, 0))
    with Netlink(netlink.ROUTE) as rtnl:
        links.delete_link(rtnl, root.settings.bridge)
    done = reconcile(root.settings, root.database, {server.id})
    assert done == [f"put the link of container {server.id[:12]} back onto {root.settings.bridge}"]
    assert ask(server.endpoint.ip_address, 80) == server.endpoint.gateway


def test_the_next_container_puts_the_others_onto_the_bridge_it_makes_anew(root: Root) -> None:
    web = root.run(PortMapping(80))
    with Netlink(netlink.ROUTE) as rtnl:
        links.delete_link(rtnl, root.settings.bridge)
    root.run(PortMapping(81))
    assert ask("127.0.0.1", web.mappings[0].host_port)


def test_a_killed_holder_is_started_again(root: Root) -> None:
    server = root.run(PortMapping(80, 0))
    os.kill(int((root.settings.run_dir(server.id) / "holders").read_text().split()[0]), 9)
    eventually(lambda: not holding.alive(root.settings, server.id))
    assert reconcile(root.settings, root.database, {server.id}) == [
        f"started the port holder of container {server.id[:12]} again"
    ]
    assert ask("::1", server.mappings[0].host_port)


def test_a_link_that_no_container_knows_is_removed(root: Root) -> None:
    server = root.run()
    stray = root.new_id()
    endpoints.connect(root.settings, root.database, stray)
    with root.database.transaction() as connection:
        connection.execute("DELETE FROM addresses WHERE container_id = ?", (stray,))
    assert reconcile(root.settings, root.database, {server.id, stray})[0].startswith("removed the link ph")


def test_removing_all_leaves_no_trace(root: Root) -> None:
    containers = [root.run(PortMapping(80, 0)), root.run()]
    for container in containers:
        stop_serving(container.endpoint.netns)
    remove_all(root.settings, root.database)
    with Netlink(netlink.ROUTE) as rtnl, Netlink(netlink.NETFILTER) as netfilter:
        assert links.link_index(rtnl, root.settings.bridge) == 0
        assert nftables.table_comment(netfilter, root.settings.nft_table) is None
        for family, table, chain, _ in nftables.forward_chains(netfilter):
            assert nftables.rules_naming(netfilter, family, table, chain, root.settings.bridge) == []
    remove_all(root.settings, root.database)


def test_a_reboot_leaves_rows_that_the_next_command_clears(root: Root) -> None:
    server = root.run(PortMapping(80, 0))
    holding.stop(root.settings, server.id)
    bridge.remove(root.settings, root.database)
    netns.unpin(server.endpoint.netns)
    reconcile(root.settings, root.database, set())
    assert not root.database.query("SELECT 1 FROM addresses")
    assert ports.mappings_of(root.database, server.id) == ()


def test_a_container_that_another_command_is_starting_is_left_to_that(root: Root) -> None:
    """It was not there yet when whoever mends looked up what runs."""
    starting = root.run(PortMapping(80, 0))
    with lock(root.settings, "container", starting.id):
        assert reconcile(root.settings, root.database, set()) == []
    assert ask("127.0.0.1", starting.mappings[0].host_port)


def test_rules_that_are_flushed_while_a_container_starts_are_made_anew(root: Root) -> None:
    container = root.run()
    mappings = ports.reserve(root.settings, root.database, container.id, (PortMapping(80, 0),))
    with Netlink(netlink.NETFILTER) as netfilter:
        nftables.commit(netfilter, [nftables.delete_table(root.settings.nft_table)])
        ports.publish(root.settings, root.database, container.id, container.endpoint, mappings)
        assert len(nftables.elements(netfilter, root.settings.nft_table, "ports")) == 1


def test_an_element_that_a_crash_has_left_gives_way_to_the_ports_new_container(root: Root) -> None:
    container = root.run()
    mappings = ports.reserve(root.settings, root.database, container.id, (PortMapping(80, 0),))
    astray = ("", mappings[0].host_port, "tcp", "10.0.0.9", 80)
    with Netlink(netlink.NETFILTER) as netfilter:
        nftables.commit(netfilter, ports_map.put(root.settings.nft_table, [astray]))
        (before,) = nftables.elements(netfilter, root.settings.nft_table, "ports").values()
        ports.publish(root.settings, root.database, container.id, container.endpoint, mappings)
        (after,) = nftables.elements(netfilter, root.settings.nft_table, "ports").values()
    assert before != after


@pytest.mark.parametrize("place", ["the command is first", "the mending is first"])
def test_a_mapping_that_is_taken_away_while_the_maps_are_mended_does_not_come_back(
    root: Root, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """The mending has seen it in the database and not in the map; the command is between the two."""
    server = root.run(PortMapping(80, 0))
    forget, commit = ports._forget_rows, nftables.commit
    with Netlink(netlink.NETFILTER) as netfilter:

        def mended_before(*arguments: Any) -> None:
            assert ports_map.mend(netfilter, root.settings.nft_table, root.database) == 1
            forget(*arguments)

        def ended_before(connection: Netlink, requests: list[netlink.Request]) -> None:
            monkeypatch.setattr(nftables, "commit", commit)
            ports.unpublish(root.settings, root.database, server.id)
            commit(connection, requests)

        if place == "the mending is first":
            monkeypatch.setattr(ports, "_forget_rows", mended_before)
            ports.unpublish(root.settings, root.database, server.id)
        else:
            held = nftables.elements(netfilter, root.settings.nft_table, "ports")
            commit(netfilter, [nftables.take_elements(root.settings.nft_table, "ports", list(held))])
            monkeypatch.setattr(nftables, "commit", ended_before)
            ports_map.mend(netfilter, root.settings.nft_table, root.database)
        assert nftables.elements(netfilter, root.settings.nft_table, "ports") == {}


def test_of_two_who_take_the_same_mapping_away_neither_fails(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    server = root.run(PortMapping(80, 0))
    commit = nftables.commit

    def late(connection: Netlink, requests: list[netlink.Request]) -> None:
        monkeypatch.setattr(nftables, "commit", commit)
        commit(connection, requests)
        commit(connection, requests)

    monkeypatch.setattr(nftables, "commit", late)
    ports.unpublish(root.settings, root.database, server.id)
    assert ports.mappings_of(root.database, server.id) == ()
