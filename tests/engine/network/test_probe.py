"""Knocking at ports: real servers on loopback, friendly and hostile."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from engine.models import PortMapping
from engine.network.probe import probe
from tests.support.certificates import self_signed
from tests.support.ports import free_port

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def serving(
    serve: Serve, host: str = "127.0.0.1", context: ssl.SSLContext | None = None, container_port: int = 80
) -> AsyncIterator[PortMapping]:
    async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await serve(reader, writer)
        writer.close()

    server = await asyncio.start_server(closing, host, 0, ssl=context)
    async with server:
        yield PortMapping(container_port, server.sockets[0].getsockname()[1], "" if host == "127.0.0.1" else host)


def saying(answer: bytes, heard: list[bytes] | None = None) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        if heard is not None:
            heard.append(request)
        writer.write(answer)

    return serve


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    directory: Path = tmp_path_factory.mktemp("certificate")
    (cert := directory / "cert.pem").write_text((made := self_signed(["localhost"]))[0])
    (key := directory / "key.pem").write_text(made[1])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context


async def test_http_is_told_with_status_and_latency_from_one_head_request():
    heard: list[bytes] = []
    async with serving(saying(b"HTTP/1.1 404 Not Found\r\nServer: mine\r\n\r\n", heard)) as mapping:
        found = await probe(mapping)
    assert (found.kind, found.status, found.server, found.answers) == ("http", 404, "mine", True)
    assert 0 < found.seconds < 1
    assert len(heard) == 1
    assert heard[0].startswith(b"HEAD / HTTP/1.1\r\n")
    assert b"User-Agent: pilothouse-probe\r\n" in heard[0]


async def test_a_redirect_is_told_and_not_followed():
    elsewhere = free_port()
    answer = f"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{elsewhere}/\r\n\r\n".encode()
    async with serving(saying(answer)) as mapping:
        found = await probe(mapping)
    assert (found.kind, found.status, found.location) == ("http", 302, f"http://127.0.0.1:{elsewhere}/")


@pytest.mark.parametrize("known", ["", "tls"])
async def test_tls_is_found_on_any_port(certificate: ssl.SSLContext, known: str):
    async with serving(saying(b"HTTP/1.1 200 OK\r\n\r\n"), context=certificate) as mapping:
        found = await probe(mapping, known=known)
    assert (found.kind, found.status) == ("tls", 200)


async def test_tls_that_speaks_no_http_is_tls(certificate: ssl.SSLContext):
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)

    async with serving(hang_up, context=certificate, container_port=443) as mapping:
        found = await probe(mapping)
    assert (found.kind, found.status) == ("tls", 0)


async def test_a_protocol_of_its_own_is_tcp_and_is_sent_nothing_the_next_time():
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-server\r\n")
        try:
            heard.put_nowait(await reader.read(100))
        except ConnectionResetError:  # its banner was not read
            heard.put_nowait(b"")

    async with serving(serve) as mapping:
        assert (await probe(mapping)).kind == "tcp"
        assert (await heard.get()).startswith(b"HEAD / ")
        assert (await probe(mapping, known="tcp")).kind == "tcp"
        assert await heard.get() == b""


async def test_a_closed_port_is_refused():
    found = await probe(PortMapping(80, free_port()))
    assert (found.kind, found.answers) == ("refused", False)


async def test_a_silent_server_is_tcp_at_first_and_a_timeout_if_it_spoke_http_before():
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(3)

    async with serving(silent) as mapping:
        first, later = await asyncio.gather(probe(mapping), probe(mapping, known="http"))
    assert (first.kind, later.kind) == ("tcp", "timeout")
    assert "does not answer" in later.detail


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 2000 \x1b]0;owned\x07\r\n\r\n",
        b"HTTP/1.1 \x1b[31m\r\n\r\n",
        b"\x1b]52;c;bm8=\x07" * 100_000,
        b"HTTP/1.1 OK 200\r\n" + b"a: b\r\n" * 100_000,
    ],
)
async def test_a_hostile_answer_is_no_http_and_no_more_than_8_kb_of_it_are_read(answer: bytes):
    async with serving(saying(answer)) as mapping:
        found = await asyncio.wait_for(probe(mapping), 3)
    assert (found.kind, found.status, found.server, found.location) == ("tcp", 0, "", "")


async def test_a_header_without_end_is_cut_and_the_status_still_told():
    async with serving(saying(b"HTTP/1.1 200 OK\r\nServer: " + b"x" * 1_000_000)) as mapping:
        found = await asyncio.wait_for(probe(mapping), 3)
    assert (found.kind, found.status, len(found.server)) == ("http", 200, 200)


async def test_ipv6_loopback_is_asked_too():
    async with serving(saying(b"HTTP/1.0 200 OK\r\n\r\n"), host="::1") as mapping:
        assert (await probe(mapping)).status == 200
