"""Over TLS, over plain HTTP, and through proxies."""

from __future__ import annotations

import asyncio
import shutil
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from engine.errors import InvalidInput, RegistryError
from engine.registry.blocking import Blocking, NotForUs
from engine.registry.configuration import Configuration
from engine.registry.credentials import Credential
from engine.registry.streaming import Streaming
from engine.registry.trust import Trust
from tests.engine.registry.conftest import Client, noise
from tests.support.certificates import self_signed
from tests.support.registry import RegistryServer


async def test_a_certificate_nobody_vouches_for_is_refused_even_on_loopback(client: Client) -> None:
    with RegistryServer(tls=True, auth="basic") as server:
        client.knows(server)
        with pytest.raises(RegistryError, match=f"cannot verify the certificate of {server.host}") as caught:
            await client.pull(f"{server.host}/app")
        assert f"certs.d/{server.host}/ca.crt" in caught.value.hint
        assert server.requests == []


@pytest.mark.parametrize("way", ["certs.d", "configuration", "SSL_CERT_FILE"])
async def test_an_authority_can_be_named_in_three_ways(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    with RegistryServer(tls=True) as server:
        data = server.put_image("app", "latest", [noise(200_000)]).layers[0].data
        if way == "certs.d":
            (tmp_path / "certs.d" / server.host).mkdir(parents=True)
            shutil.copy(server.ca_file, tmp_path / "certs.d" / server.host / "ca.crt")
            client.configure(certificate_directories=(tmp_path / "missing", tmp_path / "certs.d"))
        elif way == "configuration":
            client.configure(authorities={server.host: server.ca_file})
        else:
            monkeypatch.setenv("SSL_CERT_FILE", server.ca_file)
        assert await client.pull(f"{server.host}/app") == [data]


async def test_an_authority_for_one_host_is_not_one_for_another(client: Client) -> None:
    with RegistryServer(tls=True) as server, RegistryServer(tls=True) as other:
        client.configure(authorities={server.host: server.ca_file, "elsewhere": other.ca_file})
        with pytest.raises(RegistryError, match="cannot verify the certificate"):
            await client.pull(f"{other.host}/app")


async def test_a_registrys_authority_vouches_for_its_token_server_and_its_blob_storage(
    client: Client, tmp_path: Path
) -> None:
    with (
        RegistryServer(tls=True, auth="bearer") as issuer,
        RegistryServer(tls=True) as storage,
        RegistryServer(tls=True, auth="bearer", issuer=issuer) as server,
    ):
        data = server.put_image("app", "latest", [noise(1000)]).layers[0].data
        storage.blobs = server.blobs
        server.faults.redirect = storage.url
        client.knows(server)
        bundle = tmp_path / "lan-ca.pem"
        bundle.write_text("".join(Path(one.ca_file).read_text() for one in (issuer, storage, server)))
        client.configure(authorities={server.host: str(bundle)})
        assert await client.pull(f"{server.host}/app") == [data]
        with pytest.raises(RegistryError, match="cannot verify the certificate"):
            await client.pull(f"{storage.host}/app")  # on its own account nobody vouches for it


async def test_an_insecure_registry_is_spoken_to_whatever_its_certificate(client: Client) -> None:
    with RegistryServer(tls=True) as server:
        image = server.put_image("app", "latest", [b"x"])
        client.configure(insecure=(server.host,))
        assert await client.pull(f"{server.host}/app") == [image.layers[0].data]


async def test_a_certificate_for_another_name_or_out_of_date_is_refused(client: Client, tmp_path: Path) -> None:
    for names, expired, words in [(["192.0.2.1"], False, "not valid for"), (["127.0.0.1"], True, "expired")]:
        certificate, key = self_signed(names, expired=expired)
        (tmp_path / "c.pem").write_text(certificate)
        (tmp_path / "k.pem").write_text(key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "c.pem", tmp_path / "k.pem")
        listener = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context)
        async with listener:
            host = f"127.0.0.1:{listener.sockets[0].getsockname()[1]}"
            client.configure(authorities={host: str(tmp_path / "c.pem")})
            with pytest.raises(RegistryError, match=f"cannot verify the certificate of {host}.*{words}"):
                # in a thread: the listener is in this loop, and a client that blocks would wait for itself
                await asyncio.to_thread(asyncio.run, client.pull(f"{host}/app"))


def test_certificates_that_cannot_be_read_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    junk = tmp_path / "junk.pem"
    junk.write_text("junk")
    for file in (junk, tmp_path / "missing.pem"):
        with pytest.raises(InvalidInput, match=str(file)):
            Trust(Configuration(authorities={"h": str(file)}, certificate_directories=())).context("h")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))
    with pytest.raises(InvalidInput, match="SSL_CERT_FILE"):
        Trust(Configuration()).context("h")


def test_a_client_certificate_is_found_beside_its_key(tmp_path: Path) -> None:
    folder = tmp_path / "h:5000"
    folder.mkdir()
    certificate, key = self_signed(["client"])
    (folder / "client.cert").write_text(certificate)
    trust = Trust(Configuration(certificate_directories=(tmp_path,)))
    default = trust.context("h:5000")  # without its key it is none
    assert trust.context("other") is default
    (folder / "client.key").write_text(key)
    own = trust.context("h:5000")
    assert own is not default
    assert trust.context("h:5000") is own
    assert trust.context("storage", "h:5000") is default  # a client certificate is for its own host only
    (folder / "client.key").write_text("junk")
    with pytest.raises(InvalidInput, match=r"client\.cert"):
        Trust(Configuration(certificate_directories=(tmp_path,))).context("h:5000")


async def test_another_host_is_never_spoken_to_in_plain_http(client: Client) -> None:
    requests: list[str] = []
    async with proxy(requests) as url:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("HTTP_PROXY", url)  # would reach it if plain HTTP were tried
            with pytest.raises(RegistryError, match=r"cannot reach registry registry\.test(:\d+)?: no such host$"):
                await client.pull("registry.test:5000/app")
    assert requests == []


through_proxies = pytest.mark.parametrize("client", [Streaming], indirect=True)


# proxies ------------------------------------------------------------------------------------------


@asynccontextmanager
async def proxy(requests: list[str], target: RegistryServer | None = None) -> AsyncIterator[str]:
    """A forward proxy that leads everything to `target`; `requests` gets the head of each request."""

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            return  # one side went away: so does the other
        finally:
            writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        requests.append(head)
        if target is None:
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            writer.close()
            return
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", target.port)
        if head.startswith("CONNECT "):
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        else:
            method, address, rest = head.split(" ", 2)
            there_writer.write(f"{method} /{address.split('/', 3)[3]} {rest}".encode())
        await asyncio.gather(copy(reader, there_writer), copy(there_reader, writer))

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listener:
        yield f"http://user:hunter2@127.0.0.1:{listener.sockets[0].getsockname()[1]}"


@through_proxies
async def test_a_tls_registry_is_reached_through_a_proxy_that_sees_no_secrets(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests: list[str] = []
    with RegistryServer(tls=True, auth="basic") as server:
        data = server.put_image("app", "latest", [noise(200_000)]).layers[0].data
        name = f"registry.test:{server.port}"
        monkeypatch.setenv("SSL_CERT_FILE", server.ca_file)
        client.credentials.store(name, Credential(server.username, server.password))
        async with proxy(requests, server) as url:
            monkeypatch.setenv("HTTPS_PROXY", url)
            assert await client.pull(f"{name}/app") == [data]
        assert requests and all(head.startswith(f"CONNECT {name} ") for head in requests)
        assert not any("\r\nAuthorization" in head for head in requests)
        assert not any("proxy-authorization" in seen.headers for seen in server.requests)


@through_proxies
async def test_a_plain_registry_is_reached_through_a_proxy(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    requests: list[str] = []
    with RegistryServer() as server:
        image = server.put_image("app", "latest", [b"x"])
        client.configure(insecure=("registry.test",))
        async with proxy(requests, server) as url:
            monkeypatch.setenv("http_proxy", url)
            monkeypatch.setenv("NO_PROXY", "example.org,.local")
            assert await client.pull(f"registry.test:{server.port}/app") == [image.layers[0].data]
    assert requests[0].startswith(f"GET http://registry.test:{server.port}/v2/app/manifests/latest ")


async def test_a_client_that_blocks_leaves_proxies_to_the_other_one(
    configuration: Configuration, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests: list[str] = []
    async with proxy(requests) as url:
        monkeypatch.setenv("HTTPS_PROXY", url)
        with pytest.raises(NotForUs):
            await Client(configuration, Blocking).pull("registry.test/app")
    assert requests == []


@through_proxies
async def test_a_proxy_that_refuses_is_named_without_its_password(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with proxy([]) as url:
        monkeypatch.setenv("HTTPS_PROXY", url)
        with pytest.raises(RegistryError, match=r"the proxy 127\.0\.0\.1:\d+ refused .* 407") as caught:
            await client.pull("registry.test/app")
        # aiohttp's exception would bring the request's headers, the proxy's password among them
        assert caught.value.__cause__ is None and caught.value.__suppress_context__
    with pytest.raises(RegistryError, match=r"cannot reach the proxy 127\.0\.0\.1:\d+: connection refused"):
        await client.pull("registry.test/app")
