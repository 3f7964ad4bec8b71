"""Forgetting tracked UDP flows to a port, which would go on to where the port led before.

Source: include/uapi/linux/netfilter/nfnetlink_conntrack.h.
"""

from __future__ import annotations

import struct
from collections.abc import Collection

from engine.linux import netlink
from engine.linux.netlink import Netlink, attribute, nested, number

_NEW, _GET, _DELETE = 1 << 8 | 0, 1 << 8 | 1, 1 << 8 | 2
_ORIGINAL = 1  # CTA_TUPLE_ORIG
_PROTOCOL = 2  # CTA_TUPLE_PROTO
_NUMBER, _DESTINATION_PORT = 1, 3
_FILTER, _ORIGINAL_FLAGS, _REPLY_FLAGS = 25, 1, 2
_BY_PROTOCOL = 1 << 3
_INET, _UDP = 2, 17


def forget_udp(netfilter: Netlink, ports: Collection[int]) -> int:
    """Remove the flows whose first packet went to one of the ports. Returns how many. Raises OSError.

    A client that keeps sending from one port (DNS, QUIC, syslog) keeps its flow, and with it the absence of the
    address translation or the address of a container that is gone.
    """
    header = struct.pack(">BBH", _INET, 0, 0)
    # kernels before 5.8 do not know the filter and list every flow: the ports are looked at here anyway
    udp_only = nested(_ORIGINAL, nested(_PROTOCOL, attribute(_NUMBER, bytes((_UDP,))))) + nested(
        _FILTER, number(_ORIGINAL_FLAGS, _BY_PROTOCOL), number(_REPLY_FLAGS, 0)
    )
    forgotten = 0
    for kind, body in netfilter.dump(_GET, header + udp_only):
        flow = netlink.attributes(body, 4).get(_ORIGINAL, b"")
        protocol = netlink.attributes(netlink.attributes(flow).get(_PROTOCOL, b""))
        if kind != _NEW or protocol.get(_NUMBER) != bytes((_UDP,)):
            continue
        if struct.unpack(">H", protocol[_DESTINATION_PORT])[0] in ports:
            try:
                netfilter.request((_DELETE, 0, header + nested(_ORIGINAL, flow)))
                forgotten += 1
            except OSError as error:
                if not netlink.absent(error):  # it may have ended by itself
                    raise
    return forgotten
