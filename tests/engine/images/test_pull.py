"""Whole pulls from a registry in this process: complete, once, resumed, verified, without a trace when broken."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from engine.cli.drive import drive
from engine.errors import BadImage, EngineError, NotFound, StoreError, Unsupported, VerificationFailed
from engine.images import blobs, durability, quick, store
from engine.images.pull import pull
from engine.models import Image, Progress
from engine.registry.credentials import Credential, Credentials
from engine.settings import Settings
from engine.state import events
from engine.state.database import Database
from engine.state.locks import lock
from tests.conftest import environment
from tests.support.layers import LayerTar
from tests.support.registry import PutImage, RegistryServer, digest_of, layer

BASE = LayerTar().directory("etc").file("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n").build()
TOP = LayerTar().file("top", b"top").whiteout("etc/passwd").build()
BIG = LayerTar().file("big", os.urandom(3 << 20)).build()

PULL = """
    import asyncio, sys
    from engine.images.pull import pull
    from engine.settings import Settings
    from engine.state.database import Database
    settings = Settings.load()
    asyncio.run(pull(settings, Database(settings.database), sys.argv[1]))
"""


@pytest.fixture
def registry() -> Iterator[RegistryServer]:
    with RegistryServer() as server:
        yield server


class Puller:
    """Pulls on a fresh root, and what can be seen of it from outside."""

    def __init__(self, settings: Settings, registry: RegistryServer, *, quick: bool = False) -> None:
        self.settings, self.registry, self.quick = settings, registry, quick
        self.database = Database(settings.database)

    def reference(self, name: str) -> str:
        return f"{self.registry.host}/{name}"

    async def __call__(self, name: str, platform: str = "linux/amd64") -> Image:
        self.seen: list[Progress] = []
        work = (quick.pull if self.quick else pull)(
            self.settings, self.database, self.reference(name), platform=platform, progress=self.seen.append
        )
        # the quick one is for a program without an event loop, and blocks
        return await (asyncio.to_thread(drive, work) if self.quick else work)

    def process(self, name: str) -> subprocess.Popen[bytes]:
        """The same in a process of its own."""
        program = [sys.executable, "-c", textwrap.dedent(PULL), self.reference(name)]
        return subprocess.Popen(program, env=environment(self.settings), stderr=subprocess.PIPE)

    def images(self) -> list[Image]:
        return store.images(self.settings, self.database)

    def partial(self, digest: str) -> Path:
        return blobs.partial(self.settings, digest)

    def leftovers(self) -> list[str]:
        """Files and snapshots that no row speaks of, and blobs that no image has."""
        known = {row["name"] for row in self.database.query("SELECT name FROM snapshots")}
        found = [path.name for path in self.settings.snapshots.glob("*") if path.name not in known]
        found += [f"staging/{path.name}" for path in self.settings.snapshots.glob("staging/*")]
        found += [f"partial/{path.name}" for path in self.settings.images.glob("staging/*")]
        return sorted(set(found) - {"staging", durability.MARKS})

    async def until(self, path: Path, size: int) -> None:
        """Wait for a download to get somewhere."""
        deadline = time.monotonic() + 20
        while not path.exists() or path.stat().st_size < size:
            assert time.monotonic() < deadline, "the download does not get on"
            await asyncio.sleep(0.01)


@pytest.fixture
def puller(
    settings: Settings,
    registry: RegistryServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Iterator[Puller]:
    for variable in ("DOCKER_CONFIG", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    puller = Puller(settings, registry, quick=getattr(request, "param", False))
    yield puller
    puller.database.close()
    assert workers() == []


def workers(parent: int | None = None) -> list[int]:
    """The unpacking processes, of one process or of this one and of those that are orphaned."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if b"engine.images.worker" in status.with_name("cmdline").read_bytes():
                above = int(status.read_text().rpartition(")")[2].split()[1])
                if above in ((parent,) if parent else (os.getpid(), 1)):
                    found.append(int(status.parent.name))
    return found


def gone(pid: int) -> None:
    """Wait until a process that is not our child has ended."""
    with suppress(ProcessLookupError):
        fd = os.pidfd_open(pid)
        assert select.select([fd], [], [], 10)[0], f"process {pid} lives on"
        os.close(fd)


both = pytest.mark.parametrize("puller", [False, True], indirect=True, ids=["pull", "quick"])


# good pulls ---------------------------------------------------------------------------------------
@both
@pytest.mark.parametrize("docker", [False, True])
async def test_a_pull_brings_the_whole_image(puller: Puller, registry: RegistryServer, docker: bool) -> None:
    forms = ["gzip", "" if docker else "zstd", ""]
    put = registry.put_image(
        "team/app",
        "1",
        [layer(tar, compression=form, docker=docker) for tar, form in zip((BASE, TOP, BIG), forms, strict=True)],
        config={"config": {"Cmd": ["run"], "Env": ["A=b"], "ExposedPorts": {"80/tcp": {}}}},
        docker=docker,
    )
    image = await puller("team/app:1")
    assert (image.id, image.manifest_digest) == (put.id, put.digest)
    assert image.references == (puller.reference("team/app:1"),)
    assert image.digests == (f"{registry.host}/team/app@{put.digest}",)
    assert (image.config.cmd, image.config.exposed_ports) == (("run",), ("80/tcp",))
    assert [one.diff_id for one in image.layers] == [digest_of(tar) for tar in (BASE, TOP, BIG)]
    assert (Path(image.layers[2].snapshot) / "big").stat().st_size == 3 << 20
    assert not (Path(image.layers[1].snapshot) / "etc/passwd").is_file()
    assert blobs.read(puller.settings, put.digest) == put.manifest
    assert puller.leftovers() == []
    with events.EventReader(str(puller.settings.journal), 0) as reader:
        assert [(event.kind, event.action, event.id) for event in reader.read()] == [("image", "pull", put.id)]


@both
async def test_a_pull_through_an_index_remembers_the_indexs_digest(puller: Puller, registry: RegistryServer) -> None:
    put = [registry.put_image("x", f"only-{name}", [BASE], platform=f"linux/{name}") for name in ("amd64", "arm64")]
    digest = registry.put_index("x", "all", put)
    image = await puller("x:all", "linux/arm64")
    assert (image.id, image.digests) == (put[1].id, (f"{registry.host}/x@{digest}",))


@both
async def test_a_pull_by_digest_gives_no_tag(puller: Puller, registry: RegistryServer) -> None:
    put = registry.put_image("x", "1", [BASE])
    image = await puller(f"x@{put.digest}")
    assert (image.references, image.digests) == ((), (f"{registry.host}/x@{put.digest}",))
    assert store.image(puller.settings, puller.database, puller.reference(f"x@{put.digest}")).id == put.id


@both
async def test_what_is_there_is_not_fetched_again(puller: Puller, registry: RegistryServer) -> None:
    registry.put_image("x", "1", [BASE, BIG])
    await puller("x:1")
    registry.put_image("y", "1", [BASE, BIG, TOP])
    before = registry.count("/blobs/")
    image = await puller("y:1")
    assert registry.count("/blobs/") - before == 2  # the config and the new layer
    assert [one.action for one in puller.seen if one.digest == image.layers[0].digest] == ["waiting", "exists"]


@both
async def test_a_tag_that_moved_leaves_the_old_image_dangling(puller: Puller, registry: RegistryServer) -> None:
    old = registry.put_image("x", "1", [BASE])
    await puller("x:1")
    new = registry.put_image("x", "1", [BASE, TOP])
    assert (await puller("x:1")).id == new.id
    assert store.image(puller.settings, puller.database, old.id).references == ()


@both
async def test_a_layer_that_occurs_twice_is_fetched_once(puller: Puller, registry: RegistryServer) -> None:
    registry.put_image("x", "1", [TOP, BASE, TOP])
    image = await puller("x:1")
    assert registry.count(image.layers[0].digest) == 1
    assert image.layers[0].snapshot == image.layers[2].snapshot


@both
async def test_an_image_may_have_no_layers(puller: Puller, registry: RegistryServer) -> None:
    registry.put_image("empty", "1", [])
    assert (await puller("empty:1")).layers == ()


@both
async def test_unnamed_parents_take_their_attributes_from_the_layers_below(
    puller: Puller, registry: RegistryServer
) -> None:
    base = LayerTar().directory("tmp", mode=0o1777).file("pad", os.urandom(1 << 20)).build()
    registry.put_image("x", "1", [base, LayerTar().file("tmp/x").build()])
    image = await puller("x:1")
    assert (Path(image.layers[1].snapshot) / "tmp").stat().st_mode & 0o7777 == 0o1777


@both
async def test_progress_is_told_in_order_and_not_too_often(puller: Puller, registry: RegistryServer) -> None:
    registry.faults.throttle = 8 << 20
    put = registry.put_image("x", "1", [BIG])
    started = time.monotonic()
    await puller("x:1")
    seconds = time.monotonic() - started
    assert [puller.seen[0].action, puller.seen[-1].action] == ["resolving", "done"]
    told = [one for one in puller.seen if one.digest]
    assert {one.digest for one in told} == {put.layers[0].descriptor["digest"]}
    assert list(dict.fromkeys(one.action for one in told)) == [
        "waiting",
        "downloading",
        "verifying",
        "unpacking",
        "done",
    ]
    downloading = [one.current for one in told if one.action == "downloading"]
    assert downloading == sorted(downloading) and downloading[-1] > 1 << 20
    assert len(told) < 10 + 2 * 20 * seconds


# nothing new --------------------------------------------------------------------------------------
async def asked(puller: Puller, name: str) -> tuple[Image, list[str]]:
    """A pull, and the requests it made: method and what kind of thing."""
    before = len(puller.registry.requests)
    image = await puller(name)
    return image, [f"{seen.method} {seen.path.split('/')[-2]}" for seen in puller.registry.requests[before:]]


@both
async def test_a_pull_of_what_has_not_changed_is_one_request_without_a_body(
    puller: Puller, registry: RegistryServer
) -> None:
    put = [registry.put_image("x", f"only-{name}", [BASE], platform=f"linux/{name}") for name in ("amd64", "arm64")]
    registry.put_index("x", "1", put)
    first = await puller("x:1")
    again, requests = await asked(puller, "x:1")
    assert (again.id, requests) == (first.id, ["HEAD manifests"])
    assert [one.action for one in puller.seen] == ["resolving", "done"]
    assert not list(puller.settings.run.glob("locks/images/*"))  # or the next command would look for garbage


@both
@pytest.mark.parametrize(
    ("status", "stated"), [(200, ""), (200, "sha256:" + "0" * 64), (200, "nonsense"), (404, ""), (405, ""), (503, "")]
)
async def test_where_the_registry_does_not_say_that_nothing_has_changed_the_manifest_is_fetched(
    puller: Puller, registry: RegistryServer, status: int, stated: str
) -> None:
    registry.put_image("x", "1", [BASE])
    await puller("x:1")
    new = registry.put_image("x", "1", [BASE, TOP])
    registry.faults.answer("/manifests/", status, headers={"Docker-Content-Digest": stated} if stated else {})
    image, requests = await asked(puller, "x:1")
    assert image.id == new.id
    assert requests == ["HEAD manifests", "GET manifests", "GET blobs", "GET blobs"]


@both
async def test_an_image_that_is_not_whole_any_more_is_not_up_to_date(puller: Puller, registry: RegistryServer) -> None:
    put = registry.put_image("x", "1", [BASE])
    image = await puller("x:1")
    blobs.path(puller.settings, put.digest).unlink()
    assert "GET manifests" in (await asked(puller, "x:1"))[1]
    assert blobs.read(puller.settings, put.digest) == put.manifest
    Path(image.layers[0].snapshot).rename(puller.settings.root / "lost")
    image, requests = await asked(puller, "x:1")
    assert requests == ["GET manifests", "GET blobs", "GET blobs"]
    assert (Path(image.layers[0].snapshot) / "etc/passwd").exists()


@both
async def test_an_image_of_another_platform_is_not_up_to_date(puller: Puller, registry: RegistryServer) -> None:
    put = [registry.put_image("x", name, [BASE], platform=f"linux/{name}") for name in ("amd64", "arm64")]
    registry.put_index("x", "1", put)
    found = [(await puller("x:1", f"linux/{name}")).id for name in ("amd64", "arm64", "amd64")]
    assert found == [put[0].id, put[1].id, put[0].id]


@pytest.mark.parametrize("auth", ["basic", "bearer"])
async def test_a_private_registry_is_asked_with_the_users_credentials(
    settings: Settings, auth: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with RegistryServer(auth=auth) as registry:
        Credentials().store(registry.host, Credential(registry.username, registry.password))
        many = [LayerTar().file(f"f{number}", b"x").build() for number in range(quick.MOST_LAYERS + 1)]
        put = registry.put_image("many", "1", many)
        puller = Puller(settings, registry, quick=True)
        assert (await puller("many:1")).id == put.id
        # Handed over to the other transport, it goes on with the login and the manifest it has.
        assert registry.count("/manifests/") == 2
        assert registry.count("/token") == (1 if auth == "bearer" else 0)
        assert registry.count("/blobs/") == 1 + len(many)
        assert (await asked(puller, "many:1"))[1].count("HEAD manifests") == 2  # the first is refused
        puller.database.close()


# together -----------------------------------------------------------------------------------------
async def test_two_pulls_at_once_in_one_process_download_a_layer_once(puller: Puller, registry: RegistryServer) -> None:
    registry.faults.throttle = 6 << 20
    put = registry.put_image("x", "1", [BASE, BIG])
    registry.put_image("y", "1", [BASE, BIG, TOP])
    first, second = await asyncio.gather(puller("x:1"), puller("y:1"))
    assert first.layers == second.layers[:2]
    assert registry.count(str(put.layers[1].descriptor["digest"])) == 1


async def test_two_pulls_at_once_in_two_processes_download_a_layer_once(
    puller: Puller, registry: RegistryServer
) -> None:
    registry.faults.throttle = 3 << 20
    put = registry.put_image("x", "1", [BASE, BIG])
    digest = str(put.layers[1].descriptor["digest"])
    with puller.process("x:1") as other:
        await puller.until(puller.partial(digest), 1)
        image = await puller("x:1")
        assert await asyncio.to_thread(other.wait) == 0
    assert image.id == put.id
    assert registry.count(digest) == 1
    assert puller.leftovers() == []


async def test_waiting_for_another_pull_does_not_hold_up_the_event_loop(
    puller: Puller, registry: RegistryServer
) -> None:
    put = registry.put_image("x", "1", [BASE])
    with lock(puller.settings, "layer", str(put.layers[0].descriptor["digest"])):
        pulling, abandoned = (asyncio.create_task(puller("x:1")) for _ in range(2))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(abandoned, 1)
        assert not pulling.done()
        assert puller.seen[-1].action == "waiting"
    assert (await pulling).id == put.id


# broken and resumed -------------------------------------------------------------------------------
async def test_a_killed_pull_leaves_nothing_visible_and_the_next_one_goes_on(
    puller: Puller, registry: RegistryServer
) -> None:
    registry.faults.throttle = 2 << 20
    put = registry.put_image("x", "1", [BASE, BIG])
    digest = str(put.layers[1].descriptor["digest"])
    with puller.process("x:1") as other:
        await puller.until(puller.partial(digest), 1 << 20)
        children = workers(other.pid)
        assert children
        other.kill()
    for child in children:  # they notice by themselves
        await asyncio.to_thread(gone, child)
    assert puller.images() == []
    registry.faults.throttle = 0
    there = puller.partial(digest).stat().st_size
    image = await puller("x:1")
    assert image.id == put.id
    ranges = [seen.headers.get("range", "") for seen in registry.requests if digest in seen.path]
    assert ranges == ["", f"bytes={there}-"]
    assert (Path(image.layers[1].snapshot) / "big").stat().st_size == 3 << 20
    assert puller.leftovers() == []


async def test_a_cancelled_pull_leaves_only_what_it_can_go_on_from(puller: Puller, registry: RegistryServer) -> None:
    registry.faults.throttle = 2 << 20
    put = registry.put_image("x", "1", [BIG])
    digest = str(put.layers[0].descriptor["digest"])
    pulling = asyncio.create_task(puller("x:1"))
    await puller.until(puller.partial(digest), 1 << 20)
    pulling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pulling
    assert puller.images() == [] and workers() == []
    assert puller.leftovers() == [f"partial/{puller.partial(digest).name}"]


@both
async def test_a_broken_connection_is_resumed_within_the_pull(puller: Puller, registry: RegistryServer) -> None:
    put = registry.put_image("x", "1", [BIG])
    registry.faults.cut(str(put.layers[0].descriptor["digest"]), 1 << 20)
    assert (await puller("x:1")).id == put.id


@both
async def test_what_an_earlier_pull_left_is_not_trusted(puller: Puller, registry: RegistryServer) -> None:
    put = registry.put_image("x", "1", [BIG])
    digest = str(put.layers[0].descriptor["digest"])
    blobs.prepare(puller.settings)
    puller.partial(digest).write_bytes(bytes(1 << 20))
    assert (await puller("x:1")).id == put.id
    assert puller.leftovers() == []


async def test_a_complete_leftover_is_only_unpacked(puller: Puller, registry: RegistryServer) -> None:
    put = registry.put_image("x", "1", [BIG])
    digest = str(put.layers[0].descriptor["digest"])
    blobs.prepare(puller.settings)
    puller.partial(digest).write_bytes(put.layers[0].data)
    await puller("x:1")
    assert registry.count(digest) == 0


async def test_a_worker_that_dies_is_told(puller: Puller, registry: RegistryServer) -> None:
    registry.faults.throttle = 2 << 20
    put = registry.put_image("x", "1", [BIG])
    pulling = asyncio.create_task(puller("x:1"))
    await puller.until(puller.partial(str(put.layers[0].descriptor["digest"])), 1 << 20)
    for worker in workers(os.getpid()):
        os.kill(worker, signal.SIGKILL)
    with pytest.raises(StoreError, match="ended") as caught:
        await pulling
    assert "memory" in caught.value.hint
    assert puller.leftovers() == []


# lies and faults ----------------------------------------------------------------------------------
def forged(registry: RegistryServer) -> PutImage:
    """Another layer under the first one's digest, of the same size."""
    put = registry.put_image("x", "1", [layer(BIG, compression="")])
    other = bytearray(BIG)
    other[2 << 20] ^= 1
    registry.faults.replace(str(put.layers[0].descriptor["digest"]), bytes(other))
    return put


def wrong_diff_id(registry: RegistryServer) -> PutImage:
    return registry.put_image(
        "x", "1", [BASE], config={"rootfs": {"type": "layers", "diff_ids": ["sha256:" + "0" * 64]}}
    )


def too_few_diff_ids(registry: RegistryServer) -> PutImage:
    return registry.put_image("x", "1", [BASE], config={"rootfs": {"type": "layers", "diff_ids": []}})


def hostile(registry: RegistryServer) -> PutImage:
    return registry.put_image("x", "1", [BIG, LayerTar().file("ok").file("../../evil").build()])


def no_tar(registry: RegistryServer) -> PutImage:
    return registry.put_image("x", "1", [b"<html>" * 1000])


def for_windows(registry: RegistryServer) -> PutImage:
    return registry.put_image("x", "1", [BASE], platform="windows/amd64")


@both
@pytest.mark.parametrize(
    ("make", "platform", "error", "words"),
    [
        (forged, "", VerificationFailed, "digest"),
        (wrong_diff_id, "", VerificationFailed, "diff ID"),
        (too_few_diff_ids, "", BadImage, "1 layers and its config 0"),
        (hostile, "", BadImage, "outside"),
        (no_tar, "", BadImage, "no tar"),
        (for_windows, "windows/amd64", Unsupported, "windows"),
    ],
)
async def test_what_must_not_get_in_leaves_no_trace(
    puller: Puller, registry: RegistryServer, make: object, platform: str, error: type[EngineError], words: str
) -> None:
    make(registry)  # type: ignore[operator]
    with pytest.raises(error, match=words):
        await puller("x:1", platform or "linux/amd64")
    assert puller.images() == []
    assert [one for one in puller.leftovers() if not one.startswith("partial/")] == []
    assert not any(path.name == "evil" for path in puller.settings.root.parent.rglob("evil"))


@both
async def test_an_unknown_image_is_told(puller: Puller) -> None:
    with pytest.raises(NotFound):
        await puller("nosuch:1")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A directory with room for 8 MB."""
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(small)], check=True)
    yield small
    subprocess.run(["umount", "-l", str(small)], check=True)  # its last files may still be settling


async def test_a_disk_that_fills_up_is_told_and_gets_its_space_back(
    settings: Settings, registry: RegistryServer, small_disk: Path
) -> None:
    puller = Puller(Settings.load(str(small_disk / "root"), str(settings.run)), registry)
    registry.put_image("x", "1", [layer(LayerTar().file("huge", bytes(20 << 20)).build())])
    registry.put_image("y", "1", [layer(LayerTar().file("huge", os.urandom(12 << 20)).build())])
    for name in ("x:1", "y:1"):
        with pytest.raises(StoreError, match=r"(?i)no space left") as caught:
            await puller(name)
        assert "space" in caught.value.hint
        assert puller.leftovers() == []
    registry.put_image("z", "1", [BASE])
    assert (await puller("z:1")).layers
    puller.database.close()
