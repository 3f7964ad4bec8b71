"""The listening sockets of a network namespace, as the kernel lists them.

Asked by sock_diag(7), which can be told to list only those that listen. /proc/net/tcp walks the whole table of
connections of the machine to say the same: 25 ms instead of one. It is read where the kernel lacks sock_diag.
"""

from __future__ import annotations

import _socket
import struct
import sys
from collections.abc import Iterator

from engine.frozen import dataclass
from engine.linux import netns
from engine.linux.netlink import Netlink

_SOCK_DIAG, _BY_FAMILY = 4, 20  # the netlink protocol and its one request
_LISTEN, _CLOSE = 10, 7  # TCP_LISTEN; a UDP socket without a fixed peer counts as closed
_REQUEST = struct.Struct("=BBBxI48x")  # inet_diag_req_v2: family, protocol, extensions, mask of states, any socket
# inet_diag_msg: family, then the socket's id (ports in network order, addresses), then its uid and inode
_ANSWER = struct.Struct("=B3x2s2s16s16s12x12xII")
_MAPPED = "::ffff:"

_PROC_LISTEN, _PROC_OPEN = "0A", "07"
_LOCAL, _REMOTE, _STATE, _UID, _INODE = 1, 2, 3, 7, 9  # columns of /proc/net/tcp and udp


@dataclass(frozen=True, slots=True)
class Socket:
    """A TCP socket that listens, or a UDP socket that takes datagrams from anyone."""

    address: str
    port: int
    protocol: str
    uid: int
    inode: str


def listening(pid: int = 0) -> list[Socket]:
    """Those of the namespace a process is in, by default one's own; none if the process has ended."""
    try:
        return netns.within(f"/proc/{pid}/ns/net", _diagnosed) if pid else _diagnosed()
    except OSError:  # no such process, or no such part of the kernel
        return list(_read(pid or "self"))


def _diagnosed() -> list[Socket]:
    """Raises OSError."""
    found: list[Socket] = []
    with Netlink(_SOCK_DIAG) as kernel:
        for protocol, number, state in (("tcp", _socket.IPPROTO_TCP, _LISTEN), ("udp", _socket.IPPROTO_UDP, _CLOSE)):
            for family in (_socket.AF_INET, _socket.AF_INET6):
                for _, body in kernel.dump(_BY_FAMILY, _REQUEST.pack(family, number, 0, 1 << state)):
                    _, port, peer, source, _, uid, inode = _ANSWER.unpack_from(body)
                    here = int.from_bytes(port, "big")
                    if here and peer == b"\0\0":
                        address = _socket.inet_ntop(family, source[: 4 if family == _socket.AF_INET else 16])
                        found.append(Socket(_shown(address), here, protocol, uid, str(inode)))
    return found


def _read(pid: int | str) -> Iterator[Socket]:
    """The same from proc_pid_net(5)."""
    for protocol in ("tcp", "udp"):
        for table in (protocol, f"{protocol}6"):
            try:
                with open(f"/proc/{pid}/net/{table}", encoding="ascii") as file:
                    next(file, None)
                    for line in file:
                        fields = line.split()
                        if protocol == "tcp" and fields[_STATE] != _PROC_LISTEN:
                            break  # the kernel lists those that listen first, then maybe many thousands
                        address, port = _place(fields[_LOCAL])
                        if protocol == "tcp" or (
                            fields[_STATE] == _PROC_OPEN and port and not fields[_REMOTE].strip("0:")
                        ):
                            yield Socket(address, port, protocol, int(fields[_UID]), fields[_INODE])
            except OSError:
                continue  # a kernel without IPv6, or the process has ended


def _place(text: str) -> tuple[str, int]:
    """`0100007F:1F90` is 127.0.0.1:8080: 32-bit words in the machine's byte order, then the port as a number."""
    digits, _, port = text.partition(":")
    words = (int(digits[start : start + 8], 16) for start in range(0, len(digits), 8))
    packed = b"".join(word.to_bytes(4, sys.byteorder) for word in words)
    address = _socket.inet_ntop(_socket.AF_INET if len(packed) == 4 else _socket.AF_INET6, packed)
    return _shown(address), int(port, 16)


def _shown(address: str) -> str:
    return address.removeprefix(_MAPPED) if "." in address else address
