"""Answers a registry's challenges, Basic or Bearer, and keeps the token fresh through a long pull.

Sources: distribution's docs/content/spec/auth/{token,oauth,jwt}.md.
"""

from __future__ import annotations

import json
import time

from engine.errors import RegistryError, Unauthorized
from engine.frozen import dataclass
from engine.reference import Reference
from engine.registry.failures import Unreachable
from engine.registry.retry import failed, read
from engine.registry.text import printable, registry_message
from engine.registry.url import URL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.registry.challenges import Challenge
    from engine.registry.configuration import Endpoint
    from engine.registry.credentials import Credential, Credentials
    from engine.registry.wire import Wire

CLIENT_ID = "pilothouse"
_DEFAULT_LIFETIME = 60.0  # seconds, when the token server names none: token.md
_SHORTEST_LIFETIME = 1.0
_MARGIN = 10.0  # seconds before its end from which a token is renewed, at most a fifth of its life
_MAX_TOKEN_ANSWER = 1 << 20  # bytes


@dataclass(frozen=True, slots=True)
class _Answer:
    """What to send in Authorization, and until when (time.monotonic)."""

    header: str = ""
    until: float = float("inf")


class Authorizer:
    """The credentials of one endpoint for one scope; safe to share between concurrent requests.

    Nothing is sent before the endpoint asks for it, and only to the endpoint and to the token server it names.
    """

    def __init__(
        self, wire: Wire, endpoint: Endpoint, registry: str, scope: str, credentials: Credentials | None
    ) -> None:
        self._wire, self._endpoint, self._registry, self._scope = wire, endpoint, registry, scope
        self._credentials = credentials
        self._answer = _Answer()
        self._challenge: Challenge | None = None
        self._renewing = wire.transport.lock()

    def inherit(self, other: Authorizer) -> None:
        """Go on with what another one, over another transport, was told and given."""
        self._answer, self._challenge = other._answer, other._challenge

    async def header(self) -> str:
        """For the next request; empty as long as the endpoint has not asked. Renews a token that is about to end."""
        answer = self._answer
        if answer.header and answer.until <= time.monotonic() and self._challenge is not None:
            await self._renew(answer.header, self._challenge)
        return self._answer.header

    async def answer(self, refused: str, challenges: Sequence[str]) -> None:
        """Have another header than `refused`, which got a 401 with these challenges. Concurrent calls renew once.

        Raises: Unauthorized if there is no other; RegistryError.
        """
        await self._renew(refused, self._choose(challenges))

    async def _renew(self, refused: str, challenge: Challenge) -> None:
        async with self._renewing:
            if self._answer.header != refused:
                return  # another request has done it meanwhile
            self._challenge = challenge
            credential = await self._credential()
            if challenge.scheme == "basic":
                self._answer = self._basic(refused, credential)
            else:
                self._answer = await self._bearer(challenge, credential)

    async def _credential(self) -> Credential | None:
        if self._credentials is None:
            return None
        repository = self._scope.removeprefix("repository:").rpartition(":")[0]
        return await self._wire.transport.call(self._credentials.find, self._registry, repository)

    def _choose(self, headers: Sequence[str]) -> Challenge:
        from engine.registry.challenges import parse  # late: only who is asked for a login pays for its patterns

        challenges = parse(headers)
        for scheme in ("bearer", "basic"):
            for challenge in challenges:
                if challenge.scheme == scheme:
                    return challenge
        offered = ", ".join(printable(one.scheme, 30) for one in challenges) or "none"
        raise Unauthorized(
            f"registry {printable(self._endpoint.host)} wants a login of a kind that is not supported ({offered})",
            hint="Basic and Bearer are supported",
        )

    def _basic(self, refused: str, credential: Credential | None) -> _Answer:
        if credential is None or not credential.password:
            raise Unauthorized(
                f"registry {printable(self._endpoint.host)} wants a user and a password: no basic auth credentials",
                hint=f"log in first: pilothouse login {self._shown}",
            )
        if credential.basic == refused:
            raise self._wrong_password()
        return _Answer(credential.basic)

    async def _bearer(self, challenge: Challenge, credential: Credential | None) -> _Answer:
        if credential is not None and credential.registry_token:
            return _Answer(f"Bearer {credential.registry_token}")
        document = await fetch_token(self._wire, self._endpoint, self._registry, challenge, self._scope, credential)
        return _Answer(f"Bearer {document.token}", time.monotonic() + document.lifetime)

    def _wrong_password(self) -> Unauthorized:
        return Unauthorized(
            f"login to {self._shown} failed: unauthorized: incorrect username or password"
            + (f" ({printable(self._endpoint.host)})" if self._endpoint.host != self._registry else ""),
            hint=f"log in again: pilothouse login {self._shown}",
        )

    @property
    def _shown(self) -> str:
        return printable(self._registry)


@dataclass(frozen=True, slots=True)
class Token:
    token: str
    lifetime: float  # seconds after which to renew it
    identity_token: str = ""


async def fetch_token(
    wire: Wire,
    endpoint: Endpoint,
    registry: str,
    challenge: Challenge,
    scope: str,
    credential: Credential | None,
    *,
    keep: bool = False,
) -> Token:
    """Ask the token server that the challenge names, for `scope` unless the challenge names one.

    `keep` asks for an identity token too, as a login does.

    Raises: Unauthorized, RegistryError.
    """
    realm = _realm(wire, endpoint, challenge)
    server = printable(realm.place)
    service = challenge.parameters.get("service", "")
    scope = challenge.parameters.get("scope") or scope
    retry = wire.retry()
    while True:
        try:
            if credential is not None and credential.identity_token:
                form = {
                    "grant_type": "refresh_token",
                    "refresh_token": credential.identity_token,
                    "client_id": CLIENT_ID,
                    "service": service,
                    "scope": scope,
                }
                response = await wire.send("POST", realm, {}, form, of=endpoint.host)
            else:
                query = {"service": service, "scope": scope}
                authorization = ""
                if credential is not None:
                    query["account"] = credential.username
                    authorization = credential.basic
                if keep:
                    query |= {"client_id": CLIENT_ID, "offline_token": "true"}
                response = await wire.get(realm.adding(query), {}, authorization=authorization, of=endpoint.host)
            async with response:
                body = await read(response, _MAX_TOKEN_ANSWER, f"the token of {server}")
        except Unreachable as error:
            await retry.wait(error)
            continue
        if response.status == 200:
            return _token(body, server)
        if response.status in (400, 401, 403):
            raise _refused(server, registry, scope, body, credential)
        await retry.wait_for(response, failed(response, body, "a token"))


def _realm(wire: Wire, endpoint: Endpoint, challenge: Challenge) -> URL:
    """Where tokens come from. Passwords go there, so it must be as safe as the registry itself."""
    text = challenge.parameters.get("realm", "")
    try:
        realm = URL.parse(text)
        if realm.scheme not in ("http", "https"):
            raise ValueError
    except ValueError:
        raise RegistryError(
            f"registry {printable(endpoint.host)} names no usable token server: {printable(text)!r}",
            hint="tell its administrator",
        ) from None
    if realm.scheme == "http" and not wire.configuration.may_be_plain(realm.place):
        raise RegistryError(
            f"registry {printable(endpoint.host)} wants credentials sent unencrypted to {printable(realm.public)}",
            hint="its token server must speak TLS, or be listed in registry.insecure in config.toml",
        )
    return realm


def _token(body: bytes, server: str) -> Token:
    try:
        document = json.loads(body)
        token = document.get("token") or document.get("access_token")
        lifetime = float(document.get("expires_in") or _DEFAULT_LIFETIME)
        identity = document.get("refresh_token") or ""
        # A token goes into a header as it is: it must not bring a header of its own.
        if (
            not isinstance(token, str)
            or not token.isascii()
            or not token.isprintable()
            or not isinstance(identity, str)
        ):
            raise ValueError
    except (ValueError, TypeError, AttributeError, RecursionError):
        # from None: the exception holds the text, which may hold a token
        raise RegistryError(
            f"the token server {server} answered with something that is no token", hint="check the registry's name"
        ) from None
    lifetime = max(lifetime - min(_MARGIN, lifetime / 5), _SHORTEST_LIFETIME)
    return Token(token, lifetime, identity)


def _refused(server: str, registry: str, scope: str, body: bytes, credential: Credential | None) -> Unauthorized:
    _, words = registry_message(body)
    said = f" ({server}: {words})" if words else f" ({server})"
    name = printable(registry)
    if credential is None:
        repository = scope.removeprefix("repository:").rpartition(":")[0]
        wanted = printable(Reference(registry, repository).familiar_name) if repository else name
        return Unauthorized(
            f"pull access denied for {wanted}, repository does not exist or may require 'pilothouse login'{said}",
            hint=f"check the name, or log in: pilothouse login {name}",
        )
    return Unauthorized(
        f"login to {name} failed: unauthorized: incorrect username or password{said}",
        hint=f"log in again: pilothouse login {name}",
    )
