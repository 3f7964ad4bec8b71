"""Tries a user and a password at a registry, as a login does."""

from __future__ import annotations

from engine.errors import RegistryError, Unauthorized
from engine.registry import challenges
from engine.registry.auth import fetch_token
from engine.registry.configuration import Configuration, Endpoint
from engine.registry.credentials import Credential
from engine.registry.retry import failed, read
from engine.registry.text import printable
from engine.registry.wire import Wire

_MAX_ANSWER = 64 << 10  # bytes


async def attempt(configuration: Configuration, endpoint: Endpoint, registry: str, credential: Credential) -> str:
    """Returns the identity token that the registry gives to keep instead of the password, or nothing.

    Raises: Unauthorized if the registry refuses the credential, RegistryError.
    """
    async with Wire(configuration) as wire:
        return await _attempt(wire, endpoint, registry, credential)


async def _attempt(wire: Wire, endpoint: Endpoint, registry: str, credential: Credential) -> str:
    status, offered, _ = await _ping(wire, endpoint, "")
    if status == 200:
        return ""  # it lets everybody in; Docker keeps the credentials all the same
    for challenge in challenges.parse(offered):
        if challenge.scheme == "bearer":
            token = await fetch_token(wire, endpoint, registry, challenge, "", credential, keep=True)
            header = f"Bearer {token.token}"
        elif challenge.scheme == "basic":
            token = None
            header = credential.basic
        else:
            continue
        status, _, problem = await _ping(wire, endpoint, header)
        if status == 200:
            return token.identity_token if token else ""
        if status in (401, 403):
            raise Unauthorized(
                f"login to {printable(registry)} failed: unauthorized: incorrect username or password",
                hint="check both; some registries want a token of theirs for a password",
            )
        raise problem
    raise RegistryError(
        f"{printable(endpoint.host)} does not answer as a registry that one can log in to (status {status})",
        hint="check the name and the port",
    )


async def _ping(wire: Wire, endpoint: Endpoint, authorization: str) -> tuple[int, list[str], RegistryError]:
    """GET /v2/: the status, the challenges, and the status as an error."""
    async with await wire.reach(endpoint, "/v2/", {}, authorization) as response:
        body = await read(response, _MAX_ANSWER, "an answer")
    offered = response.headers.all("WWW-Authenticate")
    return response.status, offered, failed(response, body, "a login")
