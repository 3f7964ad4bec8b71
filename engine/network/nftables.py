"""The nftables messages that a container's start needs: is our table there, put and take elements of its maps.

Source: include/uapi/linux/netfilter/nf_tables.h; `nft --debug=netlink` for the layout of concatenated keys.
"""

from __future__ import annotations

import struct

from engine.linux import netlink
from engine.linux.netlink import Netlink, Request, attribute, nested, text

_SUBSYSTEM = 10 << 8
NEWTABLE, GETTABLE, DELTABLE = _SUBSYSTEM | 0, _SUBSYSTEM | 1, _SUBSYSTEM | 2
NEWCHAIN, GETCHAIN = _SUBSYSTEM | 3, _SUBSYSTEM | 4
NEWRULE, GETRULE, DELRULE = _SUBSYSTEM | 6, _SUBSYSTEM | 7, _SUBSYSTEM | 8
NEWSET = _SUBSYSTEM | 9
NEWSETELEM, GETSETELEM, DELSETELEM = _SUBSYSTEM | 12, _SUBSYSTEM | 13, _SUBSYSTEM | 14
_BATCH_BEGIN, _BATCH_END = 0x10, 0x11

INET, IPV4 = 1, 2  # table families
HOOK_FORWARD = 2
DROP = 0

_TABLE_NAME, _TABLE_FLAGS, _TABLE_USERDATA = 1, 2, 6
_OWNER = 0x2  # NFT_TABLE_F_OWNER
_CHAIN_TABLE, _CHAIN_NAME, _CHAIN_HOOK, _CHAIN_POLICY = 1, 3, 4, 5
_HOOK_NUMBER = 1
_RULE_TABLE, _RULE_CHAIN, _RULE_HANDLE = 1, 2, 3
_LIST_TABLE, _LIST_SET, _LIST_ELEMENTS = 1, 2, 3
_ELEMENT, _ELEMENT_KEY, _ELEMENT_DATA, _VALUE = 1, 1, 2, 1

BaseChain = tuple[int, str, str, int]
"""Family, table, name and policy (DROP or accept)."""


def header(family: int) -> bytes:
    """struct nfgenmsg, with which every message begins."""
    return struct.pack(">BBH", family, 0, 0)


def commit(netfilter: Netlink, requests: list[Request]) -> None:
    """Do all of the requests or none. Raises OSError."""
    mark = struct.pack(">BBH", 0, 0, 10)  # the batch is for subsystem nftables
    netfilter.transaction((_BATCH_BEGIN, 0, mark), requests, (_BATCH_END, 0, mark))


def table_comment(netfilter: Netlink, table: str) -> str | None:
    """The comment of an IPv4 table; None if there is no such table. Raises OSError."""
    try:
        answers = netfilter.request((GETTABLE, 0, header(IPV4) + text(_TABLE_NAME, table)))
    except OSError as error:
        if netlink.absent(error):
            return None
        raise
    userdata = netlink.attributes(answers[0][1], 4).get(_TABLE_USERDATA, b"")
    return netlink.string(userdata[2:])  # one byte type (comment), one byte length


def owned(netfilter: Netlink, family: int, table: str) -> bool:
    """Whether only the program that made the table may change it. Raises OSError."""
    answers = netfilter.request((GETTABLE, 0, header(family) + text(_TABLE_NAME, table)))
    flags = netlink.attributes(answers[0][1], 4).get(_TABLE_FLAGS, bytes(4))
    return bool(struct.unpack(">I", flags)[0] & _OWNER)


def forward_chains(netfilter: Netlink) -> list[BaseChain]:
    """The base chains through which forwarded IPv4 packets go. Raises OSError."""
    found = []
    for kind, body in netfilter.dump(GETCHAIN, header(0)):
        values = netlink.attributes(body, 4)
        if kind != NEWCHAIN or body[0] not in (INET, IPV4) or _CHAIN_HOOK not in values:
            continue
        hook = netlink.attributes(values[_CHAIN_HOOK])
        if struct.unpack(">I", hook[_HOOK_NUMBER])[0] == HOOK_FORWARD:
            policy = struct.unpack(">I", values.get(_CHAIN_POLICY, b"\0\0\0\1"))[0]
            found.append((body[0], netlink.string(values[_CHAIN_TABLE]), netlink.string(values[_CHAIN_NAME]), policy))
    return found


def rules_naming(netfilter: Netlink, family: int, table: str, chain: str, link: str) -> list[bytes]:
    """The handles of a chain's rules that match on a link's name, in order. Raises OSError."""
    wanted = header(family) + text(_RULE_TABLE, table) + text(_RULE_CHAIN, chain)
    name = link.encode() + b"\0"
    found = []
    for kind, body in netfilter.dump(GETRULE, wanted):
        values = netlink.attributes(body, 4)
        if kind == NEWRULE and netlink.string(values[_RULE_CHAIN]) == chain and name in body:
            found.append(values[_RULE_HANDLE])
    return found


def delete_rule(family: int, table: str, chain: str, handle: bytes) -> Request:
    """The request that removes one rule."""
    body = text(_RULE_TABLE, table) + text(_RULE_CHAIN, chain) + attribute(_RULE_HANDLE, handle)
    return (DELRULE, 0, header(family) + body)


def delete_table(table: str) -> Request:
    """The request that removes an IPv4 table and all in it."""
    return (DELTABLE, 0, header(IPV4) + text(_TABLE_NAME, table))


def put_elements(table: str, name: str, elements: list[tuple[bytes, bytes]]) -> Request:
    """The request that adds keys with their values to a map."""
    listed = [
        nested(
            _ELEMENT,
            nested(_ELEMENT_KEY, attribute(_VALUE, key)),
            nested(_ELEMENT_DATA, attribute(_VALUE, value)),
        )
        for key, value in elements
    ]
    return (NEWSETELEM, netlink.CREATE, _element_list(table, name, listed))


def take_elements(table: str, name: str, keys: list[bytes]) -> Request:
    """The request that removes keys from a map."""
    listed = [nested(_ELEMENT, nested(_ELEMENT_KEY, attribute(_VALUE, key))) for key in keys]
    return (DELSETELEM, 0, _element_list(table, name, listed))


def elements(netfilter: Netlink, table: str, name: str) -> dict[bytes, bytes]:
    """What a map holds now; nothing if somebody flushed the ruleset and it is gone. Raises OSError."""
    found: dict[bytes, bytes] = {}
    wanted = header(IPV4) + text(_LIST_TABLE, table) + text(_LIST_SET, name)
    try:
        answers = netfilter.dump(GETSETELEM, wanted)
    except OSError as error:
        if netlink.absent(error):
            return found
        raise
    for kind, body in answers:
        if kind != NEWSETELEM:
            continue
        listed = netlink.attributes(body, 4).get(_LIST_ELEMENTS, b"")
        offset = 0
        while offset + 4 <= len(listed):
            length = struct.unpack_from("=H", listed, offset)[0]
            parts = netlink.attributes(listed[offset + 4 : offset + length])
            key = netlink.attributes(parts[_ELEMENT_KEY])[_VALUE]
            found[key] = netlink.attributes(parts[_ELEMENT_DATA])[_VALUE]
            offset += (length + 3) & ~3
    return found


def _element_list(table: str, name: str, listed: list[bytes]) -> bytes:
    return header(IPV4) + text(_LIST_TABLE, table) + text(_LIST_SET, name) + nested(_LIST_ELEMENTS, *listed)
