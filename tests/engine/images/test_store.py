"""Names, IDs, removal by Docker's rules, local images, garbage, and what a crash of the machine leaves."""

from __future__ import annotations

import gzip
import io
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import AmbiguousName, BadImage, Conflict, InvalidInput, NotFound, StoreError, VerificationFailed
from engine.images import blobs, durability, gc, store
from engine.images.layout import add_image
from engine.models import Image, Removed
from engine.settings import Settings
from engine.state import events
from engine.state.database import Database
from tests.support.layers import LayerTar

BASE = LayerTar().directory("etc").file("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n").build()
TOP = LayerTar().file("top", b"top").build()


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    database = Database(settings.database)
    yield database
    database.close()


class Store:
    """The functions under test on one root, for short tests."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.settings, self.database = settings, database

    def add(self, reference: str, *layers: bytes, **config: object) -> Image:
        document = {"config": config, "created": "2024-05-06T07:08:09.5Z"}
        return add_image(self.settings, self.database, document, [io.BytesIO(layer) for layer in layers], reference)

    def image(self, text: str) -> Image:
        return store.image(self.settings, self.database, text)

    def remove(self, text: str, *, force: bool = False) -> list[Removed]:
        return store.remove(self.settings, self.database, text, force=force)

    def tag(self, text: str, name: str) -> None:
        store.tag(self.settings, self.database, text, name)

    def digest(self, image: Image, reference: str) -> None:
        """As if it had been pulled."""
        with self.database.transaction() as connection:
            connection.execute("INSERT INTO image_digests VALUES (?, ?)", (reference, image.id))

    def use(self, image: Image, container_id: str, created: float = 0) -> None:
        with self.database.transaction() as connection:
            connection.execute(
                "INSERT INTO containers"
                " (id, name, image, image_id, command, options, created, stop_signal, stop_timeout)"
                " VALUES (?, ?, '', ?, '[]', '{}', ?, '', 0)",
                (container_id, container_id, image.id, created),
            )

    def forget(self, container_id: str) -> None:
        with self.database.transaction() as connection:
            connection.execute("DELETE FROM containers WHERE id = ?", (container_id,))

    def snapshots(self) -> list[str]:
        return sorted(
            path.name for path in self.settings.snapshots.iterdir() if path.name not in ("staging", durability.MARKS)
        )

    def settled(self) -> None:
        """Wait until the disk has everything, which a process in the background marks."""
        deadline = time.monotonic() + 30
        while self.database.query("SELECT 1 FROM snapshots WHERE boot != ''"):
            assert time.monotonic() < deadline
            durability.mend(self.settings, self.database)
            time.sleep(0.01)

    def crash(self, *snapshots: str) -> None:
        """As if the machine had gone down before these snapshots were on the disk."""
        self.settled()
        with self.database.transaction() as connection:
            for name in snapshots:
                connection.execute("UPDATE snapshots SET boot = 'an earlier boot' WHERE name = ?", (name,))


@pytest.fixture
def images(settings: Settings, database: Database) -> Store:
    return Store(settings, database)


@pytest.fixture
def no_containers(images: Store) -> Iterator[None]:
    """Rows of containers that never were are gone before the root is taken down."""
    yield
    with images.database.transaction() as connection:
        connection.execute("DELETE FROM containers")


# local images -------------------------------------------------------------------------------------
def test_an_image_made_here_is_a_true_one(images: Store, settings: Settings) -> None:
    image = images.add("demo:1", BASE, gzip.compress(TOP), Cmd=["sh"], Env=["A=b"], Labels={"x": "y"}, User="7")
    assert image.references == ("docker.io/library/demo:1",)
    assert (image.platform.os, image.created, image.size) == ("linux", 1714979289.5, 33)
    assert (image.config.cmd, image.config.env, image.config.labels, image.config.user) == (
        ("sh",),
        ("A=b",),
        {"x": "y"},
        "7",
    )
    assert image.config.entrypoint is None
    base, top = (Path(layer.snapshot) for layer in image.layers)
    assert (base / "etc/passwd").exists() and (top / "top").read_bytes() == b"top"
    config = json.loads(blobs.read(settings, image.id))
    assert config["rootfs"]["diff_ids"] == [layer.diff_id for layer in image.layers]
    manifest = json.loads(blobs.read(settings, image.manifest_digest))
    assert manifest["config"]["digest"] == image.id
    assert [layer["mediaType"][-7:] for layer in manifest["layers"]] == [".v1.tar", "ar+gzip"]
    assert manifest["layers"][1]["digest"] == image.layers[1].digest != image.layers[1].diff_id
    index = json.loads((settings.images / "index.json").read_text())
    assert index["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"] == "docker.io/library/demo:1"
    assert json.loads((settings.images / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}


def test_layers_may_come_from_paths_and_are_shared(images: Store, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "base.tar").write_bytes(BASE)
    first = add_image(settings, images.database, {}, [tmp_path / "base.tar"], "a")
    second = images.add("b", BASE, TOP)
    assert first.layers[0].snapshot == second.layers[0].snapshot
    assert len(images.snapshots()) == 2


def test_a_layer_that_occurs_twice_is_stacked_once_at_its_upper_place(images: Store) -> None:
    image = images.add("twice", TOP, BASE, TOP)
    assert len(image.layers) == 3
    assert store.lower_directories(image) == [image.layers[2].snapshot, image.layers[1].snapshot]


def test_unnamed_parents_take_their_attributes_from_below(images: Store) -> None:
    base = (
        LayerTar().directory("tmp", mode=0o1777).directory("opt", uid=5, gid=6, mode=0o750).directory("plain").build()
    )
    bare = LayerTar().file("tmp/x").file("opt/y").file("plain/z").build()
    image, alone = images.add("fitted", base, bare), images.add("alone", bare)
    fitted = Path(image.layers[1].snapshot)
    assert (fitted / "tmp").stat().st_mode & 0o7777 == 0o1777
    assert ((fitted / "opt").stat().st_uid, (fitted / "opt").stat().st_mode & 0o7777) == (5, 0o750)
    assert (Path(alone.layers[0].snapshot) / "tmp").stat().st_mode & 0o7777 == 0o755
    assert images.add("again", base, bare).layers[1].snapshot == image.layers[1].snapshot


@pytest.mark.parametrize(
    ("reference", "layer", "config", "error"),
    [
        ("UPPER", TOP, {}, InvalidInput),
        ("x@sha256:" + "0" * 64, TOP, {}, InvalidInput),
        ("x", b"no tar" * 100, {}, BadImage),
        ("x", TOP, {"Cmd": [1]}, BadImage),
        ("x", TOP, {"Labels": {"a": 1}}, BadImage),
    ],
    ids=["upper case", "digest", "no tar", "command", "labels"],
)
def test_what_cannot_be_an_image_leaves_nothing(
    images: Store, reference: str, layer: bytes, config: dict[str, object], error: type[Exception]
) -> None:
    with pytest.raises(error):
        images.add(reference, layer, **config)
    assert store.images(images.settings, images.database) == []
    staging = images.settings.snapshots / "staging"
    assert not staging.exists() or list(staging.iterdir()) == []


# finding ------------------------------------------------------------------------------------------
def test_an_image_is_found_by_every_name_docker_takes(images: Store) -> None:
    image = images.add("demo:1", TOP)
    images.digest(image, f"docker.io/library/demo@{image.manifest_digest}")
    hexadecimal = image.id.removeprefix("sha256:")
    for text in ("demo:1", "docker.io/library/demo:1", "library/demo:1", f"demo@{image.manifest_digest}", image.id,
                 hexadecimal, hexadecimal[:12], hexadecimal[:3], f"sha256:{hexadecimal[:8]}"):  # fmt: skip
        assert images.image(text).id == image.id


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nosuch", "No such image: nosuch:latest"),
        ("a.b/c:d", "No such image: a.b/c:d"),
        ("f" * 64, "No such image: ffff"),
    ],
)
def test_what_is_not_there_is_told_in_dockers_words(images: Store, text: str, words: str) -> None:
    with pytest.raises(NotFound, match=words):
        images.image(text)


def test_nonsense_is_no_reference(images: Store) -> None:
    with pytest.raises(InvalidInput, match="invalid reference format"):
        images.image("a:b:c")


def test_a_name_wins_over_an_id_and_a_short_prefix_may_be_ambiguous(images: Store) -> None:
    made = [images.add(f"n{number}", TOP, User=str(number)) for number in range(20)]
    digits = [image.id.removeprefix("sha256:")[0] for image in made]
    twice = next(digit for digit in digits if digits.count(digit) > 1)
    with pytest.raises(AmbiguousName, match="ambiguous"):
        images.image(twice)
    named = images.add(f"{twice}:latest", TOP, User="named")
    assert images.image(twice).id == named.id


def test_images_are_listed_newest_first_with_their_users(images: Store, no_containers: None) -> None:
    old, new = images.add("old", TOP, User="1"), images.add("new", TOP, User="2")
    with images.database.transaction() as connection:
        connection.execute("UPDATE images SET created = created + 5 WHERE id = ?", (new.id,))
    images.use(old, "c" * 64, created=1)
    images.use(old, "b" * 64, created=2)
    listed = store.images(images.settings, images.database)
    assert [(image.id, image.used_by) for image in listed] == [(new.id, ()), (old.id, ("b" * 64, "c" * 64))]


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("docker.io/library/redis:7", "redis:7"),
        ("redis", "redis"),
        ("redis:latest", "redis:latest"),
        ("docker.io/library/redis", "redis"),
        ("f" * 64, "f" * 64),
        ("localhost:5000/a/b:c", "localhost:5000/a/b:c"),
    ],
)
def test_typed_names_become_familiar(typed: str, shown: str) -> None:
    assert store.familiar(typed) == shown


# naming and removing ------------------------------------------------------------------------------
def test_a_name_moves_from_one_image_to_another_and_leaves_it_dangling(images: Store) -> None:
    first = images.add("x:1", TOP, User="1")
    second = images.add("x:1", TOP, User="2")
    assert images.image("x:1").id == second.id
    assert images.image(first.id).references == ()


def test_removing_one_of_several_names_only_untags(images: Store) -> None:
    image = images.add("a:1", BASE, TOP)
    images.tag("a:1", "b:2")
    assert images.remove("a:1") == [Removed(untagged="a:1")]
    assert images.image("b:2").id == image.id


def test_removing_the_last_name_deletes_image_layers_and_blobs(images: Store, settings: Settings) -> None:
    images.add("keep", BASE)
    image = images.add("a:1", BASE, TOP)
    images.digest(image, f"docker.io/library/a@{image.manifest_digest}")
    removed = images.remove("a:1")
    assert [bool(one.untagged) for one in removed] == [True, True, False, False]
    assert removed[1].untagged == f"a@{image.manifest_digest}"
    assert removed[2].deleted == image.id
    assert removed[3].deleted != image.layers[1].diff_id  # a chain ID, as in Docker
    assert not Path(image.layers[1].snapshot).exists() and Path(image.layers[0].snapshot).exists()
    assert len(images.snapshots()) == 1
    assert len(list((settings.images / "blobs/sha256").iterdir())) == 2


def test_removing_by_id_wants_force_if_there_are_names_in_several_repositories(images: Store) -> None:
    image = images.add("a:1", TOP)
    images.tag("a:1", "b:1")
    short = image.id.removeprefix("sha256:")[:12]
    words = rf"conflict: unable to delete {short} \(must be forced\) - image is referenced in multiple repositories"
    with pytest.raises(Conflict, match=words):
        images.remove(short)
    assert {one.untagged for one in images.remove(short, force=True)} >= {"a:1", "b:1"}
    assert images.snapshots() == []


def test_removing_by_id_takes_the_only_name_along(images: Store) -> None:
    image = images.add("a:1", TOP)
    assert [one.untagged or one.deleted for one in images.remove(image.id)][:2] == ["a:1", image.id]


def test_a_stopped_container_protects_its_image_until_force(images: Store, no_containers: None) -> None:
    image = images.add("a:1", TOP)
    images.use(image, "c" * 64)
    short = image.id.removeprefix("sha256:")[:12]
    with pytest.raises(Conflict) as by_name:
        images.remove("a:1")
    assert str(by_name.value) == (
        'conflict: unable to remove repository reference "a:1" (must force) - container cccccccccccc is using its'
        f" referenced image {short}"
    )
    with pytest.raises(
        Conflict, match=rf"{short} \(must be forced\) - image is being used by stopped container cccccccccccc"
    ):
        images.remove(short)
    assert images.remove("a:1", force=True) == [Removed(untagged="a:1"), Removed(deleted=image.id)]
    with pytest.raises(NotFound):
        images.image(image.id)
    assert store.image_of_container(images.settings, images.database, image.id).layers == image.layers
    assert Path(image.layers[0].snapshot).exists()
    images.forget("c" * 64)
    gc.collect(images.settings, images.database)
    assert images.snapshots() == [] and images.database.query("SELECT 1 FROM images") == []


def test_with_another_name_left_a_container_does_not_keep_a_name(images: Store, no_containers: None) -> None:
    image = images.add("a:1", TOP)
    images.tag("a:1", "b:1")
    images.use(image, "c" * 64)
    assert images.remove("b:1") == [Removed(untagged="b:1")]


def test_removals_are_told_in_the_event_stream(images: Store, settings: Settings) -> None:
    image = images.add("a:1", TOP)
    images.remove("a:1")
    with events.EventReader(str(settings.journal), 0) as reader:
        told = [(event.action, event.id, event.name) for event in reader.read()]
    assert told == [("import", image.id, "a:1"), ("untag", image.id, "a:1"), ("delete", image.id, image.id)]


# garbage and crashes ------------------------------------------------------------------------------
def test_what_dead_commands_left_behind_is_swept(images: Store, settings: Settings) -> None:
    image = images.add("a", TOP)
    (settings.snapshots / "0123456789ab/fs/deep").mkdir(parents=True)
    (settings.snapshots / "staging/dead/fs").mkdir(parents=True)
    (settings.images / "staging/x.new").write_bytes(b"half")
    (settings.images / "staging/sha256-1.partial").write_bytes(b"fresh")
    (settings.images / "blobs/sha256/abc").write_bytes(b"nobody's")
    (settings.snapshots / durability.MARKS).mkdir(exist_ok=True)
    (settings.snapshots / durability.MARKS / "stale").touch()
    with gc.pulling(settings):
        gc.collect(settings, images.database)
        assert (settings.snapshots / "staging/dead").exists()  # it may belong to the pull that runs
    gc.collect(settings, images.database)
    assert images.snapshots() == [Path(image.layers[0].snapshot).parent.name]
    assert list((settings.snapshots / "staging").iterdir()) == []
    assert [path.name for path in (settings.images / "staging").iterdir()] == ["sha256-1.partial"]
    assert len(list((settings.images / "blobs/sha256").iterdir())) == 2
    assert not (settings.snapshots / durability.MARKS / "stale").exists()


def test_a_damaged_blob_is_noticed(images: Store, settings: Settings) -> None:
    image = images.add("a", TOP)
    blobs.path(settings, image.id).write_bytes(b"{}")
    with pytest.raises(VerificationFailed):
        blobs.read(settings, image.id)


def test_what_was_on_the_disk_is_believed_after_a_crash(images: Store) -> None:
    image = images.add("a", BASE, TOP)
    images.settled()
    assert images.image("a").id == image.id
    assert list((images.settings.snapshots / durability.MARKS).iterdir()) == []


def test_what_was_not_on_the_disk_is_thrown_away_after_a_crash(images: Store) -> None:
    images.add("kept", BASE)
    image = images.add("lost", BASE, TOP)
    images.crash(Path(image.layers[1].snapshot).parent.name)
    sentences = durability.mend(images.settings, images.database)
    assert sentences == [
        "image docker.io/library/lost:latest: the machine went down before it was on the disk; pull it again"
    ]
    with pytest.raises(NotFound):
        images.image("lost")
    assert images.image("kept")
    gc.collect(images.settings, images.database)
    assert len(images.snapshots()) == 1


def test_a_damaged_image_with_a_container_is_repaired_in_place(images: Store, no_containers: None) -> None:
    image = images.add("a", TOP)
    images.use(image, "c" * 64)
    (Path(image.layers[0].snapshot) / "top").write_bytes(b"")
    images.crash(Path(image.layers[0].snapshot).parent.name)
    with pytest.raises(NotFound):
        images.image("a")
    with pytest.raises(StoreError, match="went down"):
        store.image_of_container(images.settings, images.database, image.id)
    repaired = images.add("a", TOP)
    assert repaired.layers == image.layers
    assert (Path(image.layers[0].snapshot) / "top").read_bytes() == b"top"
    assert store.image_of_container(images.settings, images.database, image.id)
