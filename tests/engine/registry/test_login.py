from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import InvalidInput, RegistryError, Unauthorized
from engine.registry.credentials import Credential
from engine.registry.login import login, logout, registry_name
from tests.engine.registry.conftest import Client
from tests.support.registry import RegistryServer


async def log_in(client: Client, registry: str, username: str = "user", password: str = "correct horse") -> str:
    return await login(registry, username, password, credentials=client.credentials, configuration=client.configuration)


@pytest.mark.parametrize("auth", ["none", "basic", "bearer"])
async def test_a_login_is_tried_kept_used_and_forgotten(client: Client, auth: str) -> None:
    with RegistryServer(auth=auth) as server:
        image = server.put_image("app", "latest", [b"x"])
        assert await log_in(client, f"http://{server.host}/v2/") == str(client.credentials.path)  # unencrypted, there
        assert client.credentials.find(server.host) == Credential("user", "correct horse")
        assert await client.pull(f"{server.host}/app") == [image.layers[0].data]
        assert logout(server.host) == f"Removing login credentials for {server.host}"
        assert logout(server.host) == f"Not logged in to {server.host}"


@pytest.mark.parametrize("auth", ["basic", "bearer"])
async def test_a_wrong_password_is_refused_and_not_kept(client: Client, auth: str) -> None:
    with RegistryServer(auth=auth) as server:
        with pytest.raises(Unauthorized, match="unauthorized: incorrect username or password") as caught:
            await log_in(client, server.host, password="hunter2")
        assert server.host in caught.value.message
        assert "hunter2" not in caught.value.message + caught.value.hint
    assert not client.credentials.path.exists()


async def test_an_identity_token_is_kept_instead_of_the_password(client: Client) -> None:
    with RegistryServer(auth="bearer") as server:
        server.identity_token = "identity-7"
        await log_in(client, server.host)
        kept = client.credentials.path.read_text()
        assert "identity-7" in kept
        assert client.credentials.find(server.host) == Credential("user", identity_token="identity-7")
        assert "correct horse" not in str(json.loads(kept))
        image = server.put_image("app", "latest", [b"x"])
        assert await client.pull(f"{server.host}/app") == [image.layers[0].data]


async def test_what_is_no_registry_is_not_logged_in_to(client: Client) -> None:
    with RegistryServer() as server:
        server.faults.answer("/v2/", 404, times=9)
        with pytest.raises(RegistryError, match=r"does not answer as a registry .*404"):
            await log_in(client, server.host)
    with pytest.raises(InvalidInput, match="user and a password"):
        await log_in(client, server.host, password="")


async def test_a_login_leaves_no_trace_of_the_password(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with RegistryServer(auth="bearer", password="hunter2") as server:
        await log_in(client, server.host, password="hunter2")
        assert not any("hunter2" in seen.query + seen.path + seen.body for seen in server.requests)
        assert not any(token in caplog.text for token in server.tokens)
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("", "docker.io"),
        ("docker.io", "docker.io"),
        ("https://index.docker.io/v1/", "docker.io"),
        ("registry-1.docker.io", "docker.io"),
        ("quay.io", "quay.io"),
        ("https://quay.io/v2/", "quay.io"),
        ("localhost", "localhost"),
        ("127.0.0.1:5000", "127.0.0.1:5000"),
        ("[::1]:5000", "[::1]:5000"),
    ],
)
def test_registries_are_named_as_docker_names_them(text: str, name: str) -> None:
    assert registry_name(text) == name


@pytest.mark.parametrize("text", ["ftp://h", "user:pw@host.example", "ho st", "https://", "host:port", "\x1b[2Jx.y"])
def test_what_is_no_name_of_a_registry_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="invalid registry") as caught:
        registry_name(text)
    assert caught.value.message.isprintable()


async def test_a_program_that_cannot_keep_the_password_fails_the_login(client: Client, tmp_path: Path) -> None:
    client.credentials.path.parent.mkdir()
    client.credentials.path.write_text('{"credsStore": "missing"}')
    with RegistryServer(auth="basic") as server:
        with pytest.raises(RegistryError, match="docker-credential-missing"):
            await log_in(client, server.host)


def test_a_logout_loads_none_of_the_heavy_libraries() -> None:
    program = (
        "import sys, engine.registry.login; print(sorted({'asyncio', 'aiohttp', 'ssl', 'yarl'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
