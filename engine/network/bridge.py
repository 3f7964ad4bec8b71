"""What a root has on the host for all of its containers: the bridge, the nftables table, the forwarding switches."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator

from engine.linux import netlink
from engine.linux.netlink import Netlink
from engine.network import links, nftables, ports_map, ruleset, subnet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.settings import Settings
    from engine.state.database import Database

_FORWARDING = "/proc/sys/net/ipv4/ip_forward"
_ETHERNET_MTU = 1500


class Bridge:
    """The bridge as containers need it: its link index, network number and MTU in bytes; was it made just now?"""

    __slots__ = ("index", "is_new", "mtu", "network")

    def __init__(self, index: int, network: int, mtu: int, *, is_new: bool = False) -> None:
        self.index, self.network, self.mtu, self.is_new = index, network, mtu, is_new

    @property
    def gateway(self) -> int:
        """The bridge's own address, as a number."""
        return self.network + 1


def ensure(settings: Settings, database: Database, rtnl: Netlink, netfilter: Netlink) -> Bridge:
    """The root's bridge, made or mended if anything of it is missing.

    Looking costs six small messages; something is missing after a boot, or when a firewall was reloaded
    (`nft flush ruleset`, `systemctl restart docker`, `firewall-cmd --reload`).

    Raises OSError, NetworkError.
    """
    found = _intact(settings, database, rtnl, netfilter)
    if found is not None:
        return found
    with _host_lock():
        return _intact(settings, database, rtnl, netfilter) or _make(settings, database, rtnl, netfilter)


def is_intact(settings: Settings, database: Database) -> bool:
    """Whether `ensure` would have nothing to do. Raises OSError."""
    with Netlink(netlink.ROUTE) as rtnl, Netlink(netlink.NETFILTER) as netfilter:
        return _intact(settings, database, rtnl, netfilter) is not None


def remove(settings: Settings, database: Database) -> None:
    """Take away everything `ensure` made for this root; containers on the bridge lose their network. Idempotent.

    Raises OSError.
    """
    with _host_lock(), Netlink(netlink.ROUTE) as rtnl, Netlink(netlink.NETFILTER) as netfilter:
        links.delete_link(rtnl, settings.bridge)
        requests = []
        if nftables.table_comment(netfilter, settings.nft_table) is not None:
            requests.append(nftables.delete_table(settings.nft_table))
        for family, table, chain in _foreign_chains(settings, netfilter):
            for handle in nftables.rules_naming(netfilter, family, table, chain, settings.bridge):
                requests.append(nftables.delete_rule(family, table, chain, handle))
        if requests:
            nftables.commit(netfilter, requests)


def blocking_chains(settings: Settings, netfilter: Netlink) -> list[tuple[int, str, str, bool]]:
    """Forward chains of other programs that would stop our packets and have no rule of ours yet.

    As family, table, chain and whether our rules must come first there. A chain whose policy is to drop (Docker,
    Kubernetes, ufw) gets our rules at its end, so that what its owner forbids stays forbidden; firewalld ends its chain
    with a reject, so there they come first.

    Out of reach are chains of iptables-legacy and tables that their program keeps for itself (firewalld with
    `NftablesTableOwner=yes`): there the administrator has to let the bridge pass, for example with
    `firewall-cmd --zone=trusted --add-interface=BRIDGE`.

    Raises OSError.
    """
    missing = []
    for family, table, chain, policy in nftables.forward_chains(netfilter):
        firewalld = table == "firewalld" and chain == "filter_FORWARD"
        if table == settings.nft_table or not (policy == nftables.DROP or firewalld):
            continue
        if len(nftables.rules_naming(netfilter, family, table, chain, settings.bridge)) >= 2:
            continue
        if not nftables.owned(netfilter, family, table):
            missing.append((family, table, chain, firewalld))
    return missing


def _intact(settings: Settings, database: Database, rtnl: Netlink, netfilter: Netlink) -> Bridge | None:
    index = links.link_index(rtnl, settings.bridge)
    if not index:
        return None
    kept = {row[0]: row[1] for row in database.query("SELECT key, value FROM network")}
    network = subnet.number(kept.get("subnet", "0.0.0.0/0").partition("/")[0])
    if (
        not network
        or _read(_FORWARDING) != "1"
        or nftables.table_comment(netfilter, settings.nft_table) != ruleset.comment(network, settings.bridge)
        or blocking_chains(settings, netfilter)
    ):
        return None
    return Bridge(index, network, int(kept.get("mtu", _ETHERNET_MTU)))


def _make(settings: Settings, database: Database, rtnl: Netlink, netfilter: Netlink) -> Bridge:
    existed = links.link_index(rtnl, settings.bridge) != 0
    with database.transaction() as connection:
        network = subnet.stored(connection) if existed else 0
        if not network:
            network = subnet.chosen(connection, str(settings.root), links.occupied(rtnl))
        mtu = _mtu()
        connection.execute("INSERT OR REPLACE INTO network VALUES ('mtu', ?)", (str(mtu),))
    address = subnet.packed(network + 1)
    index = links.create_bridge(rtnl, settings.bridge, address, subnet.PREFIX_LENGTH, mac_of(network + 1), mtu)
    # packets from 127.0.0.1 to a published port leave through the bridge: ip-sysctl.rst, route_localnet
    _write(f"/proc/sys/net/ipv4/conf/{settings.bridge}/route_localnet", "1")
    with contextlib.suppress(FileNotFoundError):  # a kernel without IPv6
        _write(f"/proc/sys/net/ipv6/conf/{settings.bridge}/disable_ipv6", "1")
    if _read(_FORWARDING) != "1":
        _write(_FORWARDING, "1")
    _make_rules(settings, database, netfilter, network)
    return Bridge(index, network, mtu, is_new=not existed)


def _make_rules(settings: Settings, database: Database, netfilter: Netlink, network: int) -> None:
    requests = []
    said = nftables.table_comment(netfilter, settings.nft_table)
    if said != ruleset.comment(network, settings.bridge):
        if said is not None:
            requests.append(nftables.delete_table(settings.nft_table))
        requests += ruleset.table(settings.nft_table, settings.bridge, network)
        requests += ports_map.put(settings.nft_table, ports_map.in_force(database))
    for family, table, chain, first in blocking_chains(settings, netfilter):
        for handle in nftables.rules_naming(netfilter, family, table, chain, settings.bridge):
            requests.append(nftables.delete_rule(family, table, chain, handle))
        requests += ruleset.pass_through(family, table, chain, settings.bridge, first=first)
    if requests:
        nftables.commit(netfilter, requests)
        ports_map.mend(netfilter, settings.nft_table, database)  # a mapping may have gone while it was put there


def _foreign_chains(settings: Settings, netfilter: Netlink) -> list[tuple[int, str, str]]:
    chains = nftables.forward_chains(netfilter)
    return [(family, table, chain) for family, table, chain, _ in chains if table != settings.nft_table]


def mac_of(address: int) -> bytes:
    """A MAC address made from an IPv4 address, so that nobody's ARP cache holds a wrong one when it is used again."""
    return b"\x02\x50" + subnet.packed(address)


@contextlib.contextmanager
def _host_lock() -> Iterator[None]:
    """One engine at a time on this host, whatever its root: a lock on a directory that every engine finds."""
    descriptor = os.open("/sys/class/net", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _mtu() -> int:
    """That of the default route's link if less than Ethernet's: bigger packets would vanish in tunnels."""
    for line in _read("/proc/net/route").splitlines()[1:]:
        fields = line.split()
        if len(fields) > 7 and fields[1] == "00000000" and fields[7] == "00000000":
            return min(_ETHERNET_MTU, int(_read(f"/sys/class/net/{fields[0]}/mtu")))
    return _ETHERNET_MTU


def _read(path: str) -> str:
    with open(path, encoding="ascii") as file:
        return file.read().strip()


def _write(path: str, value: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(value)
