"""The transport without an event loop, against servers that speak HTTP well, badly, or not at all."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from engine.cli.drive import drive
from engine.errors import RegistryError
from engine.registry.blocking import Blocking
from engine.registry.configuration import Patience
from engine.registry.failures import Unreachable
from engine.registry.url import URL
from tests.support.registry import RegistryServer

PATIENCE = Patience(connect_timeout=5, read_timeout=5)
OK = b"HTTP/1.1 200 OK\r\n"


@contextmanager
def answering(*connections: bytes) -> Iterator[tuple[URL, list[bytes]]]:
    """A server that reads a request on each connection, sends these bytes, and closes it; and the requests it got."""
    requests: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        for answer in connections:
            connection, _ = listener.accept()
            with connection:
                request = b""
                while not request.endswith(b"\r\n\r\n"):
                    data = connection.recv(65536)
                    if not data:
                        return
                    request += data
                requests.append(request)
                connection.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield URL("http", "127.0.0.1", listener.getsockname()[1], "/v2/x?a=b"), requests
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def fetch(transport: Blocking, url: URL, context: ssl.SSLContext | None = None, method: str = "GET") -> bytes:
    """The body of one answer."""

    async def run() -> bytes:
        async with await transport.exchange(
            method, url, {"Accept": "x/y"}, None, proxy=None, trust=lambda: context or ssl.create_default_context()
        ) as response:
            return b"".join([part async for part in response.parts()])

    return drive(run())


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (OK + b"Content-Length: 3\r\n\r\nabc", b"abc"),
        (OK + b"content-length: 3\r\n\r\nabcdef", b"abc"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: z\r\n\r\n", b"abcde"),
        (OK + b"\r\nall until the end", b"all until the end"),
        (b"HTTP/1.0 200\r\n\r\nold", b"old"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK + b"\r\nx", b"x"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    ],
)
def test_bodies_are_read_to_their_end_however_it_is_told(answer: bytes, body: bytes) -> None:
    with answering(answer) as (url, requests):
        assert fetch(Blocking(PATIENCE), url) == body
    assert requests[0].split(b"\r\n")[:3] == [b"GET /v2/x?a=b HTTP/1.1", b"Host: " + url.place.encode(), b"Accept: x/y"]


def test_an_answer_to_head_has_no_body_whatever_its_length_says() -> None:
    with answering(OK + b"Content-Length: 3\r\n\r\n") as (url, _):
        assert fetch(Blocking(PATIENCE), url, method="HEAD") == b""


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "malformed"),
        (b"HTTP/2 200 OK\r\n\r\n", "malformed"),
        (b"HTTP/1.1 099 OK\r\n\r\n", "malformed"),
        (b"HTTP/1.1 2000 OK\r\n\r\n", "malformed"),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "malformed"),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1000, "malformed"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"A: b\r\n" * 1000, "malformed"),
        (OK + b"no colon\r\n\r\n", "malformed"),
        (OK + b"Folded: a\r\n b: c\r\n\r\n", "malformed"),
        (OK + b"A: b\rInjected: c\r\n\r\n", "malformed"),
        (OK + b"A: " + b"x" * (1 << 17), "malformed"),
        (OK + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", "malformed"),
        (OK + b"Content-Length: +3\r\n\r\nabc", "malformed"),
        (OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "malformed"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n0\r\n\r\n", "malformed"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n", "malformed"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"0" * 5000, "malformed"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nab", "broke off"),
        (OK + b"Content-Length: 30\r\n\r\nabc", "broke off"),
        (b"", "broke off"),
        (b"HTTP/1.1 20", "broke off"),
    ],
)
def test_answers_that_are_no_http_or_end_early_are_told(answer: bytes, words: str) -> None:
    with answering(answer) as (url, _), pytest.raises(RegistryError, match=words):
        fetch(Blocking(PATIENCE), url)


def test_a_connection_serves_again_and_one_that_was_closed_meanwhile_is_made_anew() -> None:
    with RegistryServer() as server:
        transport = Blocking(PATIENCE)
        url = URL.parse(f"{server.url}/v2/")
        fetch(transport, url)
        (kept,) = transport._idle.values()
        fetch(transport, url)
        assert list(transport._idle.values()) == [kept]
        kept.socket.shutdown(socket.SHUT_RDWR)  # as a server does that waited too long
        assert fetch(transport, url) == b"{}"
        assert list(transport._idle.values()) != [kept]
        drive(transport.close())
        assert not transport._idle


def test_a_connection_is_not_used_on_the_word_of_other_authorities() -> None:
    with RegistryServer(tls=True) as server:
        transport = Blocking(PATIENCE)
        url = URL.parse(f"{server.url}/v2/")
        assert fetch(transport, url, ssl.create_default_context(cafile=server.ca_file)) == b"{}"
        with pytest.raises(RegistryError, match="cannot verify the certificate"):
            fetch(transport, url)
        drive(transport.close())


def test_no_field_of_a_request_can_become_two() -> None:
    with answering() as (url, requests):
        transport = Blocking(Patience(read_timeout=0.5))
        for headers in ({"Authorization": "Bearer x\r\nHost: evil"}, {"A\r\nB": "c"}, {"A": "ü"}):
            with pytest.raises(RegistryError, match="cannot be read"):
                drive(transport.exchange("GET", url, headers, None, proxy=None, trust=ssl.create_default_context))
    assert requests == []


def test_what_listens_is_asked_whether_it_speaks_tls() -> None:
    transport = Blocking(PATIENCE)
    for tls in (False, True):
        with RegistryServer(tls=tls) as server:
            assert drive(transport.is_plain(URL.parse(f"http://{server.host}"))) is not tls
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and says nothing
        assert not drive(transport.is_plain(URL("http", "127.0.0.1", silent.getsockname()[1])))
    assert not drive(transport.is_plain(URL("http", "127.0.0.1", 1)))


def test_who_cannot_be_reached_at_all_is_not_tried_again() -> None:
    for url in (URL("http", "127.0.0.1", 1), URL("http", "registry.invalid")):
        with pytest.raises(Unreachable) as caught:
            fetch(Blocking(PATIENCE), url)
        assert caught.value.is_final
