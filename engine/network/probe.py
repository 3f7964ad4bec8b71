"""Knocking at a published port: does it answer, with what, how fast?

The one part of the network room that waits for strangers, so it runs on the event loop: fifty ports that never answer
hold no thread, and closing the dashboard ends them at once. Bytes are sent to loopback addresses only, at most a HEAD
request; no redirect is followed; of the answer at most `_LARGEST` bytes are read.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import re
import time
from functools import cache
from typing import TYPE_CHECKING, Any

from engine.models import PortMapping, Probe

if TYPE_CHECKING:
    import ssl

USER_AGENT = "pilothouse-probe"
TLS_PORTS = frozenset((443, 8443))

_CONNECT = 2.0  # seconds
_ANSWER = 1.5  # seconds until a server that took the connection is held to be silent
_LARGEST = 8192  # bytes of an answer
_STATUS_LINE = re.compile(rb"HTTP/\d(?:\.\d)? (\d{3})(?!\d)")
_TLS_ALERT = b"\x15\x03"
_REDIRECTS = range(300, 400)


async def probe(mapping: PortMapping, *, known: str = "") -> Probe:
    """Knock at a TCP mapping. `known` is the kind of an earlier answer, or "tcp" for what must be sent nothing."""
    address = _address(mapping)
    if not ipaddress.ip_address(address).is_loopback:
        known = "tcp"
    if known == "tcp":
        return await _connect_only(address, mapping.host_port)
    if known == "tls" or (not known and mapping.container_port in TLS_PORTS):
        found = await _ask(address, mapping.host_port, tls=True)
        if found is not None:
            return found
    found = await _ask(address, mapping.host_port, tls=False, known=known)
    if found is not None:
        return found
    # no HTTP. Perhaps it wants TLS; else it is a protocol of its own
    return await _ask(address, mapping.host_port, tls=True) or await _connect_only(address, mapping.host_port)


def _address(mapping: PortMapping) -> str:
    if mapping.host_ip in ("", "0.0.0.0"):
        return "127.0.0.1"
    return "::1" if mapping.host_ip == "::" else mapping.host_ip


async def _connect_only(address: str, port: int) -> Probe:
    started = time.monotonic()
    try:
        async with asyncio.timeout(_CONNECT):
            reader, writer = await asyncio.open_connection(address, port)
    except TimeoutError:
        return _timeout(started, f"no connection within {_CONNECT:.0f} s")
    except OSError as error:
        return _failed(started, error)
    took = time.monotonic() - started
    try:
        # the port holder takes every IPv6 connection, and ends it if the container does not take it
        if ":" in address and await _hangs_up(reader):
            return Probe("refused", took, detail="the container refused the connection")
    finally:
        writer.close()
    return Probe("tcp", took)


async def _hangs_up(reader: asyncio.StreamReader) -> bool:
    try:
        async with asyncio.timeout(0.1):
            return not await reader.read(1)
    except TimeoutError:
        return False
    except OSError:
        return True


async def _ask(address: str, port: int, *, tls: bool, known: str = "") -> Probe | None:
    """One HEAD request. None if the port answers, but not to this.

    With `tls` also a handshake counts; its certificate is not checked: the question is whether it answers.
    """
    started = time.monotonic()
    options: dict[str, Any] = {"limit": _LARGEST}
    if tls:
        options |= {"ssl": _context(), "server_hostname": "localhost", "ssl_shutdown_timeout": 0.5}
    try:
        async with asyncio.timeout(_CONNECT):
            reader, writer = await asyncio.open_connection(address, port, **options)
    except TimeoutError:
        return None if tls else _timeout(started, f"no connection within {_CONNECT:.0f} s")
    except OSError as error:  # ssl.SSLError too
        return None if tls and not isinstance(error, ConnectionRefusedError) else _failed(started, error)
    stood = time.monotonic() - started
    try:
        answer, took, hung_up = await _answer(reader, writer, address, port, started)
    finally:
        writer.close()  # and not waited for: the other side may never say goodbye
    match = _STATUS_LINE.match(answer)
    if match:
        status = int(match[1])
        if status == 400 and not tls and not known:
            # "The plain HTTP request was sent to HTTPS port": many servers of TLS say so in plain HTTP
            secure = await _ask(address, port, tls=True)
            if secure is not None and secure.kind == "tls":
                return secure
        fields = _fields(answer)
        location = fields.get("location", "") if status in _REDIRECTS else ""
        return Probe("tls" if tls else "http", took, status, fields.get("server", ""), location)
    if tls:
        return Probe("tls", stood)
    if hung_up and ":" in address:
        return Probe("refused", stood, detail="the container refused the connection")
    if answer.startswith(_TLS_ALERT) or hung_up:
        return None
    if known == "http" and not answer:
        return _timeout(started, "takes the connection, but does not answer")
    return Probe("tcp", took if answer else stood)


async def _answer(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: str, port: int, started: float
) -> tuple[bytes, float, bool]:
    """The head of what it says to a HEAD request, when its first byte came, whether it hung up without a word."""
    host = f"[{address}]" if ":" in address else "localhost" if address == "127.0.0.1" else address
    request = f"HEAD / HTTP/1.1\r\nHost: {host}:{port}\r\nUser-Agent: {USER_AGENT}\r\nConnection: close\r\n\r\n"
    answer, first = b"", 0.0
    try:
        async with asyncio.timeout(_ANSWER):
            writer.write(request.encode())
            while len(answer) < _LARGEST and b"\r\n\r\n" not in answer and b"\n\n" not in answer:
                more = await reader.read(_LARGEST - len(answer))
                if not more:
                    break
                first = first or time.monotonic() - started
                answer += more
                if not answer.startswith(b"HTTP/"[: len(answer)]):
                    break
    except TimeoutError:
        return answer, first, False
    except OSError:
        return answer, first, not answer
    return answer, first, not answer


def _fields(answer: bytes) -> dict[str, str]:
    """The header fields, names in small letters; values are cut, and nothing in them is trusted."""
    fields: dict[str, str] = {}
    for line in answer.split(b"\n")[1:]:
        name, found, value = line.partition(b":")
        if not found:
            break
        fields.setdefault(name.decode("latin-1").lower(), value.strip().decode("utf-8", "replace")[:200])
    return fields


@cache
def _context() -> ssl.SSLContext:
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _timeout(started: float, detail: str) -> Probe:
    return Probe("timeout", time.monotonic() - started, detail=detail)


def _failed(started: float, error: OSError) -> Probe:
    took = time.monotonic() - started
    if isinstance(error, ConnectionRefusedError):
        return Probe("refused", took, detail="connection refused")
    if error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH):
        return Probe("failed", took, detail="no route")
    return Probe(
        "failed", took, detail=os.strerror(error.errno) if error.errno and error.errno > 0 else "no connection"
    )
