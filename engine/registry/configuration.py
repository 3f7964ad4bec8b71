"""How registries are reached: the `[registry]` part of the user's config.toml.

```toml
[registry]
insecure = ["registry.lan:5000", "10.1.0.0/16"]     # plain HTTP, or TLS that is not verified

[registry.mirrors]                                   # tried in order before the registry itself
"docker.io" = ["https://mirror.lan", "harbor.lan/dockerhub"]

[registry.ca]                                        # extra authorities, PEM; also certs.d directories
"registry.lan:5000" = "/etc/ssl/lan-ca.pem"
```
"""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path

from engine.errors import InvalidInput
from engine.frozen import dataclass, field
from engine.reference import DEFAULT_REGISTRY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

# Docker Hub is the one registry whose API is not on the host in its references.
DOCKER_HUB_API = "registry-1.docker.io"
SYSTEM_CERTIFICATES = (Path("/etc/docker/certs.d"), Path("/etc/containers/certs.d"))


@dataclass(frozen=True, slots=True)
class Patience:
    """How long and how often the client tries. Times in seconds."""

    attempts: int = 6  # of a request that brings nothing
    first_delay: float = 0.5  # doubles with each attempt
    longest_delay: float = 20.0
    longest_retry_after: float = 120.0  # a registry that wants a longer pause gets an error instead
    connect_timeout: float = 15.0
    read_timeout: float = 60.0  # without a single byte


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One place that serves a registry's content: the registry itself or a mirror of it."""

    host: str  # host[:port]
    prefix: str = ""  # put before the repository, "dockerhub/"
    is_mirror: bool = False
    plain: bool = False  # may be spoken to without TLS

    @property
    def hostname(self) -> str:
        return hostname_of(self.host)


@dataclass(frozen=True, slots=True)
class Configuration:
    """What the user has said about registries, and nothing else."""

    insecure: tuple[str, ...] = ()  # host, host:port or network in CIDR form
    mirrors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    authorities: Mapping[str, str] = field(default_factory=dict)  # host[:port] -> PEM file
    certificate_directories: tuple[Path, ...] = SYSTEM_CERTIFICATES
    patience: Patience = Patience()

    @classmethod
    def load(cls, path: Path | None = None) -> Configuration:
        """From `path`, by default `$XDG_CONFIG_HOME/pilothouse/config.toml`; a missing file is an empty one.

        Raises: InvalidInput, naming the file and the key.
        """
        path = path or configuration_path()
        directories = (path.parent / "certs.d", *SYSTEM_CERTIFICATES)
        try:
            text = path.read_text(encoding="utf-8")
            import tomllib  # late: most users have no such file, and it takes some milliseconds

            document = tomllib.loads(text)
        except (FileNotFoundError, NotADirectoryError):
            return cls(certificate_directories=directories)
        except OSError as error:
            raise InvalidInput(f"cannot read {path}: {error.strerror}") from error
        except ValueError as error:  # TOMLDecodeError, UnicodeDecodeError
            raise InvalidInput(f"{path} is not valid TOML: {error}") from error
        section = _table(document, "registry", path, "registry")
        mirrors = _table(section, "mirrors", path, "registry.mirrors")
        authorities = _table(section, "ca", path, "registry.ca")
        for host, file in authorities.items():
            if not isinstance(file, str):
                raise InvalidInput(f'{path}: registry.ca."{host}" must be the path of a PEM file')
        return cls(
            insecure=_strings(section, "insecure", path, "registry.insecure"),
            mirrors={name: _strings(mirrors, name, path, f'registry.mirrors."{name}"') for name in mirrors},
            authorities=dict(authorities),
            certificate_directories=directories,
        )

    def may_be_plain(self, host: str) -> bool:
        """Whether `host[:port]` may be spoken to over plain HTTP: loopback, or configured as insecure."""
        return is_loopback(hostname_of(host)) or self.is_insecure(host)

    def is_insecure(self, host: str) -> bool:
        """Whether the user has listed it as insecure: then its certificate is not verified either."""
        name = hostname_of(host)
        return any(host == listed or name == listed or _in_network(name, listed) for listed in self.insecure)

    def endpoints(self, registry: str) -> tuple[Endpoint, ...]:
        """Where to ask for content of `registry`, in order; the registry itself comes last."""
        found = [self._mirror(text) for text in self.mirrors.get(registry, ())]
        host = DOCKER_HUB_API if registry == DEFAULT_REGISTRY else registry
        return (*found, Endpoint(host, plain=self.may_be_plain(host)))

    def _mirror(self, text: str) -> Endpoint:
        scheme, mark, rest = text.rpartition("://")
        host, _, prefix = rest.strip("/").partition("/")
        if not host or "@" in host or (mark and scheme not in ("http", "https")):
            raise InvalidInput(
                f"mirror {text!r} is not of the form [https://]HOST[:PORT][/PREFIX]",
                hint=f"see registry.mirrors in {configuration_path()}",
            )
        return Endpoint(
            host,
            f"{prefix}/" if prefix else "",
            is_mirror=True,
            plain=scheme == "http" or (not mark and self.may_be_plain(host)),
        )


def configuration_path() -> Path:
    home = os.environ.get("XDG_CONFIG_HOME") or ""
    # XDG Base Directory Specification: a path that is not absolute is to be ignored
    base = Path(home) if home.startswith("/") else Path.home() / ".config"
    return base / "pilothouse" / "config.toml"


def hostname_of(host: str) -> str:
    """`host[:port]` without port and without the brackets of an IPv6 address."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def is_loopback(hostname: str) -> bool:
    if hostname.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(hostname).is_loopback
    except ValueError:
        return False


def _in_network(hostname: str, listed: str) -> bool:
    if "/" not in listed:
        return False
    try:
        return ipaddress.ip_address(hostname) in ipaddress.ip_network(listed, strict=False)
    except ValueError:
        return False


def _table(document: Mapping[str, Any], key: str, path: Path, name: str) -> Mapping[str, Any]:
    found = document.get(key, {})
    if not isinstance(found, dict):
        raise InvalidInput(f"{path}: {name} must be a table")
    return found


def _strings(document: Mapping[str, Any], key: str, path: Path, name: str) -> tuple[str, ...]:
    found = document.get(key, [])
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise InvalidInput(f"{path}: {name} must be a list of strings")
    return tuple(found)
