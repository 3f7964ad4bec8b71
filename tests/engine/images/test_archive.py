"""`load` and `save`: every form of archive in, hostile ones refused, and archives out that come back as they were."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import io
import json
import os
import resource
import tarfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import zstandard

from engine.engine import Engine
from engine.errors import BadImage, EngineError, InvalidInput, NotFound, StoreError, Unsupported, VerificationFailed
from engine.images import archive, blobs, gc, store
from engine.images.layout import add_image
from engine.images.load import load
from engine.images.save import save
from engine.images.unpack import OPAQUE_XATTR
from engine.models import Image, Loaded, Progress
from engine.settings import Settings
from engine.state import events
from engine.state.database import Database
from tests.support.layers import LayerTar

BASE = LayerTar().directory("etc").file("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n").file("etc/old").build()
TOP = LayerTar().directory("etc").whiteout("etc/old").file("top", b"top").build()
NAME = "localhost/made:1"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    database = Database(settings.database)
    yield database
    database.close()


def digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def blob_name(content: bytes) -> str:
    return f"blobs/sha256/{hashlib.sha256(content).hexdigest()}"


def config_of(*layers: bytes, **more: object) -> bytes:
    rootfs = {"type": "layers", "diff_ids": [digest(layer) for layer in layers]}
    return json.dumps(
        {"architecture": "amd64", "os": "linux", "config": {"Cmd": ["sh"]}, "rootfs": rootfs, **more}
    ).encode()


def tar_of(members: Mapping[str, bytes | str]) -> bytes:
    """Members in this order; a text is a symbolic link."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as made:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            if isinstance(content, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, content
                made.addfile(entry)
            else:
                entry.size = len(content)
                made.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def described(content: bytes, media_type: str) -> dict[str, object]:
    return {"mediaType": media_type, "digest": digest(content), "size": len(content)}


def layout_of(config: bytes, layers: list[bytes], names: list[str], suffix: str = "") -> dict[str, bytes | str]:
    """The members of an OCI layout, manifests last, as programs sort them."""
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "config": described(config, "application/vnd.oci.image.config.v1+json"),
            "layers": [described(layer, LAYER_TYPE + suffix) for layer in layers],
        }
    ).encode()
    entry = described(manifest, MANIFEST_TYPE)
    entries = [{**entry, "annotations": {"org.opencontainers.image.ref.name": name}} for name in names] or [entry]
    return {
        **{blob_name(content): content for content in (*layers, config, manifest)},
        "index.json": json.dumps({"schemaVersion": 2, "manifests": entries}).encode(),
        "oci-layout": b'{"imageLayoutVersion": "1.0.0"}',
    }


def docker_of(config: bytes, layers: list[bytes], names: list[str] | None) -> dict[str, bytes | str]:
    """The members of what `docker save` wrote before version 25."""
    paths = [f"{number:064x}/layer.tar" for number in range(len(layers))]
    members: dict[str, bytes | str] = {}
    for path, layer in zip(paths, layers, strict=True):
        members[path.replace("layer.tar", "VERSION")] = b"1.0"
        members[path] = layer
    name = digest(config).removeprefix("sha256:") + ".json"
    entry = {"Config": name, "RepoTags": names, "Layers": paths}
    return {**members, name: config, "manifest.json": json.dumps([entry]).encode()}


CONFIG = config_of(BASE, TOP)
LAYOUT = layout_of(CONFIG, [BASE, TOP], [NAME])
DOCKER = docker_of(CONFIG, [BASE, TOP], [NAME])


class Desk:
    """The functions under test on one root, for short tests."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.settings, self.database = settings, database

    def load(self, content: bytes, **options: str) -> list[Loaded]:
        return load(self.settings, self.database, iter([content]), **options)

    def save(self, *words: str) -> bytes:
        buffer = io.BytesIO()
        save(self.settings, self.database, words, buffer.write)
        return buffer.getvalue()

    def image(self, text: str) -> Image:
        return store.image(self.settings, self.database, text)

    def add(self, reference: str, *layers: bytes) -> Image:
        streams = [io.BytesIO(layer) for layer in layers]
        return add_image(self.settings, self.database, {"config": {"Cmd": ["sh"]}}, streams, reference)

    def is_untouched(self) -> bool:
        """Nothing is left of a load that failed."""
        staged = [*(self.settings.snapshots / "staging").glob("*"), *(self.settings.images / "staging").glob("*")]
        rows = self.database.query("SELECT name FROM snapshots")
        return not staged and not rows and store.images(self.settings, self.database) == []


@pytest.fixture
def desk(settings: Settings, database: Database) -> Desk:
    return Desk(settings, database)


def compressed(content: bytes, how: str) -> bytes:
    return {"plain": bytes, "gzip": gzip.compress, "zstd": zstandard.ZstdCompressor().compress}[how](content)


# forms --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("how", ["plain", "gzip", "zstd"])
@pytest.mark.parametrize("members", [LAYOUT, DOCKER, {**LAYOUT, **DOCKER}], ids=["oci", "docker", "hybrid"])
def test_each_form_in_each_compression_becomes_the_image_of_its_config(
    desk: Desk, members: dict[str, bytes | str], how: str
) -> None:
    assert desk.load(compressed(tar_of(members), how)) == [Loaded(digest(CONFIG), NAME)]
    image = desk.image(NAME)
    assert [layer.diff_id for layer in image.layers] == [digest(BASE), digest(TOP)]
    assert Path(image.layers[1].snapshot, "top").read_bytes() == b"top"
    assert image.config.cmd == ("sh",)
    event = events.history(str(desk.settings.journal), image.id)[-1]
    assert (event.action, event.name) == ("load", NAME)


@pytest.mark.parametrize("how", ["gzip", "zstd"])
def test_layers_may_be_compressed_within_and_are_checked_in_both_forms(desk: Desk, how: str) -> None:
    layers = [compressed(layer, how) for layer in (BASE, TOP)]
    assert desk.load(tar_of(layout_of(CONFIG, layers, [NAME], f"+{how}"))) == [Loaded(digest(CONFIG), NAME)]
    assert [layer.digest for layer in desk.image(NAME).layers] == [digest(layer) for layer in layers]


def test_layers_behind_links_are_found_as_podman_and_old_dockers_write_them(desk: Desk) -> None:
    members = docker_of(config_of(BASE, BASE), [BASE, BASE], [NAME])
    second = f"{1:064x}/layer.tar"
    assert members[second] == BASE
    members[second] = f"../{0:064x}/layer.tar"
    desk.load(tar_of(members))
    assert [layer.diff_id for layer in desk.image(NAME).layers] == [digest(BASE)] * 2


def test_an_image_without_a_name_is_told_by_its_id(desk: Desk) -> None:
    assert desk.load(tar_of(docker_of(CONFIG, [BASE, TOP], None))) == [Loaded(digest(CONFIG))]
    assert desk.load(tar_of(layout_of(CONFIG, [BASE, TOP], ["latest"]))) == [Loaded(digest(CONFIG))]  # a tag of what?


def test_a_name_is_taken_from_the_image_that_had_it_and_that_is_told(desk: Desk) -> None:
    before = desk.add(NAME, BASE)
    assert desk.load(tar_of(LAYOUT)) == [Loaded(digest(CONFIG), NAME, replaced=before.id)]
    assert desk.image(before.id).references == ()
    assert desk.load(tar_of(LAYOUT)) == [Loaded(digest(CONFIG), NAME)]  # its own name it keeps


def test_of_an_image_for_several_platforms_the_one_for_this_machine_is_taken(desk: Desk) -> None:
    other = config_of(BASE, architecture="s390x")
    ours, theirs = layout_of(CONFIG, [BASE, TOP], [NAME]), layout_of(other, [BASE], [NAME])
    entries = []
    for members, architecture in ((theirs, "s390x"), (ours, os.uname().machine.replace("x86_64", "amd64"))):
        (entry,) = json.loads(members["index.json"])["manifests"]
        entries.append({**entry, "platform": {"os": "linux", "architecture": architecture}})
    nested = json.dumps({"schemaVersion": 2, "manifests": entries}).encode()
    top = {**described(nested, "application/vnd.oci.image.index.v1+json"), "annotations": entries[0]["annotations"]}
    index = {"schemaVersion": 2, "manifests": [top]}
    content = tar_of({**theirs, **ours, blob_name(nested): nested, "index.json": json.dumps(index).encode()})
    assert desk.load(content) == [Loaded(digest(CONFIG), NAME)]
    assert desk.load(content, platform="linux/s390x")[0].image_id == digest(other)
    with pytest.raises(NotFound, match=r"no matching manifest for linux/386 in the archive: it has linux/s390x"):
        desk.load(content, platform="linux/386")


def test_directories_a_layer_does_not_name_take_after_the_layers_below_in_each_of_two_images(desk: Desk) -> None:
    sticky = LayerTar().directory("tmp", mode=0o1777).build()
    private = LayerTar().directory("tmp", mode=0o700).build()
    filled = LayerTar().file("tmp/file", b"x").build()
    first, second = config_of(sticky, filled), config_of(private, filled)
    members = docker_of(first, [sticky, filled], ["a:1"])
    more = docker_of(second, [private, filled], ["b:1"])
    more[f"{2:064x}/layer.tar"] = more.pop(f"{0:064x}/layer.tar")
    entries = json.loads(members.pop("manifest.json")) + json.loads(
        bytes(more.pop("manifest.json")).replace(b"0" * 64, b"%064x" % 2)  # type: ignore[arg-type]
    )
    desk.load(tar_of({**more, **members, "manifest.json": json.dumps(entries).encode()}))
    modes = [Path(desk.image(name).layers[1].snapshot, "tmp").stat().st_mode & 0o7777 for name in ("a:1", "b:1")]
    assert modes == [0o1777, 0o700]


def test_a_layer_that_the_store_has_is_not_unpacked_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.load(tar_of(LAYOUT))
    monkeypatch.setattr(archive, "unpack_stream", None)
    assert desk.load(tar_of(LAYOUT)) == [Loaded(digest(CONFIG), NAME)]


def test_progress_tells_how_much_of_the_file_is_read(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "made.tar"
    file.write_bytes(tar_of(LAYOUT))
    heard: list[Progress] = []
    load(desk.settings, desk.database, str(file), progress=heard.append)
    assert (heard[0].reference, heard[0].action, heard[0].total) == ("made.tar", "loading", file.stat().st_size)
    assert heard[-1].action == "done"


async def test_beside_an_event_loop_it_is_loaded_by_a_process_with_the_same_words(
    engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    file = tmp_path / "made.tar"
    file.write_bytes(tar_of(LAYOUT))
    heard: list[Progress] = []
    assert await engine.load(str(file), progress=heard.append) == [Loaded(digest(CONFIG), NAME)]
    assert (heard[0].action, heard[-1].action) == ("loading", "done")
    file.write_bytes(changed(LAYOUT, blob_name(CONFIG), CONFIG + b" "))
    with pytest.raises(VerificationFailed, match="does not have this digest"):
        await engine.load(str(file))
    with pytest.raises(NotFound, match=r"^open /nowhere: no such file or directory$"):
        await engine.load("/nowhere")


async def test_a_load_that_is_cancelled_is_killed_and_its_garbage_goes_with_the_next_collection(
    engine: Engine, desk: Desk, tmp_path: Path
) -> None:
    blobs.prepare(desk.settings)  # a collection wants that; the process may not have come so far
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    loading = asyncio.ensure_future(engine.load(str(pipe)))
    # opening it waits until the other end is open too
    with await asyncio.to_thread(pipe.open, "wb", buffering=0) as writing:
        await asyncio.to_thread(writing.write, tar_of(LAYOUT)[: len(BASE) + 1024])
        loading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await loading
        with pytest.raises(BrokenPipeError):
            writing.write(b"x")
    gc.collect(desk.settings, desk.database)
    assert desk.is_untouched()


# hostile and damaged ------------------------------------------------------------------------------
def changed(members: dict[str, bytes | str], name: str, content: bytes | str | None) -> bytes:
    made = {**members, name: content} if content is not None else {k: v for k, v in members.items() if k != name}
    return tar_of(made)  # type: ignore[arg-type]


def twice() -> bytes:
    buffer = io.BytesIO(tar_of(LAYOUT))
    with tarfile.open(fileobj=buffer, mode="a") as made:
        made.addfile(tarfile.TarInfo("index.json"))
    return buffer.getvalue()


FORGED = LayerTar().file("forged").build()
BAD = [
    (b"", BadImage, "empty"),
    (b"hello " * 200, BadImage, "no image archive"),
    (b"\xfd7zXZ\0" + bytes(600), Unsupported, "compressed with xz"),
    (tar_of({"a": b"x" * 2000}), BadImage, "neither index.json nor manifest.json"),
    (tar_of(DOCKER)[:3000], BadImage, "damaged or cut short"),
    (gzip.compress(tar_of(LAYOUT))[:-300], BadImage, "damaged or cut short"),
    (changed(LAYOUT, blob_name(TOP), FORGED), VerificationFailed, "does not have this digest"),
    (changed(LAYOUT, blob_name(TOP), b"x" * 2000), VerificationFailed, "does not have this digest"),
    (changed(LAYOUT, blob_name(CONFIG), CONFIG + b" "), VerificationFailed, "does not have this digest"),
    (changed(LAYOUT, blob_name(TOP), None), BadImage, "lacks the layer"),
    (changed(LAYOUT, blob_name(CONFIG), None), BadImage, "the archive lacks"),
    (changed(LAYOUT, "oci-layout", b'{"imageLayoutVersion": "2.0"}'), Unsupported, "version 2.0"),
    (changed(LAYOUT, "index.json", b"[1"), BadImage, "is not JSON"),
    (changed(LAYOUT, "index.json", b'{"schemaVersion": 2, "manifests": []}'), BadImage, "holds no image"),
    (changed(LAYOUT, "../../etc/passwd", b"x"), BadImage, "holds a file of the name"),
    (twice(), BadImage, "'index.json' twice"),
    (changed(DOCKER, f"{1:064x}/layer.tar", FORGED), VerificationFailed, "has the diff ID"),
    (changed(DOCKER, f"{1:064x}/layer.tar", "/etc/passwd"), BadImage, "lacks the layer"),
    (changed(DOCKER, f"{1:064x}/layer.tar", "layer.tar"), BadImage, "lacks the layer"),  # a link to itself
    (changed(DOCKER, "manifest.json", b'{"Config": 1}'), BadImage, "no list of images"),
    (changed(DOCKER, "manifest.json", b'[{"Config": "a", "Layers": [7]}]'), BadImage, "malformed"),
    (changed(DOCKER, "manifest.json", b"[" * 100_000), BadImage, "is not JSON"),
    (tar_of(docker_of(CONFIG, [BASE], [NAME])), BadImage, "has 1 layers"),
    (tar_of(docker_of(config_of(BASE, os="windows"), [BASE], [NAME])), Unsupported, "for 'windows'"),
    (tar_of(docker_of(CONFIG, [BASE, TOP], ["UPPER case"])), BadImage, "which is no name"),
    (tar_of({"repositories": b"{}"}), Unsupported, "before 1.10"),
]


@pytest.mark.parametrize(("content", "kind", "words"), BAD, ids=[words for _, _, words in BAD])
def test_a_bad_archive_is_told_in_one_sentence_and_leaves_nothing(
    desk: Desk, content: bytes, kind: type[EngineError], words: str
) -> None:
    with pytest.raises(kind, match=words) as raised:
        desk.load(content)
    assert "\n" not in raised.value.message
    assert desk.is_untouched()


def test_a_layer_that_leads_out_of_its_directory_is_refused(desk: Desk, tmp_path: Path) -> None:
    evil = LayerTar().file(f"../../../../../..{tmp_path}/escaped", b"x").build()
    with pytest.raises(BadImage, match="outside"):
        desk.load(tar_of(docker_of(config_of(evil), [evil], [NAME])))
    assert list(tmp_path.iterdir()) == [] and desk.is_untouched()


def test_a_file_beside_that_is_no_layer_harms_nothing(desk: Desk) -> None:
    assert desk.load(tar_of({"README": b"no layer " * 1000, **LAYOUT})) == [Loaded(digest(CONFIG), NAME)]


def test_more_documents_than_fit_in_memory_are_refused(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_DOCUMENTS", 100)
    with pytest.raises(BadImage, match="of documents"):
        desk.load(tar_of(LAYOUT))
    monkeypatch.setattr(archive, "MAX_MEMBERS", 2)
    monkeypatch.setattr(archive, "MAX_DOCUMENTS", 1 << 20)
    with pytest.raises(BadImage, match="more than 2 files"):
        desk.load(tar_of(LAYOUT))
    assert desk.is_untouched()


def test_a_load_that_is_broken_off_leaves_nothing(desk: Desk) -> None:
    whole = tar_of(LAYOUT)

    def broken() -> Iterator[bytes]:
        yield whole[: len(BASE) + 600]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load(desk.settings, desk.database, broken())
    assert desk.is_untouched()


def test_what_a_killed_load_had_staged_is_garbage_for_the_next_command(desk: Desk) -> None:
    pid = os.fork()
    if not pid:
        try:
            own = Database(desk.settings.database)

            def killed() -> Iterator[bytes]:
                yield tar_of(LAYOUT)[: len(BASE) + len(TOP) + 1500]
                os.kill(os.getpid(), 9)

            load(desk.settings, own, killed())
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -9
    assert not desk.is_untouched()
    gc.collect(desk.settings, desk.database)
    assert desk.is_untouched()


def test_a_missing_file_is_told_as_docker_tells_it(desk: Desk, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"^open /nowhere/x: no such file or directory$"):
        load(desk.settings, desk.database, "/nowhere/x")
    with pytest.raises(StoreError, match="is a directory"):
        load(desk.settings, desk.database, str(tmp_path))


# beside others ------------------------------------------------------------------------------------
def test_a_collection_while_a_load_waits_for_its_input_takes_nothing_from_it(desk: Desk) -> None:
    whole, go_on, waits = tar_of(LAYOUT), threading.Event(), threading.Event()

    def slow() -> Iterator[bytes]:
        yield whole[: len(BASE) + 1024]
        waits.set()
        assert go_on.wait(30)
        yield whole[len(BASE) + 1024 :]

    done: list[Loaded] = []

    def run() -> None:
        own = Database(desk.settings.database)
        done.extend(load(desk.settings, own, slow()))
        own.close()

    thread = threading.Thread(target=run)
    thread.start()
    assert waits.wait(30)
    gc.collect(desk.settings, desk.database, spare=0)
    go_on.set()
    thread.join()
    assert done == [Loaded(digest(CONFIG), NAME)]
    assert Path(desk.image(NAME).layers[1].snapshot, "top").exists()


def test_an_image_that_is_removed_while_it_is_saved_is_saved_whole_and_then_gone(desk: Desk) -> None:
    image = desk.add(NAME, BASE, TOP)
    written: list[bytes] = []

    def write(content: bytes) -> None:
        if not written:
            own = Database(desk.settings.database)
            store.remove(desk.settings, own, NAME)
            own.close()
        written.append(content)

    save(desk.settings, desk.database, [NAME], write)
    assert not Path(image.layers[0].snapshot).exists()
    assert desk.load(b"".join(written))[0].reference == NAME


# saving -------------------------------------------------------------------------------------------
ODD = (
    LayerTar()
    .directory("d", mode=0o1777, uid=7, gid=8)
    .file("d/caps", b"x", xattrs={"security.capability": b"\1\0\0\2\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0", "user.a": b"b"})
    .file("d/set", b"x", mode=0o4755, mtime=1_600_000_000)
    .hard_link("d/zlink", "d/set")
    .symlink("d/sym", "/no\u00efve/../where")
    .file("d/" + "long" * 40, b"l")
    .file(b"d/raw\xff", b"r")
    .device("d/null", 1, 3)
    .fifo("d/fifo")
    .directory("e")
    .opaque("e")
    .whiteout("gone")
    .build()
)


def described_tree(directory: str) -> list[tuple[object, ...]]:
    found: list[tuple[object, ...]] = []
    for one in sorted(Path(directory).rglob("*")):
        status = one.lstat()
        names = os.listxattr(one, follow_symlinks=False)
        attributes = {name: os.getxattr(one, name, follow_symlinks=False) for name in names}
        content: object = b""
        if one.is_symlink():
            content = one.readlink()
        elif one.is_file():
            content = one.read_bytes()
        owner = (status.st_uid, status.st_gid, status.st_mode, status.st_rdev)
        time = status.st_mtime_ns if status.st_rdev or not one.is_char_device() else 0  # a whiteout has none
        found.append((one.relative_to(directory), owner, time, status.st_nlink, attributes, content))
    return found


def test_what_comes_back_is_what_was_saved_down_to_links_owners_times_and_whiteouts(desk: Desk) -> None:
    before = described_tree(desk.add(NAME, BASE, ODD).layers[1].snapshot)
    assert os.getxattr(f"{desk.image(NAME).layers[1].snapshot}/e", OPAQUE_XATTR) == b"y"
    saved = desk.save(NAME)
    store.remove(desk.settings, desk.database, NAME)
    gc.collect(desk.settings, desk.database, spare=0)
    desk.load(saved)
    image = desk.image(NAME)
    assert described_tree(image.layers[1].snapshot) == before
    assert image.config.cmd == ("sh",)


def test_an_image_that_came_from_an_archive_of_ours_is_saved_as_the_same_bytes_under_the_same_id(desk: Desk) -> None:
    desk.add(NAME, BASE, ODD)
    saved = desk.save(NAME)
    (loaded,) = desk.load(saved)
    assert desk.save(NAME) == saved == desk.save(NAME)
    assert desk.image(NAME).id == loaded.image_id


def test_both_forms_in_the_archive_hold_the_same_image(desk: Desk) -> None:
    desk.add(NAME, BASE, TOP)
    with tarfile.open(fileobj=io.BytesIO(desk.save(NAME))) as saved:
        members = {member.name: saved.extractfile(member).read() for member in saved if member.isfile()}  # type: ignore[union-attr]
    assert all(name == blob_name(content) for name, content in members.items() if name.startswith("blobs/"))
    by_index = desk.load(tar_of({name: content for name, content in members.items() if name != "manifest.json"}))
    by_manifest = desk.load(tar_of({name: content for name, content in members.items() if name != "index.json"}))
    assert [one.image_id for one in (*by_index, *by_manifest)] == [desk.image(NAME).id] * 2


def test_a_name_without_a_tag_saves_every_tag_of_its_repository_and_an_id_saves_no_name(desk: Desk) -> None:
    image = desk.add("localhost/made:1", BASE)
    store.tag(desk.settings, desk.database, image.id, "localhost/made:2")
    desk.add("localhost/mader:1", TOP)
    assert [one.reference for one in desk.load(desk.save("localhost/made"))] == ["localhost/made:1", "localhost/made:2"]
    assert [one.reference for one in desk.load(desk.save("localhost/made:2"))] == ["localhost/made:2"]
    (unnamed,) = desk.load(desk.save(desk.image("localhost/made:1").id))
    assert unnamed.reference == ""
    both = desk.load(desk.save("localhost/made:1", "localhost/mader:1", "localhost/made:1"))
    assert [one.reference for one in both] == ["localhost/made:1", "localhost/mader:1"]


def test_an_unknown_image_is_told_before_anything_is_written(desk: Desk, tmp_path: Path) -> None:
    desk.add(NAME, BASE)
    with pytest.raises(NotFound, match="No such image: nosuch:latest"):
        save(desk.settings, desk.database, [NAME, "nosuch"], str(tmp_path / "x.tar"))
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_whole_or_not_there(desk: Desk, tmp_path: Path) -> None:
    desk.add(NAME, LayerTar().file("big", os.urandom(1 << 20)).build())
    target = tmp_path / "x.tar"
    target.write_bytes(b"before")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with pytest.raises(StoreError, match="File too large"):
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 19, hard))
            save(desk.settings, desk.database, [NAME], str(target))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in tmp_path.iterdir()] == ["x.tar"]
    assert target.read_bytes() == b"before"
    save(desk.settings, desk.database, [NAME], str(target))
    assert desk.load(target.read_bytes())[0].reference == NAME
    assert [path.name for path in tmp_path.iterdir()] == ["x.tar"]


def test_a_full_disk_is_told_in_one_sentence(desk: Desk) -> None:
    desk.add(NAME, BASE)
    with pytest.raises(StoreError, match=r"^cannot write /dev/full: No space left on device$"):
        save(desk.settings, desk.database, [NAME], "/dev/full")


def test_where_no_file_can_be_is_told_in_dockers_words(desk: Desk, tmp_path: Path) -> None:
    desk.add(NAME, BASE)
    with pytest.raises(InvalidInput, match="cannot write to a directory"):
        save(desk.settings, desk.database, [NAME], str(tmp_path))
    with pytest.raises(NotFound, match="invalid output path: stat /nowhere: no such file or directory"):
        save(desk.settings, desk.database, [NAME], "/nowhere/x.tar")
