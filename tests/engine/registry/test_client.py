from __future__ import annotations

import json
import socket
import time

import pytest

from engine.errors import BadImage, InvalidInput, NotFound, RegistryError, Unsupported, VerificationFailed
from engine.models import Platform
from engine.registry.configuration import Patience
from tests.engine.registry.conftest import AMD64, Client, noise
from tests.support.registry import (
    DOCKER_INDEX,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    RegistryServer,
    digest_of,
    layer,
)

ARM64 = Platform("linux", "arm64")


@pytest.mark.parametrize("docker", [False, True], ids=["oci", "docker"])
@pytest.mark.parametrize("compression", ["gzip", "zstd", ""])
async def test_an_image_is_resolved_and_fetched(
    server: RegistryServer, client: Client, docker: bool, compression: str
) -> None:
    blobs = [layer(noise(5000, seed), compression=compression, docker=docker) for seed in range(3)]
    image = server.put_image("team/app", "1", blobs, docker=docker)
    async with client.open(f"{server.host}/team/app:1") as (registry, reference):
        resolved = await registry.resolve(reference, AMD64)
        assert await registry.fetch_small(resolved.config) == image.config
    assert resolved.manifest_digest == image.digest
    assert resolved.manifest == image.manifest
    assert resolved.media_type == (DOCKER_MANIFEST if docker else OCI_MANIFEST)
    assert resolved.platform == AMD64
    assert resolved.index_digest == ""
    assert [one.digest for one in resolved.layers] == [digest_of(blob.data) for blob in blobs]
    assert await client.pull(f"{server.host}/team/app:1") == [blob.data for blob in blobs]


@pytest.mark.parametrize("docker", [False, True], ids=["oci", "docker"])
async def test_an_index_gives_the_manifest_of_the_platform(
    server: RegistryServer, client: Client, docker: bool
) -> None:
    images = {
        name: server.put_image("app", "", [noise(100, seed)], platform=name, docker=docker)
        for seed, name in enumerate(["linux/arm64/v8", "linux/arm/v6", "linux/arm/v7", "linux/amd64", "windows/amd64"])
    }
    index = server.put_index("app", "latest", list(images.values()), docker=docker)
    async with client.open(f"{server.host}/app") as (registry, reference):
        for wanted, expected in [
            (AMD64, "linux/amd64"),
            (ARM64, "linux/arm64/v8"),
            (Platform("linux", "arm", "v7"), "linux/arm/v7"),
            (Platform("linux", "arm", "v8"), "linux/arm/v7"),
            (Platform("linux", "arm", "v6"), "linux/arm/v6"),
        ]:
            resolved = await registry.resolve(reference, wanted)
            assert resolved.manifest_digest == images[expected].digest
            assert resolved.index_digest == index
        with pytest.raises(NotFound) as caught:
            await registry.resolve(reference, Platform("linux", "s390x"))
    assert "no matching manifest for linux/s390x" in caught.value.message
    assert all(name in caught.value.message for name in images)
    assert "--platform linux/arm64" in caught.value.hint


async def test_a_single_manifest_for_another_platform_is_refused_naming_its_own(
    server: RegistryServer, client: Client
) -> None:
    server.put_image("app", "latest", [b"x"], platform="linux/arm64")
    with pytest.raises(NotFound, match=r"no matching manifest for linux/amd64 in .*/app:latest: it has linux/arm64"):
        await client.pull(f"{server.host}/app")
    await client.pull(f"{server.host}/app", ARM64)


async def test_attestations_and_unknown_entries_of_an_index_are_passed_over(
    server: RegistryServer, client: Client
) -> None:
    attestation = server.put_image("app", "", [b"sbom"], platform="unknown/unknown")
    image = server.put_image("app", "", [b"x"])
    strange = {"mediaType": "application/vnd.example+json", "digest": "sha256:" + "0" * 64, "size": 1}
    index = server.put_index("app", "latest", [attestation, image], extra=[strange])
    async with client.open(f"{server.host}/app@{index}") as (registry, reference):
        assert (await registry.resolve(reference, AMD64)).manifest_digest == image.digest
        with pytest.raises(NotFound) as caught:
            await registry.resolve(reference, ARM64)
    assert "unknown" not in caught.value.message


async def test_an_index_within_an_index_is_followed_but_not_for_ever(server: RegistryServer, client: Client) -> None:
    image = server.put_image("app", "", [b"x"])
    digest = server.put_index("app", "1", [image])
    for depth in (2, 3):
        entry = {
            "mediaType": OCI_INDEX,
            "digest": digest,
            "size": 1,
            "platform": {"os": "linux", "architecture": "amd64"},
        }
        digest = server.put_index("app", str(depth), [], extra=[entry])
    assert await client.pull(f"{server.host}/app:2") == [image.layers[0].data]
    with pytest.raises(BadImage, match="contains indexes"):
        await client.pull(f"{server.host}/app:3")


async def test_a_digest_is_pulled_whatever_the_tag_says(server: RegistryServer, client: Client) -> None:
    old = server.put_image("app", "1", [b"old"])
    server.put_image("app", "1", [b"new"])
    assert await client.pull(f"{server.host}/app:1@{old.digest}") == [old.layers[0].data]


async def test_unknown_tags_and_repositories_are_told_in_dockers_words(server: RegistryServer, client: Client) -> None:
    server.put_image("app", "1", [b"x"])
    with pytest.raises(
        NotFound, match=rf"manifest for {server.host}/app:2 not found on {server.host}: manifest unknown$"
    ):
        await client.pull(f"{server.host}/app:2")
    with pytest.raises(
        NotFound, match=rf"repository {server.host}/nope not found on {server.host}: name unknown: no such name$"
    ):
        await client.pull(f"{server.host}/nope")


async def test_schema_1_is_refused_with_a_sentence(server: RegistryServer, client: Client) -> None:
    body = json.dumps({"schemaVersion": 1, "name": "app", "fsLayers": []}).encode()
    server.put_manifest("app", "old", body, "application/vnd.docker.distribution.manifest.v1+prettyjws")
    with pytest.raises(Unsupported, match="schema 1") as caught:
        await client.pull(f"{server.host}/app:old")
    assert "push the image again" in caught.value.hint


async def test_a_web_page_instead_of_a_manifest_is_called_one(server: RegistryServer, client: Client) -> None:
    server.faults.html("/manifests/")
    with pytest.raises(RegistryError, match="web page instead of the manifest"):
        await client.pull(f"{server.host}/app")


async def test_a_web_page_instead_of_a_layer_is_called_one(server: RegistryServer, client: Client) -> None:
    image = server.put_image("app", "latest", [noise(1000)])
    server.faults.html(digest_of(image.layers[0].data))
    with pytest.raises(RegistryError, match="web page instead of layer"):
        await client.pull(f"{server.host}/app")


@pytest.mark.parametrize("body", [b"", b"not json", b"[" * 100_000, b"\xff\xfe", b"[]", b"null", b"7", b"{}"])
async def test_nonsense_instead_of_a_manifest_gets_a_sentence(
    server: RegistryServer, client: Client, body: bytes
) -> None:
    server.put_manifest("app", "latest", body, OCI_MANIFEST)
    with pytest.raises((RegistryError, BadImage), match=r"manifest of .*/app:latest"):
        await client.pull(f"{server.host}/app")


async def test_a_manifest_over_four_mebibytes_is_refused(server: RegistryServer, client: Client) -> None:
    server.put_manifest("app", "latest", b" " * ((4 << 20) + 1), OCI_MANIFEST)
    with pytest.raises(RegistryError, match="larger than the limit of 4194304 bytes"):
        await client.pull(f"{server.host}/app")


async def test_a_config_that_is_too_large_is_not_even_fetched(server: RegistryServer, client: Client) -> None:
    image = server.put_image("app", "latest", [b"x"], config={"junk": "x" * (9 << 20)})
    with pytest.raises(BadImage, match="more than the limit"):
        await client.pull(f"{server.host}/app")
    assert server.count(image.id) == 0


async def test_a_forged_manifest_is_refused(server: RegistryServer, client: Client) -> None:
    good = server.put_image("app", "latest", [b"good"])
    evil = server.put_image("app", "evil", [b"evil"])
    server.faults.replace(good.digest, evil.manifest)
    with pytest.raises(VerificationFailed, match="does not have the digest") as caught:
        await client.pull(f"{server.host}/app@{good.digest}")
    assert server.host in caught.value.message


async def test_a_registry_that_states_another_digest_than_it_sends_is_not_believed(
    server: RegistryServer, client: Client
) -> None:
    image = server.put_image("app", "latest", [b"x"])
    headers = {"Docker-Content-Digest": "sha256:" + "0" * 64}
    server.faults.answer("/manifests/", 200, body=image.manifest, content_type=OCI_MANIFEST, headers=headers)
    with pytest.raises(VerificationFailed):
        await client.pull(f"{server.host}/app")


async def test_a_forged_config_is_refused(server: RegistryServer, client: Client) -> None:
    image = server.put_image("app", "latest", [b"x"])
    server.faults.replace(image.id, bytes(len(image.config)))
    with pytest.raises(VerificationFailed, match="config"):
        await client.pull(f"{server.host}/app")


async def test_control_sequences_of_a_registry_never_reach_a_message(server: RegistryServer, client: Client) -> None:
    body = json.dumps({"errors": [{"code": "E\x1b[2J", "message": "bad\x1b]0;owned\x07\u202e\nline"}]}).encode()
    server.faults.answer("/manifests/", 400, body=body)
    with pytest.raises(RegistryError) as caught:
        await client.pull(f"{server.host}/app")
    assert caught.value.message.isprintable()
    assert "owned" in caught.value.message


async def test_a_host_without_a_registry_is_named_at_once(client: Client) -> None:
    client.configure(patience=Patience())  # the ordinary one: this must not take its time
    start = time.monotonic()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        with pytest.raises(RegistryError, match=f"cannot reach registry 127.0.0.1:{port}: connection refused"):
            await client.pull(f"127.0.0.1:{port}/app")
    with pytest.raises(RegistryError, match=r"cannot reach registry nowhere\.invalid(:\d+)?: no such host$"):
        await client.pull("nowhere.invalid/app")
    assert time.monotonic() - start < 20  # trying again would take minutes


async def test_an_ipv6_registry_is_reached(client: Client) -> None:
    with RegistryServer(address="::1") as server:
        image = server.put_image("app", "latest", [b"x"])
        assert await client.pull(f"[::1]:{server.port}/app") == [image.layers[0].data]


async def test_a_mirror_is_asked_first_and_the_registry_for_what_it_lacks(
    server: RegistryServer, client: Client
) -> None:
    with RegistryServer() as mirror:
        images = [server.put_image("app", tag, [noise(100, seed)]) for seed, tag in enumerate("ab")]
        mirror.put_image("cache/app", "a", [noise(100, 0)])
        client.configure(mirrors={server.host: (f"http://{mirror.host}/cache",)})
        assert await client.pull(f"{server.host}/app:a") == [images[0].layers[0].data]
        assert server.requests == []
        assert await client.pull(f"{server.host}/app:b") == [images[1].layers[0].data]
        assert mirror.count("/v2/cache/app/manifests/b") == 1


async def test_a_mirror_that_lies_or_is_gone_does_no_harm(server: RegistryServer, client: Client) -> None:
    image = server.put_image("app", "latest", [noise(100)])
    with RegistryServer() as mirror, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        mirror.put_image("app", "latest", [noise(100)])
        mirror.faults.replace(image.digest, b"{}")
        client.configure(mirrors={server.host: (f"127.0.0.1:{free.getsockname()[1]}", mirror.host)})
        assert await client.pull(f"{server.host}/app@{image.digest}") == [image.layers[0].data]


async def test_a_mirror_never_gets_the_registrys_credentials(client: Client) -> None:
    with RegistryServer(auth="basic") as server, RegistryServer(auth="basic") as mirror:
        client.knows(server)
        image = server.put_image("app", "latest", [b"x"])
        client.configure(mirrors={server.host: (mirror.host,)})
        assert await client.pull(f"{server.host}/app") == [image.layers[0].data]
        assert mirror.requests
        assert not any(seen.authorization for seen in mirror.requests)


async def test_a_malformed_mirror_is_refused_before_anything_is_sent(server: RegistryServer, client: Client) -> None:
    client.configure(mirrors={server.host: ("ftp://mirror",)})
    with pytest.raises(InvalidInput, match="mirror"):
        await client.pull(f"{server.host}/app")


async def test_an_index_is_told_from_a_manifest_without_media_types(server: RegistryServer, client: Client) -> None:
    image = server.put_image("app", "", [b"x"])
    index = {
        "schemaVersion": 2,
        "manifests": [
            {
                "mediaType": OCI_MANIFEST,
                "digest": image.digest,
                "size": len(image.manifest),
                "platform": {"os": "linux", "architecture": "amd64"},
            }
        ],
    }
    server.put_manifest("app", "latest", json.dumps(index).encode(), "application/json")
    assert await client.pull(f"{server.host}/app") == [image.layers[0].data]
    server.put_manifest("app", "wrong", json.dumps({**index, "mediaType": OCI_INDEX}).encode(), DOCKER_INDEX)
    with pytest.raises(BadImage, match="calls itself"):
        await client.pull(f"{server.host}/app:wrong")
