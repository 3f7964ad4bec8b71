"""The transport without an event loop: HTTP/1.1 on one socket at a time, whose coroutines never wait for anything.

It exists because importing aiohttp takes 200 ms of processor time, most of a pull of a small image or of one that is up
to date; this module takes one. What it does not do (proxies, hosts of which some address is dead) it leaves to aiohttp
by `NotForUs`. Sources: RFC 9112 (HTTP/1.1), RFC 8446 (the first message of TLS).
"""

from __future__ import annotations

from _socket import AF_UNSPEC, IPPROTO_TCP, SOCK_CLOEXEC, SOCK_STREAM, TCP_NODELAY, gaierror, getaddrinfo, socket
from contextlib import nullcontext
from time import sleep

from engine.errors import RegistryError
from engine.registry import failures
from engine.registry.transport import Headers, Response

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable, Mapping
    from typing import Any, TypeVar

    from yarl import URL as ProxyURL

    from engine.registry.configuration import Patience
    from engine.registry.url import URL

    T = TypeVar("T")

_MAX_HEAD = 64 << 10  # bytes of a status line with its header fields
_MAX_LINE = 1 << 10  # bytes of a chunk's size with its extensions
_MAX_INTERIM = 8  # answers of 1xx before the one that counts
_MAX_TRAILERS = 64  # fields after a chunked body
_READ = 256 << 10  # bytes at a time
_ONE_OF_SEVERAL = 0.3  # seconds for one address of a host that has several
_OF_NAMES = "!#$%&'*+.^_`|~0123456789-ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"  # RFC 9110, 5.6.2
# A ClientHello that offers what every server of the last fifteen years knows, with a random number of zeros: asking
# this way saves importing ssl and its authorities, 25 ms, where a registry on this machine speaks plain HTTP. Its last
# extension begins with 10, which is a line feed: an HTTP server answers to the end of a line.
_CLIENT_HELLO = bytes.fromhex(
    "1603010040 0100003c 0303" + "00" * 32 + "00 0004 1301c02f 0100 000f 002b0003020304 000a00040002001d"
)
_PROBE = 1.0  # seconds for the answer to it


class NotForUs(Exception):
    """The other transport has to do this."""


class Blocking:
    """Connections to any number of hosts: a `Transport`. Not to be shared between threads."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._idle: dict[tuple[object, ...], _Connection] = {}

    async def exchange(
        self,
        method: str,
        url: URL,
        headers: Mapping[str, str],
        form: Mapping[str, str] | None,
        *,
        proxy: ProxyURL | None,
        trust: Callable[[], ssl.SSLContext],
    ) -> Response:
        if proxy is not None:
            raise NotForUs(f"{url.place} is behind a proxy")
        request = _request(method, url, headers, form)
        context = trust() if url.scheme == "https" else None
        key = (url.origin, context)  # a connection is as good as the authorities that vouched for it
        connection = self._idle.pop(key, None)
        if connection is not None:
            try:
                return connection.exchange(method, url, request)
            except failures.Unreachable:
                connection.close()
                if connection.was_answered or form is not None:
                    raise
        connection = self._connect(url, context)
        connection.keep = lambda: self._keep(key, connection)
        try:
            return connection.exchange(method, url, request)
        except BaseException:
            connection.close()
            raise

    async def is_plain(self, url: URL) -> bool:
        """Whether what listens there answers a greeting of TLS in plain HTTP."""
        try:
            connection = self._connect(url, None)
        except RegistryError:
            return False
        try:
            connection.socket.settimeout(_PROBE)
            connection.socket.sendall(_CLIENT_HELLO)
            return connection.socket.recv(5) == b"HTTP/"
        except OSError:
            return False
        finally:
            connection.close()

    async def call(self, function: Callable[..., T], *arguments: Any) -> T:
        return function(*arguments)

    async def sleep(self, seconds: float) -> None:
        sleep(seconds)  # noqa: ASYNC251

    def lock(self) -> nullcontext[None]:
        return nullcontext()

    async def close(self) -> None:
        for connection in self._idle.values():
            connection.close()
        self._idle.clear()

    def _keep(self, key: tuple[object, ...], connection: _Connection) -> None:
        if before := self._idle.pop(key, None):
            before.close()
        self._idle[key] = connection

    def _connect(self, url: URL, context: ssl.SSLContext | None) -> _Connection:
        """Raises: Unreachable, RegistryError; NotForUs where only trying addresses side by side is quick."""
        try:
            found = getaddrinfo(url.host.encode(), url.effective_port, AF_UNSPEC, SOCK_STREAM)
        except (gaierror, UnicodeError) as error:
            raise _final(failures.no_such_host(url.place)) from error
        patience = _ONE_OF_SEVERAL if len(found) > 1 else self._patience.connect_timeout
        problem: failures.Unreachable | None = None
        for family, kind, protocol, _, address in found:
            connected = socket(family, kind | SOCK_CLOEXEC, protocol)
            try:
                connected.settimeout(patience)
                connected.connect(address)
                connected.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
                connected.settimeout(self._patience.read_timeout)
                return _Connection(_secured(connected, context, url) if context else connected)
            except TimeoutError as error:
                connected.close()
                if len(found) > 1:
                    raise NotForUs(f"an address of {url.place} does not answer") from error
                raise _final(failures.timed_out(url.place)) from error
            except OSError as error:
                connected.close()
                problem = _final(failures.cannot_connect(url.place, failures.reason_of(error)))
            except BaseException:
                connected.close()
                raise
        raise problem or _final(failures.no_such_host(url.place))


class _Connection:
    """One socket, and what was received on it and not asked for yet."""

    def __init__(self, connected: socket | ssl.SSLSocket) -> None:
        self.socket = connected
        self.buffer = bytearray()
        self.was_answered = False  # to the latest request, if only by a byte
        self.keep: Callable[[], None] = self.close

    def exchange(self, method: str, url: URL, request: bytes) -> _Response:
        self.was_answered = False
        try:
            self.socket.sendall(request)
        except TimeoutError as error:
            raise failures.timed_out(url.place) from error
        except OSError as error:
            raise failures.broke_off(url.place) from error
        for _ in range(_MAX_INTERIM + 1):
            try:
                version, status, headers = self._head(url.place)
            except failures.Unreachable as error:
                error.is_final = isinstance(error.__cause__, TimeoutError)
                raise
            if status == 101:
                break
            if status >= 200:
                return _Response(self, status, headers, url, method, is_recent=version == b"HTTP/1.1")
        raise failures.malformed(url.place)

    def receive(self, host: str) -> bytes:
        """More bytes; none at the end. Raises: Unreachable."""
        try:
            data = self.socket.recv(_READ)
        except TimeoutError as error:
            raise failures.timed_out(host) from error
        except OSError as error:
            if type(error).__name__ in ("SSLEOFError", "SSLZeroReturnError"):
                return b""
            raise failures.broke_off(host) from error
        self.was_answered = self.was_answered or bool(data)
        return data

    def more(self, host: str) -> None:
        """Receive into the buffer. Raises: Unreachable, at the end too."""
        data = self.receive(host)
        if not data:
            raise failures.broke_off(host)
        self.buffer += data

    def line(self, host: str) -> bytes:
        """A short line out of the buffer, without its end. Raises: Unreachable, RegistryError."""
        while (end := self.buffer.find(b"\r\n")) < 0:
            if len(self.buffer) > _MAX_LINE:
                raise failures.malformed(host)
            self.more(host)
        found = bytes(self.buffer[:end])
        del self.buffer[: end + 2]
        return found

    def close(self) -> None:
        self.socket.close()

    def _head(self, host: str) -> tuple[bytes, int, Headers]:
        while (end := self.buffer.find(b"\r\n\r\n")) < 0:
            if len(self.buffer) > _MAX_HEAD or not b"HTTP/1.".startswith(self.buffer[:7]):
                raise failures.malformed(host)
            self.more(host)
        first, *lines = bytes(self.buffer[:end]).split(b"\r\n")
        del self.buffer[: end + 4]
        version, space, code, after = first[:8], first[8:9], first[9:12], first[12:13]  # HTTP/1.1 200 OK
        is_known = version in (b"HTTP/1.1", b"HTTP/1.0") and space == b" " and after in (b"", b" ")
        if not is_known or not code.isdigit() or code < b"100":
            raise failures.malformed(host)
        pairs = []
        for line in lines:
            name, colon, value = line.decode("utf-8", "surrogateescape").partition(":")
            if not colon or not name or name.strip(_OF_NAMES) or any(c < " " and c != "\t" for c in value):
                raise failures.malformed(host)
            pairs.append((name, value.strip(" \t")))
        return version, int(code), Headers(pairs)


class _Response(Response):
    def __init__(
        self, connection: _Connection, status: int, headers: Headers, url: URL, method: str, *, is_recent: bool
    ) -> None:
        super().__init__(status, headers, url)
        self._connection = connection
        self._is_over = self._is_closed = False
        self._length: int | None = None  # None: until the connection's end, unless it is chunked
        if method == "HEAD" or status in (204, 304):
            self._length = 0
        elif headers.get("Transfer-Encoding"):
            if headers.all("Transfer-Encoding") != ["chunked"] or not is_recent:
                raise failures.malformed(url.place)
        elif lengths := set(headers.all("Content-Length")):
            self._length = self.content_length
            if self._length is None or len(lengths) > 1:
                raise failures.malformed(url.place)
        self._has_end = self._length is not None or self.is_chunked
        self._is_kept = is_recent and self._has_end and headers.get("Connection").lower() != "close"

    async def parts(self) -> AsyncIterator[bytes]:
        if self._length is not None:
            pieces = self._counted(self._length)
        else:
            pieces = self._chunked() if self.is_chunked else self._rest()
        async for piece in pieces:
            yield piece
        self._is_over = True

    async def close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        connection = self._connection
        if self._length is not None and not self._is_over and len(connection.buffer) == self._length:
            connection.buffer.clear()  # a short body that nobody wanted, an error's or a redirect's
            self._is_over = True
        if self._is_over and self._is_kept and not connection.buffer:
            connection.keep()
        else:
            connection.close()

    async def _counted(self, count: int) -> AsyncIterator[bytes]:
        buffer = self._connection.buffer
        while count:
            data: bytes | bytearray = buffer[:count]
            if data:
                del buffer[: len(data)]
            else:
                data = self._connection.receive(self.host)
                if not data:
                    raise failures.broke_off(self.host)
                if len(data) > count:
                    buffer += data[count:]
                    data = data[:count]
            count -= len(data)
            yield bytes(data)

    async def _chunked(self) -> AsyncIterator[bytes]:
        connection = self._connection
        while True:
            digits = connection.line(self.host).partition(b";")[0].strip()
            if not digits or len(digits) > 15 or digits.strip(b"0123456789abcdefABCDEF"):
                raise failures.malformed(self.host)
            size = int(digits, 16)
            if not size:
                break
            async for piece in self._counted(size):
                yield piece
            if connection.line(self.host):
                raise failures.malformed(self.host)
        trailers = 0
        while connection.line(self.host):
            trailers += 1
            if trailers > _MAX_TRAILERS:
                raise failures.malformed(self.host)

    async def _rest(self) -> AsyncIterator[bytes]:
        buffer = self._connection.buffer
        if buffer:
            data = bytes(buffer)
            buffer.clear()
            yield data
        while data := self._connection.receive(self.host):
            yield data


def _request(method: str, url: URL, headers: Mapping[str, str], form: Mapping[str, str] | None) -> bytes:
    """Raises: RegistryError for a field that would become two."""
    fields = {"Host": url.place, **headers}
    body = b""
    if form is not None:
        from urllib.parse import urlencode

        body = urlencode(form).encode()
        fields |= {"Content-Type": "application/x-www-form-urlencoded", "Content-Length": str(len(body))}
    lines = [f"{method} {url.target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    if not all(line.isascii() and line.isprintable() for line in lines):
        raise failures.unreadable_url(url.place)
    return "\r\n".join((*lines, "", "")).encode() + body


def _secured(connected: socket, context: ssl.SSLContext, url: URL) -> ssl.SSLSocket:
    """Raises: RegistryError for a certificate that does not convince, NoTls."""
    from ssl import CertificateError, SSLError

    try:
        return context.wrap_socket(connected, server_hostname=url.host)  # type: ignore[arg-type]  # needs no more of it
    except CertificateError as error:
        raise failures.bad_certificate(url.place, getattr(error, "verify_message", "")) from error
    except SSLError as error:
        raise _final(failures.no_tls(url.place)) from error


def _final(error: failures.Unreachable) -> failures.Unreachable:
    error.is_final = True
    return error
