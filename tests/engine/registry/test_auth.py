from __future__ import annotations

import asyncio
import json
import logging
from urllib.parse import parse_qs

import pytest

from engine.errors import RegistryError, Unauthorized
from engine.registry.auth import Authorizer
from engine.registry.challenges import Challenge, parse
from engine.registry.configuration import Endpoint
from engine.registry.credentials import Credential
from engine.registry.wire import Wire
from tests.engine.registry.conftest import AMD64, Client, download, noise
from tests.support.registry import RegistryServer, digest_of, layer


def put(server: RegistryServer, layers: int = 1, size: int = 1000) -> list[bytes]:
    blobs = [layer(noise(size, seed), compression="") for seed in range(layers)]
    server.put_image("team/app", "latest", blobs)
    return [blob.data for blob in blobs]


async def test_a_basic_registry_gets_user_and_password_only_after_it_asks(client: Client) -> None:
    with RegistryServer(auth="basic", username="AWS", password="se:cret ü") as server:
        data = put(server)
        client.knows(server)
        assert await client.pull(f"{server.host}/team/app") == data
        assert server.requests[0].authorization == ""
        assert all(seen.authorization.startswith("Basic ") for seen in server.requests[1:])


async def test_a_basic_registry_without_or_with_a_wrong_login_is_told_what_to_do(client: Client) -> None:
    with RegistryServer(auth="basic") as server:
        put(server)
        with pytest.raises(Unauthorized, match="no basic auth credentials") as caught:
            await client.pull(f"{server.host}/team/app")
        assert f"pilothouse login {server.host}" in caught.value.hint
        client.credentials.store(server.host, Credential("user", "wrong"))
        with pytest.raises(Unauthorized, match="incorrect username or password") as caught:
            await client.pull(f"{server.host}/team/app")
        assert server.host in caught.value.message
        assert len(server.requests) == 3


async def test_an_anonymous_token_serves_a_whole_pull(client: Client) -> None:
    with RegistryServer(auth="bearer", anonymous=True) as server:
        data = put(server, layers=6)
        assert await client.pull(f"{server.host}/team/app") == data
        assert server.count("/token") == 1
        query = parse_qs(next(seen.query for seen in server.requests if seen.path == "/token"))
        assert query == {"service": ["registry.test"], "scope": ["repository:team/app:pull"]}


async def test_a_token_is_fetched_with_user_and_password_which_the_registry_never_sees(client: Client) -> None:
    with RegistryServer(auth="bearer") as issuer, RegistryServer(auth="bearer", issuer=issuer) as server:
        data = put(server)
        client.knows(server)
        assert await client.pull(f"{server.host}/team/app") == data
        assert [seen.authorization.split()[0] for seen in issuer.requests] == ["Basic"]
        assert all(seen.authorization[:7] in ("", "Bearer ") for seen in server.requests)


async def test_a_private_repository_without_a_login_says_so(client: Client) -> None:
    with RegistryServer(auth="bearer") as server:
        put(server)
        with pytest.raises(
            Unauthorized, match=r"pull access denied for .*/team/app, repository does not exist"
        ) as caught:
            await client.pull(f"{server.host}/team/app")
        assert f"pilothouse login {server.host}" in caught.value.hint


async def test_an_error_page_of_any_length_is_an_error_and_no_more(client: Client) -> None:
    with RegistryServer() as server:
        server.faults.answer("/v2/", 400, body=b"<html>" * 100_000, content_type="text/html")
        with pytest.raises(RegistryError, match=r"answered 400 \(bad request\) for the manifest"):
            await client.pull(f"{server.host}/team/app")


async def test_a_token_that_gives_no_access_is_told_in_dockers_words(client: Client) -> None:
    with RegistryServer(auth="bearer", anonymous=True) as server, RegistryServer() as other:
        server.issuer = other  # its tokens are unknown here
        other.faults.answer("/token", 200, times=9, body=json.dumps({"token": "of-another-realm"}).encode())
        with pytest.raises(Unauthorized, match=r"pull access denied for .*/team/app, repository does not exist or may"):
            await client.pull(f"{server.host}/team/app")
        assert other.count("/token") == 1


async def test_concurrent_requests_renew_an_ended_token_once(client: Client) -> None:
    with RegistryServer(auth="bearer", anonymous=True) as server:
        data = put(server, layers=8)
        async with client.open(f"{server.host}/team/app") as (registry, reference):
            resolved = await registry.resolve(reference, AMD64)
            server.expire_tokens()
            got = await asyncio.gather(*(download(registry, blob) for blob in resolved.layers))
        assert got == data
        assert server.count("/token") == 2


async def test_a_token_that_ends_in_the_middle_of_a_pull_is_renewed_and_the_layer_resumed(client: Client) -> None:
    with RegistryServer(auth="bearer", anonymous=True) as server:
        data = put(server, size=400_000)
        server.faults.cut(digest_of(data[0]), 200_000)
        async with client.open(f"{server.host}/team/app") as (registry, reference):
            blob = (await registry.resolve(reference, AMD64)).layers[0]
            assert await download(registry, blob, on_bytes=lambda _: server.expire_tokens()) == data[0]
        assert server.count("/token") == 2


async def test_a_token_about_to_end_is_renewed_before_the_registry_complains(client: Client) -> None:
    with RegistryServer(auth="bearer", anonymous=True, token_lifetime=2) as server:
        put(server)
        async with Wire(client.configuration) as wire:
            endpoint = Endpoint(server.host, plain=True)
            authorizer = Authorizer(wire, endpoint, server.host, "repository:team/app:pull", None)
            await authorizer.answer("", [f'Bearer realm="{server.url}/token",service="x"'])
            first = await authorizer.header()
            assert await authorizer.header() == first
            await asyncio.sleep(1.7)  # a token of 2 s is renewed after 1.6
            headers = await asyncio.gather(*(authorizer.header() for _ in range(5)))
        assert first not in headers and len(set(headers)) == 1
        assert server.count("/token") == 2


async def test_an_identity_token_is_exchanged_in_the_body_of_a_post(client: Client) -> None:
    with RegistryServer(auth="bearer") as server:
        data = put(server)
        server.identity_token = "identity-7"
        client.credentials.store(server.host, Credential("user", identity_token="identity-7"))
        assert await client.pull(f"{server.host}/team/app") == data
        exchange = next(seen for seen in server.requests if seen.path == "/token")
        assert (exchange.method, exchange.query, exchange.authorization) == ("POST", "", "")
        assert "refresh_token=identity-7" in exchange.body


async def test_a_token_server_that_is_busy_is_waited_for(client: Client) -> None:
    with RegistryServer(auth="bearer", anonymous=True) as server:
        data = put(server)
        server.faults.answer("/token", 503, times=2)
        assert await client.pull(f"{server.host}/team/app") == data


@pytest.mark.parametrize(
    "body",
    [b"<html>", b"[]", b"{}", b'{"token": 7}', b'{"token": "a\\r\\nX-Evil: 1"}', b'{"token":"x","expires_in":"y"}'],
)
async def test_a_token_server_that_answers_nonsense_gets_a_sentence(client: Client, body: bytes) -> None:
    with RegistryServer(auth="bearer", anonymous=True) as server:
        put(server)
        server.faults.answer("/token", 200, body=body)
        with pytest.raises(RegistryError, match=f"token server {server.host} answered with something that is no token"):
            await client.pull(f"{server.host}/team/app")


@pytest.mark.parametrize("realm", ["http://192.0.2.1/token", "ftp://x/y", "", "/token", "http://[", "\\u001b[2J"])
async def test_a_realm_that_is_not_safe_gets_nothing(client: Client, realm: str) -> None:
    with RegistryServer() as server:
        client.knows(server)
        headers = {"WWW-Authenticate": f'Bearer realm="{realm}"'}
        server.faults.answer("/v2/", 401, times=9, headers=headers)
        with pytest.raises(RegistryError, match=r"unencrypted|no usable token server"):
            await client.pull(f"{server.host}/team/app")


async def test_a_login_of_an_unknown_kind_is_named(client: Client) -> None:
    with RegistryServer() as server:
        server.faults.answer("/v2/", 401, headers={"WWW-Authenticate": "Negotiate"})
        with pytest.raises(Unauthorized, match=r"not supported \(negotiate\)"):
            await client.pull(f"{server.host}/team/app")


# where credentials must not go -------------------------------------------------------------------


@pytest.mark.parametrize("auth", ["basic", "bearer"])
async def test_a_redirect_to_blob_storage_carries_no_credentials(client: Client, auth: str) -> None:
    with RegistryServer(auth=auth) as server, RegistryServer() as storage:
        data = put(server, layers=2)
        storage.blobs = server.blobs
        server.faults.redirect = storage.url
        client.knows(server)
        assert await client.pull(f"{server.host}/team/app") == data
        assert len(storage.requests) == 3
        assert not any("authorization" in seen.headers for seen in storage.requests)


async def test_a_redirect_resumes_with_range_from_a_fresh_url(client: Client) -> None:
    with RegistryServer(auth="basic") as server, RegistryServer() as storage:
        data = put(server, size=200_000)
        storage.blobs = server.blobs
        server.faults.redirect = storage.url
        storage.faults.cut(digest_of(data[0]), 100_000)
        client.knows(server)
        assert await client.pull(f"{server.host}/team/app") == data
        assert server.count(digest_of(data[0])) == 2
        assert storage.requests[-1].headers["range"].startswith("bytes=")


async def test_a_redirects_target_that_asks_for_a_login_gets_none(client: Client) -> None:
    with RegistryServer(auth="basic") as server, RegistryServer() as thief:
        put(server)
        client.knows(server)
        server.faults.redirect = thief.url
        challenge = {"WWW-Authenticate": f'Bearer realm="{thief.url}/token"'}
        thief.faults.answer("/storage/", 401, times=9, headers=challenge)
        with pytest.raises(RegistryError, match=f"{thief.host} answered 401"):
            await client.pull(f"{server.host}/team/app")
        assert [seen.path[:9] for seen in thief.requests] == ["/storage/"]
        assert not any(seen.authorization for seen in thief.requests)


async def test_a_redirect_out_of_tls_is_refused(client: Client) -> None:
    with RegistryServer() as server:
        put(server)
        server.faults.redirect = "http://192.0.2.1"
        with pytest.raises(RegistryError, match=r"will not speak plain HTTP to 192\.0\.2\.1"):
            await client.pull(f"{server.host}/team/app")


async def test_redirects_in_circles_end(client: Client) -> None:
    with RegistryServer() as server:
        headers = {"Location": "/v2/team/app/manifests/latest"}
        server.faults.answer("/v2/", 302, times=99, headers=headers)
        with pytest.raises(RegistryError, match="redirects in circles"):
            await client.pull(f"{server.host}/team/app")
        assert len(server.requests) == 10


async def test_secrets_are_in_no_log_no_message_and_no_repr(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    said = []
    with RegistryServer(auth="bearer", password="hunter2-pass") as server, RegistryServer() as storage:
        data = put(server)
        client.knows(server)
        assert await client.pull(f"{server.host}/team/app") == data
        secrets = ["hunter2-pass", "aHVudGVyMi1wYXNz", "swordfish", *server.tokens]
        server.faults.redirect = storage.url  # to a signed URL; the storage has nothing
        with pytest.raises(RegistryError) as caught:
            await client.pull(f"{server.host}/team/app")
        said.append(f"{caught.value} {caught.value.hint}")
        credential = client.credentials.find(server.host)
        said.append(repr(credential))
    assert credential is not None and credential.password == "hunter2-pass"
    for text in (caplog.text, *said):
        assert not any(secret in text for secret in secrets)


# challenges ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Basic", [Challenge("basic")]),
        ('Basic realm="a, \\"b\\""', [Challenge("basic", {"realm": 'a, "b"'})]),
        (
            'Bearer realm="https://h/t",service=s , scope="repository:a/b:pull,push"',
            [Challenge("bearer", {"realm": "https://h/t", "service": "s", "scope": "repository:a/b:pull,push"})],
        ),
        (
            'Negotiate, Basic realm="x", BEARER Realm="y"',
            [Challenge("negotiate"), Challenge("basic", {"realm": "x"}), Challenge("bearer", {"realm": "y"})],
        ),
        ("", []),
        ('"', []),
    ],
)
def test_challenges_are_taken_apart(header: str, expected: list[Challenge]) -> None:
    assert parse([header]) == expected
