"""Users and passwords for registries, in Docker's config.json and in the credential programs it names.

Sources: docker-login(1), "Credential stores"; github.com/docker/docker-credential-helpers; containers-auth.json(5).
"""

from __future__ import annotations

import json
import os
import re
from contextlib import contextmanager
from pathlib import Path

from engine.errors import InvalidInput, RegistryError, StoreError
from engine.frozen import dataclass
from engine.reference import DEFAULT_REGISTRY
from engine.registry.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

# the names under which Docker, podman and old versions of both have kept Docker Hub's credentials
DOCKER_HUB_KEY = "https://index.docker.io/v1/"
_DOCKER_HUB_HOSTS = ("index.docker.io", "docker.io", "registry-1.docker.io")
_IDENTITY_USER = "<token>"  # docker-credential-helpers: then the secret is an identity token
_HELPER_TIMEOUT = 60.0  # seconds; a keychain may ask its owner
_HELPER_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"


@dataclass(frozen=True, slots=True)
class Credential:
    """Exactly one of `password`, `identity_token` and `registry_token` is set. `repr` shows none of them."""

    username: str = ""
    password: str = ""
    identity_token: str = ""  # an OAuth2 refresh token
    registry_token: str = ""  # a bearer token, used as it is

    def __repr__(self) -> str:
        return f"Credential(username={self.username!r})"

    @property
    def basic(self) -> str:
        """The value of an Authorization header."""
        return "Basic " + _packed(self.username, self.password)


class Credentials:
    """One config.json. Blocking: a credential program may run, or the file wait for its lock."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or credentials_path()

    def find(self, registry: str, repository: str = "") -> Credential | None:
        """For a registry as it stands in references; an entry for a namespace of it comes first (podman's way).

        Raises: InvalidInput for a file that cannot be read, RegistryError for a program that fails.
        """
        document = self._read()
        helper = self._helper(document, registry)
        if helper:
            found = _ask(helper, server_name(registry))
            if found is not None:
                return found
        auths = _table(document, "auths")
        for key in _keys(auths, registry, repository):
            found = self._decode(key, auths[key])
            if found is not None:
                return found
        return None

    def store(self, registry: str, credential: Credential) -> None:
        """Keep it in the registry's credential program, or else in the file, which only its owner may read.

        Raises: InvalidInput, RegistryError, StoreError.
        """
        helper = self._helper(self._read(), registry)
        if helper:
            secret = credential.identity_token or credential.password
            username = _IDENTITY_USER if credential.identity_token else credential.username
            request = {"ServerURL": server_name(registry), "Username": username, "Secret": secret}
            _run(helper, "store", json.dumps(request))
            return
        entry = {"auth": _packed(credential.username, credential.password)}
        if credential.identity_token:
            entry["identitytoken"] = credential.identity_token
        with self._changing() as document:
            document.setdefault("auths", {})[server_name(registry)] = entry

    def erase(self, registry: str) -> bool:
        """Forget a registry's credential; False if there was none."""
        document = self._read()
        helper = self._helper(document, registry)
        erased = False
        if helper and _ask(helper, server_name(registry)) is not None:
            _run(helper, "erase", server_name(registry))
            erased = True
        if list(_keys(_table(document, "auths"), registry, "")):
            with self._changing() as changed:
                for key in list(_keys(_table(changed, "auths"), registry, "")):
                    del changed["auths"][key]
            erased = True
        return erased

    def plaintext_path(self, registry: str) -> str:
        """The file that `store` writes a password to unencrypted; empty if a credential program keeps it."""
        return "" if self._helper(self._read(), registry) else str(self.path)

    # the file -------------------------------------------------------------------------------------
    def _read(self) -> dict[str, Any]:
        try:
            document = json.loads(self.path.read_text(encoding="utf-8") or "{}")
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except OSError as error:
            raise InvalidInput(f"cannot read the credentials in {self.path}: {error.strerror}") from error
        except (ValueError, RecursionError):
            # from None: the message of a JSON error does not show the text, its exception holds all of it
            raise InvalidInput(f"{self.path} is not valid JSON", hint="correct it or move it away") from None
        if not isinstance(document, dict):
            raise InvalidInput(f"{self.path} is not a JSON object", hint="correct it or move it away")
        return document

    @contextmanager
    def _changing(self) -> Iterator[dict[str, Any]]:
        """Read, let the caller change, write: as one step for other processes, all or nothing for a crash."""
        import fcntl

        target = self.path.resolve()  # people keep it as a symbolic link into a dotfiles repository
        try:
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise StoreError(f"cannot write credentials to {self.path}: {error.strerror}") from error
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            document = self._read()
            if not isinstance(document.get("auths", {}), dict):
                raise InvalidInput(f'"auths" in {self.path} is not a JSON object', hint="correct it or move it away")
            yield document
            _replace(target, json.dumps(document, indent="\t") + "\n")
        except OSError as error:
            raise StoreError(f"cannot write credentials to {self.path}: {error.strerror}") from error
        finally:
            os.close(folder)

    def _helper(self, document: Mapping[str, Any], registry: str) -> str:
        """The name of the program that keeps this registry's credential; empty if the file does."""
        helpers = _table(document, "credHelpers")
        found = next((helpers[key] for key in _keys(helpers, registry, "")), document.get("credsStore"))
        if not found:
            return ""
        if not isinstance(found, str) or not re.fullmatch(_HELPER_NAME, found):
            raise InvalidInput(f"{self.path} names a credential program that cannot be one: {printable(str(found))}")
        return found

    def _decode(self, key: str, entry: object) -> Credential | None:
        if not isinstance(entry, dict):
            return None
        username, password = entry.get("username") or "", entry.get("password") or ""
        packed = entry.get("auth") or ""
        from binascii import a2b_base64

        try:
            if packed:
                username, colon, password = a2b_base64(packed, strict_mode=True).decode().partition(":")
                if not colon:
                    raise ValueError
            tokens = [entry.get(name) or "" for name in ("identitytoken", "registrytoken")]
            if not all(isinstance(one, str) for one in (username, password, *tokens)):
                raise ValueError
        except (ValueError, TypeError):
            raise InvalidInput(
                f"the credentials for {printable(key)} in {self.path} cannot be read",
                hint=f"log in again: pilothouse login {printable(key)}",
            ) from None
        password = password.rstrip("\0")  # Docker pads with zero bytes: cli/config/configfile/file.go
        identity, registry_token = tokens
        if identity:
            return Credential(username, identity_token=identity)
        if registry_token:
            return Credential(username, registry_token=registry_token)
        return Credential(username, password) if username or password else None


def credentials_path() -> Path:
    """REGISTRY_AUTH_FILE (podman's), then DOCKER_CONFIG/config.json, then ~/.docker/config.json."""
    named = os.environ.get("REGISTRY_AUTH_FILE")
    if named:
        return Path(named)
    folder = os.environ.get("DOCKER_CONFIG")
    return (Path(folder) if folder else Path.home() / ".docker") / "config.json"


def server_name(registry: str) -> str:
    """What Docker calls a registry in config.json and towards credential programs."""
    return DOCKER_HUB_KEY if registry == DEFAULT_REGISTRY else registry


def _keys(table: Mapping[str, Any], registry: str, repository: str) -> Iterator[str]:
    """The keys of `table` that speak of the registry, or of a namespace around the repository; the closest first."""
    if repository:
        parts = repository.split("/")
        for end in range(len(parts), 0, -1):
            key = f"{registry}/{'/'.join(parts[:end])}"
            if key in table:
                yield key
    exact = server_name(registry)
    if exact in table:
        yield exact
    hosts = _DOCKER_HUB_HOSTS if registry == DEFAULT_REGISTRY else (registry,)
    for key in table:
        scheme, mark, rest = key.partition("://")
        # Only a key with a scheme may have a path that means nothing (https://HOST/v1/); another is a namespace.
        host = rest.partition("/")[0] if mark else scheme.rstrip("/")
        if key != exact and host in hosts:
            yield key


def _table(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = document.get(key)
    return found if isinstance(found, dict) else {}


def _packed(username: str, password: str) -> str:
    from binascii import b2a_base64

    return b2a_base64(f"{username}:{password}".encode(), newline=False).decode()


def _replace(target: Path, text: str) -> None:
    import tempfile  # late, as all that only a login needs: a pull reads at most

    try:
        mode = target.stat().st_mode & 0o600
    except FileNotFoundError:
        mode = 0o600
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f"{target.name}.")
    try:
        with open(handle, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), mode or 0o600)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, target)  # noqa: PTH105
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


# the programs -------------------------------------------------------------------------------------
def _ask(helper: str, server: str) -> Credential | None:
    answer = _run(helper, "get", server, absent_is_none=True)
    if answer is None:
        return None
    try:
        document = json.loads(answer)
        username, secret = document["Username"], document["Secret"]
        if not isinstance(username, str) or not isinstance(secret, str):
            raise ValueError
    except (ValueError, LookupError, TypeError, RecursionError):
        raise RegistryError(
            f"docker-credential-{helper} answered with something that is no credential for {printable(server)}",
            hint="check the program, or remove it from config.json",
        ) from None
    if not secret:
        return None
    if username == _IDENTITY_USER:
        return Credential(identity_token=secret)
    return Credential(username, secret)


def _run(helper: str, verb: str, given: str, *, absent_is_none: bool = False) -> str | None:
    """Run docker-credential-HELPER; what it is given goes through its standard input, never its arguments."""
    import subprocess

    program = f"docker-credential-{helper}"
    try:
        done = subprocess.run(
            [program, verb], input=given.encode(), capture_output=True, timeout=_HELPER_TIMEOUT, check=False
        )
    except FileNotFoundError:
        raise RegistryError(
            f"config.json names the credential program {program}, which is not in PATH",
            hint="install it, or remove it from credHelpers/credsStore",
        ) from None
    except OSError as error:
        raise RegistryError(f"cannot run the credential program {program}: {error.strerror}") from error
    except subprocess.TimeoutExpired:
        raise RegistryError(f"the credential program {program} did not end within {_HELPER_TIMEOUT:.0f} s") from None
    if done.returncode == 0:
        return done.stdout.decode("utf-8", "replace")
    # Programs report on standard output; this sentence is their protocol's "there is none".
    said = done.stdout + done.stderr
    if absent_is_none and b"credentials not found" in said:
        return None
    words = printable(said.strip(), 120)
    if "{" in words or verb == "store":  # it may repeat a secret
        words = ""
    raise RegistryError(f"the credential program {program} failed: {words or f'exit code {done.returncode}'}")
