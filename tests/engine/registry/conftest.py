"""A quick, patient-less configuration, credentials of the test's own, and short ways to pull."""

from __future__ import annotations

import asyncio
import os
import random
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from engine.models import Descriptor, Platform
from engine.reference import Reference, parse
from engine.registry.blocking import Blocking
from engine.registry.client import Registry
from engine.registry.configuration import Configuration, Patience
from engine.registry.credentials import Credential, Credentials
from engine.registry.streaming import Streaming
from tests.support.registry import RegistryServer

AMD64 = Platform("linux", "amd64")
QUICK = Patience(attempts=4, first_delay=0.01, longest_delay=0.05, longest_retry_after=3, read_timeout=0.5)


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the user's: no credentials, no configuration, no proxies."""
    for name in ("REGISTRY_AUTH_FILE", "SSL_CERT_FILE", *(f"{one}_PROXY" for one in ("HTTP", "HTTPS", "NO"))):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home/.config"))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))


@pytest.fixture
def configuration() -> Configuration:
    return Configuration(certificate_directories=(), patience=QUICK)


@pytest.fixture
def server() -> Iterator[RegistryServer]:
    with RegistryServer() as server:
        yield server


class Client:
    """Registry objects for a test's references, with this configuration and the test's credentials."""

    def __init__(self, configuration: Configuration, transport: type[Blocking | Streaming]) -> None:
        self.configuration = configuration
        self.transport = transport
        self.credentials = Credentials()

    def configure(self, **changes: object) -> None:
        self.configuration = replace(self.configuration, **changes)  # type: ignore[arg-type]

    def knows(self, server: RegistryServer) -> None:
        self.credentials.store(server.host, Credential(server.username, server.password))

    @asynccontextmanager
    async def open(self, text: str) -> AsyncIterator[tuple[Registry, Reference]]:
        reference = parse(text)
        transport = self.transport(self.configuration.patience)
        async with Registry(reference, self.credentials, self.configuration, transport) as registry:
            yield registry, reference

    async def pull(self, text: str, platform: Platform = AMD64) -> list[bytes]:
        """Resolve, fetch the config, and download all layers at once; returns their bytes."""
        async with self.open(text) as (registry, reference):
            resolved = await registry.resolve(reference, platform)
            await registry.fetch_small(resolved.config)
            return list(await asyncio.gather(*(download(registry, layer) for layer in resolved.layers)))


async def download(
    registry: Registry, layer: Descriptor, *, begin: bytes = b"", on_bytes: Callable[[int], None] | None = None
) -> bytes:
    with tempfile.TemporaryFile() as file:
        os.write(file.fileno(), begin)
        await registry.download(layer, file.fileno(), offset=len(begin), on_bytes=on_bytes)
        return os.pread(file.fileno(), layer.size + 1, 0)


@pytest.fixture(params=[Streaming, Blocking], ids=["streaming", "blocking"])
def client(configuration: Configuration, request: pytest.FixtureRequest) -> Client:
    """Over each of the two transports: every rule holds on both."""
    return Client(configuration, request.param)


def noise(size: int, seed: int = 1) -> bytes:
    """Bytes that do not compress."""
    return random.Random(seed).randbytes(size)
