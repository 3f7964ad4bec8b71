from __future__ import annotations

import os
import tempfile
import time
from email.utils import formatdate
from pathlib import Path

import pytest

from engine.errors import NotFound, RegistryError, StoreError, VerificationFailed
from tests.engine.registry.conftest import AMD64, Client, download, noise
from tests.support.registry import PutImage, RegistryServer, digest_of, layer

SIZE = 300_000


@pytest.fixture
def image(server: RegistryServer) -> PutImage:
    return server.put_image("app", "latest", [layer(noise(SIZE), compression="")])


def blob_requests(server: RegistryServer, image: PutImage) -> list[str]:
    """The Range headers of the requests for the layer, in order."""
    digest = digest_of(image.layers[0].data)
    return [seen.headers.get("range", "") for seen in server.requests if seen.path.endswith(digest)]


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
async def test_a_broken_connection_is_resumed_where_it_broke(
    server: RegistryServer, image: PutImage, client: Client, chunked: bool
) -> None:
    server.faults.chunked = chunked
    server.faults.cut(digest_of(noise(SIZE)), 100_000, times=2)
    assert await client.pull(f"{server.host}/app") == [noise(SIZE)]
    ranges = blob_requests(server, image)
    assert len(ranges) == 3
    assert ranges[0] == ""
    first, second = (int(one.removeprefix("bytes=").rstrip("-")) for one in ranges[1:])
    assert 0 < first < second <= 200_000


async def test_a_server_that_ignores_range_is_skipped_through(
    server: RegistryServer, image: PutImage, client: Client
) -> None:
    server.faults.ignore_range = True
    server.faults.cut(digest_of(noise(SIZE)), 100_000)
    assert await client.pull(f"{server.host}/app") == [noise(SIZE)]


async def test_a_download_goes_on_after_what_the_file_already_has(
    server: RegistryServer, image: PutImage, client: Client
) -> None:
    written: list[int] = []
    async with client.open(f"{server.host}/app") as (registry, reference):
        blob = (await registry.resolve(reference, AMD64)).layers[0]
        assert await download(registry, blob, begin=noise(SIZE)[:70_000], on_bytes=written.append) == noise(SIZE)
        assert blob_requests(server, image) == ["bytes=70000-"]
        assert sum(written) == SIZE - 70_000
        assert await download(registry, blob, begin=noise(SIZE)) == noise(SIZE)
        assert len(blob_requests(server, image)) == 1  # nothing was left to ask for


async def test_a_connection_that_falls_silent_is_given_up_and_resumed(
    server: RegistryServer, image: PutImage, client: Client
) -> None:
    server.faults.stall(digest_of(noise(SIZE)), 100_000)
    assert await client.pull(f"{server.host}/app") == [noise(SIZE)]


async def test_cuts_without_progress_end_in_an_error_that_names_host_and_layer(
    server: RegistryServer, image: PutImage, client: Client
) -> None:
    server.faults.cut(digest_of(noise(SIZE)), 0, times=100)
    with pytest.raises(RegistryError, match=f"registry {server.host} broke off the connection"):
        await client.pull(f"{server.host}/app")
    assert len(blob_requests(server, image)) == 4


async def test_many_cuts_with_progress_do_not_end_a_download(
    server: RegistryServer, image: PutImage, client: Client
) -> None:
    server.faults.cut(digest_of(noise(SIZE)), 70_000, times=4)
    assert await client.pull(f"{server.host}/app") == [noise(SIZE)]
    assert len(blob_requests(server, image)) == 5


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
@pytest.mark.parametrize("fragment", ["/manifests/", "/blobs/"])
async def test_passing_errors_are_waited_out(
    server: RegistryServer, image: PutImage, client: Client, status: int, fragment: str
) -> None:
    server.faults.answer(fragment, status, times=2)
    assert await client.pull(f"{server.host}/app") == [noise(SIZE)]


@pytest.mark.parametrize("form", ["seconds", "date"])
async def test_retry_after_is_honoured(server: RegistryServer, image: PutImage, client: Client, form: str) -> None:
    value = "1" if form == "seconds" else formatdate(time.time() + 2, usegmt=True)
    server.faults.answer("/blobs/", 429, headers={"Retry-After": value})
    start = time.monotonic()
    assert await client.pull(f"{server.host}/app") == [noise(SIZE)]
    assert time.monotonic() - start > 0.9


async def test_a_pause_that_is_too_long_is_told_instead_of_waited(
    server: RegistryServer, image: PutImage, client: Client
) -> None:
    server.faults.answer("/manifests/", 429, headers={"Retry-After": "3600"})
    with pytest.raises(RegistryError, match="answered 429") as caught:
        await client.pull(f"{server.host}/app")
    assert "3600 s" in caught.value.hint
    assert server.host in caught.value.message


async def test_lasting_errors_end_in_a_sentence(server: RegistryServer, image: PutImage, client: Client) -> None:
    server.faults.answer("/blobs/", 503, times=100)
    with pytest.raises(RegistryError, match=r"answered 503 \(service unavailable\) for config"):
        await client.pull(f"{server.host}/app")


async def test_a_missing_blob_is_named(server: RegistryServer, image: PutImage, client: Client) -> None:
    del server.blobs[digest_of(noise(SIZE))]
    with pytest.raises(NotFound, match=f"{server.host} has no layer {digest_of(noise(SIZE))[7:19]}"):
        await client.pull(f"{server.host}/app")


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize("change", [-1, 1, -SIZE], ids=["shorter", "longer", "empty"])
async def test_a_blob_of_another_size_than_the_manifest_says_is_refused(
    server: RegistryServer, image: PutImage, client: Client, change: int, chunked: bool
) -> None:
    server.faults.chunked = chunked
    data = noise(SIZE) + b"x" if change > 0 else noise(SIZE)[:change]
    server.faults.replace(digest_of(noise(SIZE)), data)
    with pytest.raises(VerificationFailed, match=f"its manifest says {SIZE}"):
        await client.pull(f"{server.host}/app")


async def test_a_length_that_cannot_be_the_blobs_is_refused_before_a_byte_is_written(
    server: RegistryServer, image: PutImage, client: Client
) -> None:
    server.faults.replace(digest_of(noise(SIZE)), noise(SIZE)[:-1])
    written: list[int] = []
    async with client.open(f"{server.host}/app") as (registry, reference):
        blob = (await registry.resolve(reference, AMD64)).layers[0]
        with pytest.raises(VerificationFailed, match=f"has {SIZE - 1} bytes for layer"):
            await download(registry, blob, on_bytes=written.append)
    assert not written


@pytest.mark.parametrize(
    ("told", "error", "words"),
    [
        (f"bytes 100-{SIZE - 1}/{SIZE}", RegistryError, "answered with another part of layer"),
        ("", RegistryError, "answered with another part of layer"),
        (f"lines 0-{SIZE - 1}/{SIZE}", RegistryError, "answered with another part of layer"),
        (f"bytes 0-{SIZE - 1}/{SIZE + 1}", VerificationFailed, f"has {SIZE + 1} bytes for layer"),
    ],
    ids=["another part", "no range", "another unit", "another size"],
)
async def test_a_part_that_was_not_asked_for_is_refused(
    server: RegistryServer, image: PutImage, client: Client, told: str, error: type[Exception], words: str
) -> None:
    server.faults.answer(digest_of(noise(SIZE)), 206, body=noise(SIZE), headers={"Content-Range": told} if told else {})
    with pytest.raises(error, match=words):
        await client.pull(f"{server.host}/app")


async def test_a_part_that_begins_before_what_was_asked_for_is_skipped_into(
    server: RegistryServer, image: PutImage, client: Client
) -> None:
    told = {"Content-Range": f"bytes 50000-{SIZE - 1}/*"}
    server.faults.answer(digest_of(noise(SIZE)), 206, body=noise(SIZE)[50_000:], headers=told)
    async with client.open(f"{server.host}/app") as (registry, reference):
        blob = (await registry.resolve(reference, AMD64)).layers[0]
        assert await download(registry, blob, begin=noise(SIZE)[:70_000]) == noise(SIZE)


async def test_foreign_layers_come_from_their_urls_without_credentials(client: Client) -> None:
    with RegistryServer(auth="basic") as server, RegistryServer() as elsewhere:
        client.knows(server)
        digest = elsewhere.put_blob(noise(1000))
        foreign = layer(
            noise(1000), compression="", urls=[f"{elsewhere.url}/nope", f"{elsewhere.url}/storage/{digest}"]
        )
        server.put_image("app", "latest", [foreign])
        assert await client.pull(f"{server.host}/app") == [noise(1000)]
        assert not any(seen.authorization for seen in elsewhere.requests)


async def test_a_foreign_url_may_not_be_plain_http_to_another_host_or_a_file(
    server: RegistryServer, client: Client
) -> None:
    for url, words in [
        ("http://192.0.2.1/blob", "will not speak plain HTTP to 192.0.2.1"),
        ("file:///etc/shadow", "cannot fetch from a URL of kind 'file'"),
    ]:
        server.put_image("app", "latest", [layer(noise(1000), compression="", urls=[url])])
        with pytest.raises(RegistryError, match=words):
            await client.pull(f"{server.host}/app")


async def test_a_full_disk_is_told_as_one(server: RegistryServer, image: PutImage, client: Client) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        async with client.open(f"{server.host}/app") as (registry, reference):
            blob = (await registry.resolve(reference, AMD64)).layers[0]
            with pytest.raises(StoreError, match="no space left on device"):
                await registry.download(blob, full)
    finally:
        os.close(full)


async def test_what_a_failed_download_wrote_stays_for_the_next_one(
    server: RegistryServer, image: PutImage, client: Client, tmp_path: Path
) -> None:
    server.faults.cut(digest_of(noise(SIZE)), 50_000, times=4)
    with tempfile.TemporaryFile(dir=tmp_path) as file:
        async with client.open(f"{server.host}/app") as (registry, reference):
            blob = (await registry.resolve(reference, AMD64)).layers[0]
            with pytest.raises(RegistryError):
                await registry.download(blob, file.fileno())
            there = os.fstat(file.fileno()).st_size
            assert 0 < there < SIZE
            await registry.download(blob, file.fileno(), offset=there)
            assert os.pread(file.fileno(), SIZE + 1, 0) == noise(SIZE)
