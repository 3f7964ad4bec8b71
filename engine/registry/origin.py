"""GET from one endpoint: finds out whether it speaks TLS, answers its challenges, tries again when that makes sense."""

from __future__ import annotations

from contextlib import asynccontextmanager

from engine.errors import NotFound, Unauthorized
from engine.registry.auth import Authorizer
from engine.registry.failures import Unreachable
from engine.registry.retry import failed, read_error
from engine.registry.text import printable, registry_message, said
from engine.registry.url import URL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from engine.errors import EngineError
    from engine.reference import Reference
    from engine.registry.configuration import Endpoint
    from engine.registry.credentials import Credentials
    from engine.registry.retry import Retry
    from engine.registry.transport import Response
    from engine.registry.wire import Wire


class Origin:
    """One endpoint, for the content of one repository; safe to share between concurrent requests."""

    def __init__(self, wire: Wire, endpoint: Endpoint, reference: Reference, credentials: Credentials | None) -> None:
        self.endpoint = endpoint
        self.repository = endpoint.prefix + reference.repository
        self._reference = reference
        self._wire = wire
        scope = f"repository:{self.repository}:pull"
        # A mirror never gets the credentials of the registry that it mirrors.
        registry = endpoint.host if endpoint.is_mirror else reference.registry
        self._authorizer = Authorizer(wire, endpoint, registry, scope, credentials)

    @property
    def host(self) -> str:
        return self.endpoint.host

    def retry(self) -> Retry:
        return self._wire.retry()

    def once(self) -> Retry:
        return self._wire.once()

    def inherit(self, other: Origin) -> None:
        """Go on with the login of another one for the same content."""
        self._authorizer.inherit(other._authorizer)

    @asynccontextmanager
    async def get(
        self, path: str, headers: Mapping[str, str], retry: Retry, what: str, *, method: str = "GET"
    ) -> AsyncIterator[Response]:
        """An answer of status 2xx (or 416) to GET (or HEAD) `/v2/REPOSITORY/path`.

        Raises: NotFound, Unauthorized, RegistryError; with `what` as the name of the object.
        """
        response = await self._answer(method, f"/v2/{self.repository}/{path}", headers, retry, what)
        async with response:
            yield response

    async def _answer(self, method: str, path: str, headers: Mapping[str, str], retry: Retry, what: str) -> Response:
        renewed = False
        while True:
            try:
                authorization = await self._authorizer.header()
                response = await self._wire.reach(self.endpoint, path, headers, authorization, method)
                if response.status < 300 or response.status == 416:
                    return response
                async with response:
                    body = await read_error(response)
            except Unreachable as error:
                await retry.wait(error)
                continue
            if not self._is_own(response.url):
                # Blob storage that a redirect leads to: it may not ask for our credentials, and 404 and 403 mean
                # something else there than in the registry.
                await retry.wait_for(response, failed(response, body, what))
                continue
            if response.status == 401:
                # The first refusal asks who we are, or comes because a token has ended; the next one means it.
                # Basic credentials that are refused get their own sentence below.
                if renewed and not authorization.startswith("Basic "):
                    raise self._denied(response, body)
                await self._authorizer.answer(authorization, response.headers.all("WWW-Authenticate"))
                renewed = True
                continue
            renewed = False
            await retry.wait_for(response, self._failure(response, body, what))

    def _is_own(self, url: URL) -> bool:
        return url.origin == URL.parse(f"{url.scheme}://{self.endpoint.host}").origin

    def _failure(self, response: Response, body: bytes, what: str) -> EngineError:
        """Docker's words for the errors that its users know."""
        code, words = registry_message(body)
        name = printable(self._reference.familiar_name)
        if response.status == 403 or code == "DENIED":
            return self._denied(response, body)
        if response.status != 404:
            return failed(response, body, what)
        if code == "NAME_UNKNOWN":
            return NotFound(
                f"repository {name} not found on {printable(self.host)}: {said('name unknown', words)}",
                hint="check the name",
            )
        if code == "MANIFEST_UNKNOWN" or "/manifests/" in response.url.path:
            return NotFound(
                f"manifest for {printable(self._reference.familiar)} not found on {printable(self.host)}: "
                f"{said('manifest unknown', words)}",
                hint="check the tag",
            )
        return NotFound(
            f"registry {printable(self.host)} has no {what}" + (f": {words}" if words else ""),
            hint="the image is incomplete there",
        )

    def _denied(self, response: Response, body: bytes) -> Unauthorized:
        _, words = registry_message(body)
        registry = printable(self._reference.registry)
        return Unauthorized(
            f"pull access denied for {printable(self._reference.familiar_name)}, repository does not exist or may "
            f"require 'pilothouse login' ({printable(self.host)}" + (f": {words})" if words else ")"),
            hint=f"check the name, or log in: pilothouse login {registry}",
        )
