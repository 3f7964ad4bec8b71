"""Other programs' forward chains, in a network namespace of their own so that no real traffic meets them."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.linux import netlink, netns
from engine.linux.netlink import Netlink, attribute, nested, number, text
from engine.network import bridge, nftables, ruleset
from engine.settings import Settings
from engine.state.database import Database


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(tmp_path / "root", tmp_path / "run")


def on_another_host(path: Path, inside: Callable[[Netlink], None]) -> None:
    """Run `inside` in a fresh network namespace."""

    def body() -> None:
        with Netlink(netlink.NETFILTER) as netfilter:
            inside(netfilter)

    try:
        netns.create(str(path), body)
    finally:
        netns.unpin(str(path))


def forward_chain(family: int, table: str, chain: str, policy: int) -> list[netlink.Request]:
    """A table with one base chain at the forward hook, as another program would make it."""
    hook = nested(4, attribute(1, struct.pack(">I", 2)), attribute(2, struct.pack(">i", 0)))
    body = nftables.header(family) + text(1, table) + text(3, chain) + hook
    return [
        (nftables.NEWTABLE, netlink.CREATE, nftables.header(family) + text(1, table)),
        (nftables.NEWCHAIN, netlink.CREATE, body + attribute(5, struct.pack(">I", policy)) + text(7, "filter")),
    ]


def ensure(settings: Settings, netfilter: Netlink) -> None:
    database = Database(settings.database)
    with Netlink(netlink.ROUTE) as rtnl:
        bridge.ensure(settings, database, rtnl, netfilter)
    database.close()


def handles(netfilter: Netlink, family: int, table: str, chain: str) -> list[bytes]:
    return nftables.rules_naming(netfilter, family, table, chain, "")


@pytest.mark.parametrize("family", [nftables.IPV4, nftables.INET])
def test_a_chain_that_drops_gets_two_rules_at_its_end_and_only_once(
    settings: Settings, tmp_path: Path, family: int
) -> None:
    def inside(netfilter: Netlink) -> None:
        nftables.commit(netfilter, forward_chain(family, "filter", "FORWARD", nftables.DROP))
        nftables.commit(netfilter, ruleset.pass_through(family, "filter", "FORWARD", "lan0", first=False))
        before = handles(netfilter, family, "filter", "FORWARD")
        for _ in range(2):
            ensure(settings, netfilter)
        after = handles(netfilter, family, "filter", "FORWARD")
        assert after[:2] == before and len(after) == 4
        bridge.remove(settings, Database(settings.database))
        assert handles(netfilter, family, "filter", "FORWARD") == before

    on_another_host(tmp_path / "host", inside)


def test_firewalld_which_ends_with_a_reject_gets_them_at_the_beginning(settings: Settings, tmp_path: Path) -> None:
    def inside(netfilter: Netlink) -> None:
        nftables.commit(netfilter, forward_chain(nftables.INET, "firewalld", "filter_FORWARD", 1))
        nftables.commit(
            netfilter, ruleset.pass_through(nftables.INET, "firewalld", "filter_FORWARD", "lan0", first=False)
        )
        before = handles(netfilter, nftables.INET, "firewalld", "filter_FORWARD")
        ensure(settings, netfilter)
        after = handles(netfilter, nftables.INET, "firewalld", "filter_FORWARD")
        assert after[2:] == before and len(after) == 4

    on_another_host(tmp_path / "host", inside)


def test_a_table_that_its_program_keeps_for_itself_does_not_stop_the_engine(settings: Settings, tmp_path: Path) -> None:
    def inside(netfilter: Netlink) -> None:
        with Netlink(netlink.NETFILTER) as firewalld:
            table, chain = forward_chain(nftables.INET, "firewalld", "filter_FORWARD", 1)
            owned = (table[0], table[1], table[2] + attribute(2, struct.pack(">I", 2)))
            nftables.commit(firewalld, [owned, chain])
            ensure(settings, netfilter)
            assert handles(netfilter, nftables.INET, "firewalld", "filter_FORWARD") == []
            assert bridge.blocking_chains(settings, netfilter) == []

    on_another_host(tmp_path / "host", inside)


def test_a_chain_that_accepts_is_left_alone(settings: Settings, tmp_path: Path) -> None:
    def inside(netfilter: Netlink) -> None:
        nftables.commit(netfilter, forward_chain(nftables.INET, "mine", "forward", 1))
        ensure(settings, netfilter)
        assert handles(netfilter, nftables.INET, "mine", "forward") == []

    on_another_host(tmp_path / "host", inside)


def test_a_firewall_that_comes_back_is_mended_again(settings: Settings, tmp_path: Path) -> None:
    def inside(netfilter: Netlink) -> None:
        ensure(settings, netfilter)
        nftables.commit(netfilter, forward_chain(nftables.IPV4, "filter", "FORWARD", nftables.DROP))
        ensure(settings, netfilter)
        assert len(nftables.rules_naming(netfilter, nftables.IPV4, "filter", "FORWARD", settings.bridge)) == 2

    on_another_host(tmp_path / "host", inside)


def test_forwarding_is_switched_on_where_it_is_off(settings: Settings, tmp_path: Path) -> None:
    switch = Path("/proc/sys/net/ipv4/ip_forward")

    def inside(netfilter: Netlink) -> None:
        switch.write_text("0")
        ensure(settings, netfilter)
        assert switch.read_text().strip() == "1"

    on_another_host(tmp_path / "host", inside)


def test_a_refused_transaction_leaves_the_socket_fit_for_use(settings: Settings, tmp_path: Path) -> None:
    def inside(netfilter: Netlink) -> None:
        unknown = (nftables.NEWTABLE, netlink.CREATE, nftables.header(77) + text(1, "x") + number(2, 0))
        with pytest.raises(OSError, match=r"."):
            nftables.commit(netfilter, [unknown])
        ensure(settings, netfilter)  # the socket is fit for use after a failure

    on_another_host(tmp_path / "host", inside)
