"""One HTTP exchange as policy has it: which schemes and hosts, TLS, proxies, redirects that lose the credentials."""

from __future__ import annotations

from engine import __version__
from engine.errors import RegistryError
from engine.frozen import replace
from engine.registry.failures import NoTls, Unreachable
from engine.registry.proxies import proxy_for
from engine.registry.retry import Retry
from engine.registry.text import printable
from engine.registry.url import URL

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping
    from types import TracebackType
    from typing import Self

    from engine.registry.configuration import Configuration, Endpoint
    from engine.registry.transport import Response, Transport
    from engine.registry.trust import Trust

MAX_REDIRECTS = 10
_REDIRECTS = (301, 302, 303, 307, 308)
# A registry that compressed a manifest or a layer on the way would break its digest.
_ALWAYS = {"User-Agent": f"pilothouse/{__version__}", "Accept-Encoding": "identity"}


class Wire:
    """A way to any number of hosts, over either transport; an async context manager.

    It never follows a redirect by itself with credentials, keeps no cookies, reads no netrc, decodes no content.
    """

    def __init__(self, configuration: Configuration, transport: Transport | None = None) -> None:
        self.configuration = configuration
        self.transport = transport or _streaming(configuration)
        self._trust: Trust | None = None
        self._schemes: dict[str, str] = {}  # of hosts that may speak either, once known
        self._finding_scheme = self.transport.lock()
        self._answered: set[str] = set()  # hosts

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.transport.close()

    def retry(self) -> Retry:
        """For one piece of work that may have to be tried again."""
        return Retry(self.configuration.patience, self.transport.sleep)

    def once(self) -> Retry:
        """For work that there is another way to do: no second attempt."""
        return Retry(replace(self.configuration.patience, attempts=1), self.transport.sleep)

    def inherit(self, other: Wire) -> None:
        """Know what another one, over another transport, has found out about hosts."""
        self._schemes |= other._schemes
        self._answered |= other._answered

    async def reach(
        self, endpoint: Endpoint, path: str, headers: Mapping[str, str], authorization: str = "", method: str = "GET"
    ) -> Response:
        """`get` from an endpoint; one that may speak plain HTTP is tried with TLS first, as Docker does.

        Raises: Unreachable, RegistryError.
        """

        async def ask(scheme: str) -> Response:
            url = URL.parse(f"{scheme}://{endpoint.host}{path}")
            return await self.get(url, headers, authorization=authorization, method=method)

        scheme = self._schemes.get(endpoint.host) if endpoint.plain else "https"
        if scheme:
            return await ask(scheme)
        async with self._finding_scheme:
            scheme = self._schemes.get(endpoint.host) or await self._scheme(endpoint)
            try:
                response = await ask(scheme)
            except Unreachable as tls_error:
                if scheme != "https":
                    raise
                scheme = "http"
                try:
                    response = await ask(scheme)
                except RegistryError as error:
                    raise (error if isinstance(tls_error, NoTls) else tls_error) from error
            self._schemes[endpoint.host] = scheme
            return response

    async def _scheme(self, endpoint: Endpoint) -> str:
        """The one to try first."""
        url = URL.parse(f"http://{endpoint.host}")
        return "http" if proxy_for(url) is None and await self.transport.is_plain(url) else "https"

    async def get(
        self,
        url: URL,
        headers: Mapping[str, str],
        *,
        authorization: str = "",
        of: str = "",
        method: str = "GET",
    ) -> Response:
        """GET (or HEAD), following redirects; `authorization` goes to the origin of `url` and nowhere else.

        `of` is the host of the registry that has named the URL, if any: see `Trust.context`.

        The caller reads and closes the response, whatever its status.
        Raises: Unreachable; RegistryError for what another attempt cannot mend.
        """
        self._permit(url)
        first = url
        of = of or url.place
        for _ in range(MAX_REDIRECTS):
            sent = dict(headers)
            if authorization and url.origin == first.origin:
                sent["Authorization"] = authorization
            response = await self.send(method, url, sent, of=of)
            location = response.headers.get("Location")
            if response.status not in _REDIRECTS or not location:
                return response
            await response.close()
            try:
                url = url.join(location)
            except ValueError:
                raise RegistryError(f"{printable(url.place)} redirects to a URL that cannot be read") from None
        raise RegistryError(f"{printable(first.place)} redirects in circles", hint="tell its administrator")

    async def send(
        self,
        method: str,
        url: URL,
        headers: Mapping[str, str],
        form: Mapping[str, str] | None = None,
        *,
        of: str = "",
    ) -> Response:
        """One request, one response, no redirect followed."""
        self._permit(url)
        try:
            response = await self.transport.exchange(
                method,
                url,
                {**_ALWAYS, **headers},
                form,
                proxy=proxy_for(url),
                trust=lambda: self._context(url.place, of),
            )
        except Unreachable as error:
            error.is_final = error.is_final and url.place not in self._answered
            raise
        self._answered.add(url.place)
        return response

    def _context(self, host: str, of: str) -> ssl.SSLContext:
        if self._trust is None:
            from engine.registry.trust import Trust  # late: it brings ssl, and loopback does without

            self._trust = Trust(self.configuration)
        return self._trust.context(host, of)

    def _permit(self, url: URL) -> None:
        if url.scheme not in ("http", "https"):
            raise RegistryError(f"cannot fetch from a URL of kind {printable(url.scheme)!r}: {printable(url.public)}")
        host = url.place
        if url.scheme == "http" and not self.configuration.may_be_plain(host) and not self._is_plain_mirror(host):
            raise RegistryError(
                f"will not speak plain HTTP to {printable(host)}: it is not loopback, nor configured as insecure",
                hint=f'give it TLS, or add "{printable(host)}" to registry.insecure in config.toml',
            )

    def _is_plain_mirror(self, host: str) -> bool:
        """A mirror that the user has written with http:// is configured as insecure."""
        named = (text for texts in self.configuration.mirrors.values() for text in texts)
        return any(text.startswith("http://") and text.removeprefix("http://").split("/")[0] == host for text in named)


def _streaming(configuration: Configuration) -> Transport:
    from engine.registry.streaming import Streaming  # late: aiohttp takes 200 ms to import

    return Streaming(configuration.patience)
