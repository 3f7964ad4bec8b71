"""The seam between what this client says to registries and how the bytes travel: what a transport offers.

There are two: `streaming` (aiohttp on asyncio: many downloads at once, in a program that does other things meanwhile)
and `blocking` (a socket at a time: for a command that wants an answer or two, and would wait a quarter of a second for
aiohttp to be imported). Login, redirects, TLS, proxies and retries are decided on this side of the seam, once for both.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping
    from contextlib import AbstractAsyncContextManager
    from typing import Any, Protocol, TypeVar

    from yarl import URL as ProxyURL

    from engine.registry.url import URL

    T = TypeVar("T")

    class Transport(Protocol):
        """Keeps connections; no cookies, no credentials, no redirects, no decoding of content."""

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
            """One request, and the head of its answer. `trust` gives the context for https.

            Raises: Unreachable, with `is_final` set if not even a connection came about; RegistryError.
            """
            ...

        async def is_plain(self, url: URL) -> bool:
            """Whether it is certain, and was cheap to learn, that plain HTTP is spoken there."""
            ...

        async def call(self, function: Callable[..., T], *arguments: Any) -> T:
            """The result of a function that may block for long."""
            ...

        async def sleep(self, seconds: float) -> None: ...

        def lock(self) -> AbstractAsyncContextManager[Any]:
            """Keeps concurrent requests from doing the same thing twice."""
            ...

        async def close(self) -> None: ...


class Headers:
    """Names and values of an answer's header fields; names are the same in either case."""

    __slots__ = ("_pairs",)

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._pairs = [(name.lower(), value) for name, value in pairs]

    def get(self, name: str) -> str:
        """The first value; empty if there is none."""
        return next(iter(self.all(name)), "")

    def all(self, name: str) -> list[str]:
        name = name.lower()
        return [value for known, value in self._pairs if known == name]


class Response:
    """An answer: its head, and its body as it comes. An async context manager, which closes it."""

    def __init__(self, status: int, headers: Headers, url: URL) -> None:
        self.status = status
        self.headers = headers
        self.url = url

    @property
    def host(self) -> str:
        return self.url.place

    @property
    def content_type(self) -> str:
        """Without parameters, in lower case."""
        return self.headers.get("Content-Type").partition(";")[0].strip().lower()

    @property
    def content_length(self) -> int | None:
        """Bytes the body is said to have."""
        text = self.headers.get("Content-Length").strip()
        return int(text[:18]) if text.isascii() and text.isdigit() else None

    @property
    def is_chunked(self) -> bool:
        return "chunked" in self.headers.get("Transfer-Encoding").lower()

    def parts(self) -> AsyncIterator[bytes]:
        """The body, piece by piece. Raises: Unreachable if it breaks off, RegistryError if it is no HTTP."""
        raise NotImplementedError

    async def close(self) -> None:
        """Read no more of it. Its connection is kept if the body has been read to the end."""
        raise NotImplementedError

    async def __aenter__(self) -> Response:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
