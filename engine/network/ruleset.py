"""The rules of a root's nftables table, and the accepting rules it needs in other programs' forward chains.

Built from pyroute2's message classes, whose import takes longer than a container's start: only imported when rules are
missing, which is once after a boot. The rules, as nft(8) writes them, for bridge B with subnet S:

    map ports         { type inet_proto . inet_service : ipv4_addr . inet_service; }
    map address_ports { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }
    chain publish     { dnat ip to ip daddr . meta l4proto . th dport map @address_ports
                        dnat ip to meta l4proto . th dport map @ports }
    chain prerouting  { type nat hook prerouting priority -110; fib daddr type local jump publish }
    chain local_out   { type nat hook output priority -110; fib daddr type local jump publish }
    chain postrouting { type nat hook postrouting priority srcnat
                        ip saddr S oifname != B masquerade                   # to the world
                        oifname B ip saddr 127.0.0.0/8 masquerade            # the host called 127.0.0.1
                        oifname B ip saddr S ct status dnat masquerade }     # a container called a published port
    chain forward     { type filter hook forward priority -1
                        oifname != B accept; iifname B accept
                        ct state established,related accept; ct status dnat accept; drop }
    chain early       { type filter hook prerouting priority raw; iifname B ip daddr 127.0.0.0/8 drop }

`forward` keeps other hosts from routing to ports that are not published. `early` mends what route_localnet on the
bridge would open: containers reaching services that listen on the host's 127.0.0.1 only (CVE-2020-8558).
"""

from __future__ import annotations

import struct

from engine.linux.netlink import CREATE, Request
from engine.network import nftables, subnet
from engine.network.ports_map import ADDRESS_PORTS, PORTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    _Expression = dict[str, Any]

REVISION = "Pilothouse, revision 1"


_VERDICT_REGISTER, _R1, _R9, _R10 = 0, 1, 9, 10  # 1 is four words long, 8 to 11 are those words
_EQUAL, _NOT_EQUAL = 0, 1
_IIFNAME, _OIFNAME, _L4PROTO = 6, 7, 16
_NETWORK, _TRANSPORT = 1, 2  # header that a payload is loaded from
_SOURCE, _DESTINATION = 12, 16  # offsets in an IPv4 header
_DROP, _ACCEPT, _JUMP = 0, 1, -3
_CT_STATE, _CT_STATUS = 0, 2
_ESTABLISHED_OR_RELATED, _DNAT = 0x6, 0x20
_PREROUTING, _FORWARD, _OUTPUT, _POSTROUTING = 0, 2, 3, 4
_ADDRESS_TYPE, _PROTOCOL_TYPE, _SERVICE_TYPE = 7, 12, 13  # nft(8)'s numbers, six bits each when concatenated
_SET_MAP = "NFT_SET_MAP"


def comment(network: int, bridge: str) -> str:
    """What the table's comment says; another revision or subnet than expected means that it is made anew."""
    return f"{REVISION}, {bridge} {subnet.dotted(network)}/{subnet.PREFIX_LENGTH}"


def table(name: str, bridge: str, network: int) -> list[Request]:
    """The requests that make the whole table of a root, with empty maps."""
    address, loopback = subnet.packed(network)[:2], b"\x7f"
    lines = [
        _table(name, comment(network, bridge)),
        _map(name, PORTS, 1, (_PROTOCOL_TYPE, _SERVICE_TYPE)),
        _map(name, ADDRESS_PORTS, 2, (_ADDRESS_TYPE, _PROTOCOL_TYPE, _SERVICE_TYPE)),
        _chain(name, "publish"),
        _rule(name, "publish", [_load(_NETWORK, _DESTINATION, 4, _R1), *_port_key(_R9, _R10), *_dnat(ADDRESS_PORTS)]),
        _rule(name, "publish", [*_port_key(_R1, _R9), *_dnat(PORTS)]),
        _chain(name, "prerouting", "nat", _PREROUTING, -110),
        _rule(name, "prerouting", [*_to_this_host(), _verdict(_JUMP, "publish")]),
        _chain(name, "local_out", "nat", _OUTPUT, -110),
        _rule(name, "local_out", [*_to_this_host(), _verdict(_JUMP, "publish")]),
        _chain(name, "postrouting", "nat", _POSTROUTING, 100),
        _rule(name, "postrouting", [*_address(_SOURCE, address), *_link(_OIFNAME, bridge, _NOT_EQUAL), _masquerade()]),
        _rule(name, "postrouting", [*_link(_OIFNAME, bridge), *_address(_SOURCE, loopback), _masquerade()]),
        _rule(
            name,
            "postrouting",
            [*_link(_OIFNAME, bridge), *_address(_SOURCE, address), *_flagged(_CT_STATUS, _DNAT), _masquerade()],
        ),
        _chain(name, "forward", "filter", _FORWARD, -1),
        _rule(name, "forward", [*_link(_OIFNAME, bridge, _NOT_EQUAL), _verdict(_ACCEPT)]),
        _rule(name, "forward", [*_link(_IIFNAME, bridge), _verdict(_ACCEPT)]),
        _rule(name, "forward", [*_flagged(_CT_STATE, _ESTABLISHED_OR_RELATED), _verdict(_ACCEPT)]),
        _rule(name, "forward", [*_flagged(_CT_STATUS, _DNAT), _verdict(_ACCEPT)]),
        _rule(name, "forward", [_verdict(_DROP)]),
        _chain(name, "early", "filter", _PREROUTING, -300),
        _rule(name, "early", [*_link(_IIFNAME, bridge), *_address(_DESTINATION, loopback), _verdict(_DROP)]),
    ]
    return lines


def pass_through(family: int, table: str, chain: str, bridge: str, *, first: bool) -> list[Request]:
    """Rules for another program's forward chain that let our bridge's packets pass, at its end or its beginning.

    Spelled as iptables-nft spells `-i BRIDGE -j ACCEPT`, so that iptables(8) can still list and save its table.
    """
    name = bridge.encode() + b"\0"
    requests = []
    for key in (_IIFNAME, _OIFNAME):
        matched = [_expression("meta", dreg=_R1, key=key), _expression("cmp", sreg=_R1, op=_EQUAL, data=_value(name))]
        rule = [*matched, _expression("counter", bytes=0, packets=0), _verdict(_ACCEPT)]
        requests.append(_rule(table, chain, rule, family=family, append=not first))
    return requests


def _table(name: str, comment: str) -> Request:
    from pyroute2.netlink.nfnetlink.nftsocket import nft_table_msg

    values = (("NFTA_TABLE_NAME", name), ("NFTA_TABLE_USERDATA", comment))
    return _request(nft_table_msg(), nftables.NEWTABLE, CREATE, *values)


def _map(table: str, name: str, number: int, key: tuple[int, ...]) -> Request:
    from pyroute2.netlink.nfnetlink.nftsocket import nft_set_msg

    return _request(
        nft_set_msg(),
        nftables.NEWSET,
        CREATE,
        ("NFTA_SET_TABLE", table),
        ("NFTA_SET_NAME", name),
        ("NFTA_SET_FLAGS", {_SET_MAP}),
        ("NFTA_SET_KEY_TYPE", _concatenated(key)),
        ("NFTA_SET_KEY_LEN", 4 * len(key)),
        ("NFTA_SET_DATA_TYPE", _concatenated((_ADDRESS_TYPE, _SERVICE_TYPE))),
        ("NFTA_SET_DATA_LEN", 8),
        ("NFTA_SET_ID", number),
    )


def _chain(table: str, name: str, kind: str = "", hook: int = 0, priority: int = 0) -> Request:
    from pyroute2.netlink.nfnetlink.nftsocket import nft_chain_msg

    values: list[tuple[str, Any]] = [("NFTA_CHAIN_TABLE", table), ("NFTA_CHAIN_NAME", name)]
    if kind:
        place = [("NFTA_HOOK_HOOKNUM", hook), ("NFTA_HOOK_PRIORITY", priority)]
        values += [("NFTA_CHAIN_HOOK", {"attrs": place}), ("NFTA_CHAIN_TYPE", kind)]
    return _request(nft_chain_msg(), nftables.NEWCHAIN, CREATE, *values)


def _rule(
    table: str, chain: str, expressions: list[_Expression], *, family: int = nftables.IPV4, append: bool = True
) -> Request:
    from pyroute2.netlink.nfnetlink.nftsocket import nft_rule_msg

    return _request(
        nft_rule_msg(),
        nftables.NEWRULE,
        CREATE | (0x800 if append else 0),
        ("NFTA_RULE_TABLE", table),
        ("NFTA_RULE_CHAIN", chain),
        ("NFTA_RULE_EXPRESSIONS", expressions),
        family=family,
    )


def _request(message: Any, kind: int, flags: int, *values: tuple[str, Any], family: int = nftables.IPV4) -> Request:
    message["nfgen_family"] = family
    message["attrs"] = list(values)
    message.encode()
    return (kind, flags, bytes(message.data[16:]))  # without pyroute2's nlmsghdr: Netlink writes its own


def _expression(name: str, **values: Any) -> _Expression:
    named = [(f"NFTA_{name.upper()}_{key.upper()}", value) for key, value in values.items()]
    return {"attrs": [("NFTA_EXPR_NAME", name), ("NFTA_EXPR_DATA", {"attrs": named})]}


def _value(value: bytes) -> dict[str, Any]:
    return {"attrs": [("NFTA_DATA_VALUE", value)]}


def _verdict(code: int, chain: str = "") -> _Expression:
    parts: list[tuple[str, Any]] = [("NFTA_VERDICT_CODE", code)]
    if chain:
        parts.append(("NFTA_VERDICT_CHAIN", chain))
    return _expression("immediate", dreg=_VERDICT_REGISTER, data={"attrs": [("NFTA_DATA_VERDICT", {"attrs": parts})]})


def _link(key: int, name: str, operator: int = _EQUAL) -> list[_Expression]:
    padded = name.encode().ljust(16, b"\0")
    return [_expression("meta", dreg=_R1, key=key), _expression("cmp", sreg=_R1, op=operator, data=_value(padded))]


def _load(header: int, offset: int, length: int, register: int) -> _Expression:
    return _expression("payload", dreg=register, base=header, offset=offset, len=length)


def _address(offset: int, beginning: bytes) -> list[_Expression]:
    return [
        _load(_NETWORK, offset, len(beginning), _R1),
        _expression("cmp", sreg=_R1, op=_EQUAL, data=_value(beginning)),
    ]


def _flagged(key: int, bits: int) -> list[_Expression]:
    """At least one of the bits of a conntrack value is set."""
    mask, zero = _value(struct.pack("=I", bits)), _value(bytes(4))
    return [
        _expression("ct", dreg=_R1, key=key),
        _expression("bitwise", sreg=_R1, dreg=_R1, len=4, mask=mask, xor=zero),
        _expression("cmp", sreg=_R1, op=_NOT_EQUAL, data=zero),
    ]


def _to_this_host() -> list[_Expression]:
    local = struct.pack("=I", 2)  # RTN_LOCAL
    # pyroute2 takes the number of the result for a set of bits: these two make 3, NFT_FIB_RESULT_ADDRTYPE
    address_type = {"NFT_FIB_RESULT_UNSPEC", "NFT_FIB_RESULT_OIF"}
    return [
        _expression("fib", dreg=_R1, result=address_type, flags=2),  # 2: of the destination
        _expression("cmp", sreg=_R1, op=_EQUAL, data=_value(local)),
    ]


def _port_key(protocol: int, port: int) -> list[_Expression]:
    return [_expression("meta", dreg=protocol, key=_L4PROTO), _load(_TRANSPORT, 2, 2, port)]


def _dnat(name: str) -> list[_Expression]:
    return [
        _expression("lookup", set=name, sreg=_R1, dreg=_R1),
        _expression("nat", type=1, family=nftables.IPV4, reg_addr_min=_R1, reg_proto_min=_R9),
    ]


def _masquerade() -> _Expression:
    return _expression("masq")


def _concatenated(types: tuple[int, ...]) -> int:
    total = 0
    for kind in types:
        total = total << 6 | kind
    return total
