"""Learning that somebody has changed the host's firewall: the kernel tells every listener what nftables does."""

from __future__ import annotations

import struct

from engine.linux import netlink
from engine.linux.netlink import Netlink

_GROUP = 7  # NFNLGRP_NFTABLES, include/uapi/linux/netfilter/nfnetlink.h
_SUBSYSTEM = 10  # NFNL_SUBSYS_NFTABLES
# NFT_MSG_DELTABLE, NEWCHAIN (it may forbid forwarding), DELCHAIN, DELRULE, DELSET: elements come and go with every port
_TELLING = frozenset((2, 3, 5, 8, 11))
_HEADER = struct.Struct("=IH")  # the beginning of struct nlmsghdr: length, type
_CHUNK = 1 << 16


class FirewallWatch:
    """`fileno()` is readable when `read()` knows more. It costs nothing while nobody touches the firewall."""

    def __init__(self) -> None:
        """Raises OSError where the kernel has no nftables."""
        self._netlink = Netlink(netlink.NETFILTER)
        try:
            self._netlink.join(_GROUP)
        except OSError:
            self.close()
            raise

    def fileno(self) -> int:
        return self._netlink.fileno()

    def close(self) -> None:
        self._netlink.close()

    def read(self) -> bool:
        """Take what has come, without blocking: may something be missing now that was there?"""
        is_telling = False
        while True:
            try:
                data = self._netlink.receive(_CHUNK)
            except BlockingIOError:
                return is_telling
            except OSError:  # ENOBUFS: more came than fits, so nobody knows what
                is_telling = True
                continue
            offset = 0
            while offset + _HEADER.size <= len(data):
                length, kind = _HEADER.unpack_from(data, offset)
                is_telling |= kind >> 8 == _SUBSYSTEM and kind & 0xFF in _TELLING
                offset += max((length + 3) & ~3, _HEADER.size)
