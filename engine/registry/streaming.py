"""The transport on asyncio: aiohttp, for many downloads at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import aiohttp
import yarl

from engine.errors import RegistryError
from engine.registry import failures
from engine.registry.failures import Unreachable
from engine.registry.proxies import cannot_reach_proxy, proxy_refused
from engine.registry.transport import Headers, Response

if TYPE_CHECKING:
    import ssl

    from engine.registry.configuration import Patience
    from engine.registry.url import URL

_READ_BUFFER = 1 << 20  # bytes; aiohttp's 64 KiB makes it pause and resume the socket all the time
_MAX_HEADER = 32 << 10  # bytes; a signed URL in Location may be long

_T = TypeVar("_T")


class Streaming:
    """A session for any number of hosts: a `Transport`. It keeps no cookies, reads no netrc, decodes no content."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._session: aiohttp.ClientSession | None = None

    async def exchange(
        self,
        method: str,
        url: URL,
        headers: Mapping[str, str],
        form: Mapping[str, str] | None,
        *,
        proxy: yarl.URL | None,
        trust: Callable[[], ssl.SSLContext],
    ) -> Response:
        if self._session is None:
            self._session = self._opened()
        try:
            response = await self._session.request(
                method,
                yarl.URL(str(url), encoded=True),
                headers=headers,
                data=form,
                allow_redirects=False,
                proxy=proxy,
                ssl=trust() if url.scheme == "https" else True,
            )
        except aiohttp.ClientHttpProxyError as error:
            # from None: the exception holds the request's headers, the proxy's password among them
            raise proxy_refused(proxy, error.status) from None
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            raised = _ours(error, url.place, proxy)
            if isinstance(raised, Unreachable):
                raised.is_final = isinstance(error, aiohttp.ClientConnectorError | TimeoutError)
            raise raised from error
        return _Response(response, url)

    async def is_plain(self, url: URL) -> bool:
        return False

    async def call(self, function: Callable[..., _T], *arguments: Any) -> _T:
        return await asyncio.to_thread(function, *arguments)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def lock(self) -> asyncio.Lock:
        return asyncio.Lock()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _opened(self) -> aiohttp.ClientSession:
        patience = self._patience
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,  # aiohttp would take passwords from ~/.netrc too
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=patience.connect_timeout, sock_read=patience.read_timeout
            ),
            read_bufsize=_READ_BUFFER,
            max_line_size=_MAX_HEADER,
            max_field_size=_MAX_HEADER,
        )


class _Response(Response):
    def __init__(self, response: aiohttp.ClientResponse, url: URL) -> None:
        super().__init__(response.status, Headers(response.headers.items()), url)
        self._response = response

    async def parts(self) -> AsyncIterator[bytes]:
        try:
            async for part in self._response.content.iter_any():
                yield part
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise _ours(error, self.host) from error

    async def close(self) -> None:
        self._response.release()


def _ours(error: Exception, host: str, proxy: yarl.URL | None = None) -> RegistryError:
    """What aiohttp raises about `host`, as one of our errors: Unreachable if another attempt makes sense."""
    match error:
        case RegistryError():
            return error
        case aiohttp.ClientConnectorCertificateError():
            return failures.bad_certificate(host, getattr(error.certificate_error, "verify_message", ""))
        case aiohttp.ClientProxyConnectionError():
            return cannot_reach_proxy(proxy, failures.reason_of(error.os_error))
        case aiohttp.ClientConnectorDNSError():
            return failures.no_such_host(host)
        case aiohttp.ClientConnectorSSLError():
            return failures.no_tls(host)
        case aiohttp.ClientConnectorError():
            return failures.cannot_connect(host, failures.reason_of(error.os_error))
        case TimeoutError():
            return failures.timed_out(host)
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientPayloadError() | OSError():
            return failures.broke_off(host)
        case aiohttp.InvalidURL() | ValueError():
            return failures.unreadable_url(host)
        case _:
            return failures.malformed(host)
