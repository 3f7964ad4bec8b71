"""Netlink: messages out, answers in, with nothing but `_socket` and `struct`.

The few messages of a container's start travel through here, because importing pyroute2 takes longer than sending them.
Source: include/uapi/linux/netlink.h; Documentation/userspace-api/netlink/intro.rst.
"""

from __future__ import annotations

import _socket  # `socket` itself imports enum and selectors: 4 ms more on the way to every container
import errno
import os
import struct

ROUTE, NETFILTER = 0, 12  # netlink protocols

REQUEST, MULTI, ACK, DUMP = 0x1, 0x2, 0x4, 0x300
REPLACE, EXCLUSIVE, CREATE, APPEND = 0x100, 0x200, 0x400, 0x800

_NESTED = 0x8000
_TYPE_MASK = 0x3FFF
_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_ERROR, _DONE = 2, 3
_SOL_NETLINK, _ADD_MEMBERSHIP, _EXT_ACK, _CAP_ACK = 270, 1, 11, 10
_ERROR_TEXT = 1  # NLMSGERR_ATTR_MSG
_RECEIVE = 1 << 17

Request = tuple[int, int, bytes]
"""Message type, flags (REQUEST and ACK are added) and body."""


def attribute(kind: int, payload: bytes) -> bytes:
    """One attribute, padded to four bytes."""
    return _ATTRIBUTE.pack(len(payload) + 4, kind) + payload + bytes(-len(payload) % 4)


def number(kind: int, value: int) -> bytes:
    """An attribute holding an unsigned 32-bit number in the machine's byte order."""
    return attribute(kind, struct.pack("=I", value))


def text(kind: int, value: str) -> bytes:
    """An attribute holding a NUL-terminated string."""
    return attribute(kind, value.encode() + b"\0")


def nested(kind: int, *attributes: bytes) -> bytes:
    """An attribute holding attributes."""
    return attribute(kind | _NESTED, b"".join(attributes))


def attributes(data: bytes, offset: int = 0) -> dict[int, bytes]:
    """The attributes in `data` from `offset` on; of several of one kind the last."""
    found = {}
    while offset + 4 <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, offset)
        if length < 4:
            break
        found[kind & _TYPE_MASK] = data[offset + 4 : offset + length]
        offset += (length + 3) & ~3
    return found


def string(value: bytes) -> str:
    """The text of a NUL-terminated attribute."""
    return value.split(b"\0", 1)[0].decode(errors="replace")


class Netlink:
    """A netlink socket. It stays in the network namespace of the thread that made it."""

    def __init__(self, protocol: int) -> None:
        """Raises OSError."""
        self._socket = _socket.socket(_socket.AF_NETLINK, _socket.SOCK_RAW | _socket.SOCK_CLOEXEC, protocol)
        self._sequence = 0
        try:
            self._socket.bind((0, 0))
            self._socket.setsockopt(_SOL_NETLINK, _EXT_ACK, 1)
            self._socket.setsockopt(_SOL_NETLINK, _CAP_ACK, 1)  # errors without a copy of the request
        except OSError:
            self._socket.close()
            raise

    def __enter__(self) -> Netlink:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def fileno(self) -> int:
        return self._socket.fileno()

    def join(self, group: int) -> None:
        """Be told of what others do: a multicast group of the protocol. Raises OSError."""
        self._socket.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, group)

    def receive(self, size: int) -> bytes:
        """One packet that a group tells. Raises BlockingIOError if there is none, OSError (ENOBUFS) if some is lost."""
        return self._socket.recv(size, _socket.MSG_DONTWAIT)

    def request(self, *requests: Request) -> list[tuple[int, bytes]]:
        """Send all requests in one packet, done in order; returns type and body of each thing answered.

        Raises OSError with the errno and, where it has one, the kernel's own sentence; requests before the failed one
        stay done.
        """
        return self._exchange([(kind, flags | REQUEST | ACK, body) for kind, flags, body in requests])

    def dump(self, kind: int, body: bytes, flags: int = 0) -> list[tuple[int, bytes]]:
        """Every object that a GET request lists. Raises OSError."""
        return self._exchange([(kind, flags | REQUEST | DUMP, body)])

    def transaction(self, begin: Request, requests: list[Request], end: Request) -> None:
        """Requests that the kernel does all or none of (nfnetlink batches): only those between the marks are answered.

        Raises OSError.
        """
        marked = [(kind, flags | REQUEST | ACK, body) for kind, flags, body in requests]
        self._exchange([(begin[0], begin[1] | REQUEST, begin[2]), *marked, (end[0], end[1] | REQUEST, end[2])])

    def _exchange(self, requests: list[Request]) -> list[tuple[int, bytes]]:
        packet = bytearray()
        waiting = set()
        for kind, flags, body in requests:
            self._sequence += 1
            packet += _HEADER.pack(_HEADER.size + len(body), kind, flags, self._sequence, 0) + body
            packet += bytes(-len(body) % 4)
            if flags & ACK or flags & DUMP == DUMP:
                waiting.add(self._sequence)
        first = self._sequence - len(requests) + 1
        if len(packet) > 1 << 17:
            self._socket.setsockopt(_socket.SOL_SOCKET, 32, 2 * len(packet))  # SO_SNDBUFFORCE
        self._socket.sendto(packet, (0, 0))
        answers: list[tuple[int, bytes]] = []
        failure: OSError | None = None
        while waiting and failure is None:
            data = self._socket.recv(_RECEIVE)
            offset = 0
            while offset + _HEADER.size <= len(data):
                length, kind, _, sequence, _ = _HEADER.unpack_from(data, offset)
                body = data[offset + _HEADER.size : offset + length]
                offset += (length + 3) & ~3
                if sequence < first:
                    continue  # left over from an exchange that failed
                if kind in (_ERROR, _DONE):
                    waiting.discard(sequence)
                    failure = failure or _failure(kind, body)
                else:
                    answers.append((kind, body))
        if failure is not None:
            raise failure
        return answers


def _failure(kind: int, body: bytes) -> OSError | None:
    code = -struct.unpack_from("=i", body)[0] if len(body) >= 4 else 0
    if code <= 0:
        return None
    said = attributes(body, 20 if kind == _ERROR else 4).get(_ERROR_TEXT)
    return OSError(code, string(said) if said else os.strerror(code))


def absent(error: OSError) -> bool:
    """Whether a failure only says that the thing is not there."""
    return error.errno in (errno.ENOENT, errno.ENODEV, errno.ESRCH, errno.ENXIO)
