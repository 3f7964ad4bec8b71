"""`login` and `logout`: keeps credentials that a registry accepts, and forgets them.

Light to import; what talks to the registry is imported when it is needed.
"""

from __future__ import annotations

from engine.errors import InvalidInput
from engine.reference import DEFAULT_REGISTRY, parse
from engine.registry.configuration import Configuration
from engine.registry.credentials import Credential, Credentials


async def login(
    registry: str,
    username: str,
    password: str,
    *,
    credentials: Credentials | None = None,
    configuration: Configuration | None = None,
) -> str:
    """Check user and password with the registry, then keep them.

    Returns the file that holds them unencrypted, or "" if a credential program keeps them.

    Raises: Unauthorized if the registry refuses them, InvalidInput, RegistryError, StoreError.
    """
    import asyncio

    from engine.registry.attempt import attempt

    name = registry_name(registry)
    if not username or not password:
        raise InvalidInput("a login needs a user and a password", hint="give them with -u and --password-stdin")
    if ":" in username:
        raise InvalidInput("a user name cannot contain a colon", hint="see RFC 7617")
    configuration = configuration or Configuration.load()
    credentials = credentials or Credentials()
    credential = Credential(username, password)
    endpoint = configuration.endpoints(name)[-1]
    identity_token = await attempt(configuration, endpoint, name, credential)
    if identity_token:
        # the registry offers something better to keep than the password
        credential = Credential(username, identity_token=identity_token)
    await asyncio.to_thread(credentials.store, name, credential)
    return credentials.plaintext_path(name)


def logout(registry: str, *, credentials: Credentials | None = None) -> str:
    """Forget the credentials of a registry; returns Docker's sentence. Blocking.

    Raises: InvalidInput, RegistryError, StoreError.
    """
    name = registry_name(registry)
    erased = (credentials or Credentials()).erase(name)
    return f"Removing login credentials for {name}" if erased else f"Not logged in to {name}"


def registry_name(text: str) -> str:
    """What a user calls a registry (a URL too, as Docker allows), as it stands in references.

    Raises: InvalidInput.
    """
    scheme, mark, rest = text.strip().rpartition("://")
    host = rest.partition("/")[0]
    if (mark and scheme not in ("http", "https")) or "@" in host or (not host and text.strip()):
        raise InvalidInput(f"invalid registry {text[:80]!r}", hint="give it as HOST[:PORT]")
    if host in ("", DEFAULT_REGISTRY, "index.docker.io", "registry-1.docker.io"):
        return DEFAULT_REGISTRY
    try:
        return parse(f"{host}/library/x" if _is_host(host) else "").registry
    except InvalidInput:
        raise InvalidInput(f"invalid registry {text[:80]!r}", hint="give it as HOST[:PORT]") from None


def _is_host(host: str) -> bool:
    return "." in host or ":" in host or host == "localhost"
