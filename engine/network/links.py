"""Links, addresses and routes: the rtnetlink messages of the bridge and of a container's veth pair.

Source: rtnetlink(7); include/uapi/linux/if_link.h.
"""

from __future__ import annotations

import errno
import struct

from engine.linux import netlink
from engine.linux.netlink import Netlink, Request, attribute, nested, number, text

_NEWLINK, _DELLINK, _GETLINK, _NEWADDR, _GETADDR, _NEWROUTE, _GETROUTE = 16, 17, 18, 20, 22, 24, 26
_ADDRESS, _IFNAME, _MTU, _MASTER, _LINKINFO, _NET_NS_FD = 1, 3, 4, 10, 18, 28
_INFO_KIND, _INFO_DATA, _INFO_SLAVE_DATA = 1, 2, 5
_VETH_PEER = 1
_BRIDGE_PORT_HAIRPIN = 4
_IFA_ADDRESS, _IFA_LOCAL, _IFA_BROADCAST = 1, 2, 4
_RTA_DESTINATION, _RTA_GATEWAY = 1, 5
_UP = 1
_INET = 2
_LINK = struct.Struct("=BxHiII")
_ADDR = struct.Struct("=BBBBI")
_ROUTE = struct.Struct("=BBBBBBBBI")
_LOOPBACK_INDEX = 1  # the kernel makes lo first in every namespace

Link = tuple[int, str, int]
"""Index, name and the index of the master (0: none)."""


def link_index(rtnl: Netlink, name: str) -> int:
    """The index of a link, 0 if there is none of that name. Raises OSError."""
    try:
        answers = rtnl.request((_GETLINK, 0, _LINK.pack(0, 0, 0, 0, 0) + text(_IFNAME, name)))
    except OSError as error:
        if netlink.absent(error):
            return 0
        raise
    return _LINK.unpack_from(answers[0][1])[2]


def links(rtnl: Netlink) -> list[Link]:
    """Every link of the namespace. Raises OSError."""
    found = []
    for kind, body in rtnl.dump(_GETLINK, _LINK.pack(0, 0, 0, 0, 0)):
        if kind == _NEWLINK:
            values = netlink.attributes(body, _LINK.size)
            master = struct.unpack("=I", values[_MASTER])[0] if _MASTER in values else 0
            found.append((_LINK.unpack_from(body)[2], netlink.string(values.get(_IFNAME, b"")), master))
    return found


def create_bridge(rtnl: Netlink, name: str, address: bytes, prefix_length: int, mac: bytes, mtu: int) -> int:
    """A bridge with an address, up. Returns its index. Raises OSError.

    The MAC address is given, so that it does not follow the lowest of the ports': containers would lose the gateway.
    """
    wanted = text(_IFNAME, name) + attribute(_ADDRESS, mac) + number(_MTU, mtu)
    kind = nested(_LINKINFO, text(_INFO_KIND, "bridge"))
    try:
        rtnl.request((_NEWLINK, netlink.CREATE | netlink.EXCLUSIVE, _LINK.pack(0, 0, 0, _UP, _UP) + wanted + kind))
    except OSError as error:
        if error.errno != errno.EEXIST:
            raise
    index = link_index(rtnl, name)
    rtnl.request(
        (_NEWLINK, 0, _LINK.pack(0, 0, index, _UP, _UP)),
        _address(index, address, prefix_length),
    )
    return index


def delete_link(rtnl: Netlink, name: str) -> None:
    """Remove a link, and its peer with it. None of that name: nothing done. Raises OSError."""
    try:
        rtnl.request((_DELLINK, 0, _LINK.pack(0, 0, 0, 0, 0) + text(_IFNAME, name)))
    except OSError as error:
        if not netlink.absent(error):
            raise


def create_veth(rtnl: Netlink, name: str, bridge: int, namespace: int, peer_mac: bytes, mtu: int) -> None:
    """A veth pair: `name` on the bridge and up, `eth0` born inside the namespace (a descriptor), down. Raises OSError.

    Born inside, because moving a link between namespaces waits 20 ms for RCU. Hairpin: where br_netfilter is on, a
    container that calls its own published port is turned round by the bridge, not by routing.
    """
    eth0 = (
        _LINK.pack(0, 0, 0, 0, 0)
        + text(_IFNAME, "eth0")
        + attribute(_ADDRESS, peer_mac)
        + number(_MTU, mtu)
        + number(_NET_NS_FD, namespace)
    )
    kind = nested(_LINKINFO, text(_INFO_KIND, "veth"), nested(_INFO_DATA, attribute(_VETH_PEER, eth0)))
    hairpin = nested(_INFO_SLAVE_DATA, attribute(_BRIDGE_PORT_HAIRPIN, b"\1"))
    rtnl.request(
        (
            _NEWLINK,
            netlink.CREATE | netlink.EXCLUSIVE,
            _LINK.pack(0, 0, 0, _UP, _UP) + text(_IFNAME, name) + number(_MTU, mtu) + number(_MASTER, bridge) + kind,
        ),
        (
            _NEWLINK,
            0,
            _LINK.pack(0, 0, 0, 0, 0)
            + text(_IFNAME, name)
            + nested(_LINKINFO, text(_INFO_KIND, "bridge_slave"), hairpin),
        ),
    )


def set_master(rtnl: Netlink, index: int, bridge: int) -> None:
    """Put a link onto a bridge, with hairpin on. Raises OSError."""
    hairpin = nested(_INFO_SLAVE_DATA, attribute(_BRIDGE_PORT_HAIRPIN, b"\1"))
    rtnl.request(
        (_NEWLINK, 0, _LINK.pack(0, 0, index, _UP, _UP) + number(_MASTER, bridge)),
        (_NEWLINK, 0, _LINK.pack(0, 0, index, 0, 0) + nested(_LINKINFO, text(_INFO_KIND, "bridge_slave"), hairpin)),
    )


def loopback_up(rtnl: Netlink) -> None:
    """Raises OSError."""
    rtnl.request((_NEWLINK, 0, _LINK.pack(0, 0, _LOOPBACK_INDEX, _UP, _UP)))


def configure(rtnl: Netlink, name: str, address: bytes, prefix_length: int, gateway: bytes) -> None:
    """Bring up a link, and lo, of the namespace with what they need to reach the world. Raises OSError."""
    index = link_index(rtnl, name)
    default = _ROUTE.pack(_INET, 0, 0, 0, 254, 3, 0, 1, 0) + attribute(_RTA_GATEWAY, gateway)  # main, boot, unicast
    rtnl.request(
        (_NEWLINK, 0, _LINK.pack(0, 0, _LOOPBACK_INDEX, _UP, _UP)),
        (_NEWLINK, 0, _LINK.pack(0, 0, index, _UP, _UP)),
        _address(index, address, prefix_length),
        (_NEWROUTE, netlink.CREATE | netlink.EXCLUSIVE, default),
    )


def occupied(rtnl: Netlink) -> list[tuple[bytes, int]]:
    """Every IPv4 network that has a route in any table or an address on any link, as bytes and prefix length.

    Default routes are left out. Raises OSError.
    """
    found = []
    for kind, body in rtnl.dump(_GETROUTE, _ROUTE.pack(_INET, 0, 0, 0, 0, 0, 0, 0, 0)):
        values = netlink.attributes(body, _ROUTE.size)
        if kind == _NEWROUTE and _RTA_DESTINATION in values:
            found.append((values[_RTA_DESTINATION], body[1]))
    for kind, body in rtnl.dump(_GETADDR, _ADDR.pack(_INET, 0, 0, 0, 0)):
        values = netlink.attributes(body, _ADDR.size)
        if kind == _NEWADDR and _IFA_ADDRESS in values:
            found.append((values[_IFA_ADDRESS], body[1]))
    return found


def _address(index: int, address: bytes, prefix_length: int) -> Request:
    host_bits = (1 << (32 - prefix_length)) - 1
    broadcast = struct.pack(">I", struct.unpack(">I", address)[0] | host_bits)
    body = _ADDR.pack(_INET, prefix_length, 0, 0, index)
    body += attribute(_IFA_LOCAL, address) + attribute(_IFA_ADDRESS, address) + attribute(_IFA_BROADCAST, broadcast)
    return (_NEWADDR, netlink.CREATE | netlink.REPLACE, body)
