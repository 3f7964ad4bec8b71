"""Volumes on disk and in the database, and mounts as config.json takes them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.containers import volumes
from engine.errors import Conflict, InvalidInput, NotFound
from engine.models import Image, ImageConfig, Layer, Mount, Platform
from engine.settings import Settings
from engine.state.database import Database

BOX, OTHER = "a" * 64, "b" * 64


@pytest.fixture
def place(tmp_path: Path) -> Settings:
    return Settings(tmp_path / "root", tmp_path / "run")


@pytest.fixture
def rows(place: Settings) -> Iterator[Database]:
    database = Database(place.database)
    with database.transaction() as connection:
        connection.execute(
            "INSERT INTO images (id, manifest_digest, os, architecture, pulled, size, config) "
            "VALUES ('i', 'm', 'linux', 'amd64', 0, 0, '{}')"
        )
        for container in (BOX, OTHER):
            connection.execute(
                "INSERT INTO containers "
                "(id, name, image, image_id, command, options, created, stop_signal, stop_timeout)"
                " VALUES (?, ?, 'x', 'i', '[]', '{}', 0, 'SIGTERM', 10)",
                (container, container),
            )
    yield database
    database.close()


def image(*layers: Path, declared: tuple[str, ...] = ()) -> Image:
    return Image(
        "sha256:i",
        "sha256:m",
        (),
        (),
        Platform("linux", "amd64"),
        0,
        0,
        ImageConfig(volumes=declared),
        tuple(Layer("", "", 0, 0, str(layer)) for layer in layers),
    )


@pytest.fixture
def layers(tmp_path: Path) -> list[Path]:
    """Lowest first: the upper one hides a file and changes another."""
    low, high = tmp_path / "low", tmp_path / "high"
    (low / "data/sub").mkdir(parents=True)
    (low / "data/kept").write_text("kept")
    (low / "data/hidden").write_text("hidden")
    (low / "data/sub/changed").write_text("old")
    os.chown(low / "data/kept", 5, 6)
    (low / "data/kept").chmod(0o4750)
    os.utime(low / "data/kept", (1000, 2000))
    os.link(low / "data/kept", low / "data/twin")
    (low / "data/link").symlink_to("/etc/passwd")
    (high / "data/sub").mkdir(parents=True)
    (high / "data/sub/changed").write_text("new")
    os.mknod(high / "data/hidden", 0o20000, 0)
    os.chown(high / "data", 70, 71)
    (high / "data").chmod(0o2770)
    return [low, high]


def test_an_empty_volume_takes_over_what_the_image_has_there(place, rows, layers):
    (mount,) = volumes.create(place, rows, BOX, [Mount("volume", "/data", "store")], image(*layers))
    content = Path(mount.source)
    assert content == place.volumes / "store/_data"
    assert sorted(entry.name for entry in content.iterdir()) == ["kept", "link", "sub", "twin"]
    assert (content / "sub/changed").read_text() == "new"
    kept, top = (content / "kept").stat(), content.stat()
    assert (kept.st_uid, kept.st_gid, kept.st_mode & 0o7777, kept.st_mtime) == (5, 6, 0o4750, 2000)
    assert (top.st_uid, top.st_gid, top.st_mode & 0o7777) == (70, 71, 0o2770)
    assert (content / "link").readlink() == Path("/etc/passwd")
    assert kept.st_ino == (content / "twin").stat().st_ino
    assert [entry.name for entry in content.parent.iterdir()] == ["_data"]


def test_a_volume_with_content_is_left_as_it_is(place, rows, layers):
    mounts = [Mount("volume", "/data", "store")]
    (mount,) = volumes.create(place, rows, BOX, mounts, image())
    Path(mount.source, "mine").write_text("mine")
    volumes.create(place, rows, OTHER, mounts, image(*layers))
    assert [entry.name for entry in Path(mount.source).iterdir()] == ["mine"]


def test_nocopy_leaves_a_volume_empty(place, rows, layers):
    (mount,) = volumes.create(place, rows, BOX, [Mount("volume", "/data", "s1", options=("nocopy",))], image(*layers))
    assert list(Path(mount.source).iterdir()) == []


def test_a_volume_over_a_file_is_refused(place, rows, layers):
    with pytest.raises(InvalidInput, match="cannot mount volume over existing file, file exists /data/kept"):
        volumes.create(place, rows, BOX, [Mount("volume", "/data/kept", "store")], image(*layers))


def test_the_images_volumes_are_anonymous_unless_covered_and_found_again(place, rows):
    mounts = [Mount("tmpfs", "/b/")]
    made = volumes.create(place, rows, BOX, mounts, image(declared=("/a", "/b")))
    assert [(mount.destination, mount.kind) for mount in made] == [("/b", "tmpfs"), ("/a", "volume")]
    assert volumes.resolve(place, BOX, mounts, ImageConfig(volumes=("/a", "/b"))) == made
    assert len(made[1].volume) == 64
    assert volumes.effective(BOX, mounts, ImageConfig(volumes=("/a", "/b")))[1].source == made[1].volume


def test_anonymous_volumes_go_with_their_container_and_named_ones_stay(place, rows):
    mounts = [Mount("volume", "/named", "named"), Mount("volume", "/anonymous")]
    named, anonymous = volumes.create(place, rows, BOX, mounts, image())
    volumes.remove_anonymous(place, rows, BOX)
    volumes.remove_anonymous(place, rows, BOX)
    assert Path(named.source).is_dir()
    assert not Path(anonymous.source).parent.exists()
    assert list(volumes.names(rows)) == ["named"]
    assert [entry.name for entry in place.volumes.iterdir()] == ["named"]


def test_an_anonymous_volume_stays_until_the_last_container_that_has_it_goes(place, rows):
    (mount,) = volumes.create(place, rows, BOX, [Mount("volume", "/data")], image())
    Path(mount.source, "file").write_text("precious")
    with rows.transaction() as connection:
        connection.execute("INSERT INTO container_volumes (container_id, volume) SELECT ?, name FROM volumes", (OTHER,))
    volumes.remove_anonymous(place, rows, BOX)
    assert Path(mount.source, "file").read_text() == "precious"
    volumes.remove_anonymous(place, rows, OTHER)
    assert list(place.volumes.iterdir()) == []


def test_clearing_up_after_a_killed_command_takes_what_is_half_made_and_keeps_the_data(place, rows):
    (mount,) = volumes.create(place, rows, BOX, [Mount("volume", "/data", "named")], image())
    Path(mount.source, "file").write_text("precious")
    for clear_up in (lambda: volumes.clear_up(place, rows, "named"), lambda: volumes.sweep(place)):
        (place.volumes / "named" / "_staging" / "half").mkdir(parents=True)
        clear_up()
        assert Path(mount.source, "file").read_text() == "precious"
        assert not (place.volumes / "named" / "_staging").exists()
    with rows.transaction() as connection:
        connection.execute("DELETE FROM containers WHERE id = ?", (BOX,))
        connection.execute("DELETE FROM volumes")
    volumes.clear_up(place, rows, "named")
    assert list(place.volumes.iterdir()) == [], "a removal that had begun is finished"


def test_a_volume_in_use_is_not_removed(place, rows):
    volumes.create(place, rows, BOX, [Mount("volume", "/named", "named")], image())
    with pytest.raises(Conflict, match="volume is in use"):
        volumes.remove(place, rows, "named")
    with rows.transaction() as connection:
        connection.execute("DELETE FROM containers WHERE id = ?", (BOX,))
    volumes.remove(place, rows, "named")
    assert list(place.volumes.iterdir()) == []
    with pytest.raises(NotFound):
        volumes.remove(place, rows, "named")


@pytest.mark.parametrize("name", ["..", "a/b", "../x", "a", "-ab", "ab\n"])
def test_a_name_never_becomes_a_path(place, name):
    with pytest.raises(InvalidInput, match="invalid characters"):
        volumes.data_directory(place, name)


@pytest.mark.parametrize("target", ["relative", "", "/", "/..", "/a/../..", "/a\0b"])
def test_a_hostile_target_is_refused(place, target):
    with pytest.raises(InvalidInput):
        volumes.resolve(place, BOX, [], ImageConfig(volumes=(target,)))


def test_two_mounts_at_one_place_are_refused(place):
    with pytest.raises(InvalidInput, match="Duplicate mount point: /a"):
        volumes.resolve(place, BOX, [Mount("tmpfs", "/a"), Mount("bind", "/a/", "/tmp")], ImageConfig())


def test_a_missing_bind_source_is_made_for_v_and_refused_for_mount(place, tmp_path):
    source = str(tmp_path / "new/dir")
    with pytest.raises(InvalidInput, match="bind source path does not exist"):
        volumes.resolve(place, BOX, [Mount("bind", "/a", source)], ImageConfig())
    (mount,) = volumes.resolve(place, BOX, [Mount("bind", "/a", source, True, ("create", "rslave"))], ImageConfig())
    assert Path(source).is_dir()
    assert mount.options == ("rbind", "ro", "rslave")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((), ("noexec", "nosuid", "nodev", "rprivate")),
        (("exec", "size=1m"), ("nosuid", "nodev", "rprivate", "exec", "size=1m")),
        (("mode=700", "ro"), ("noexec", "nosuid", "nodev", "rprivate", "mode=700", "ro")),
    ],
)
def test_tmpfs_options_take_back_the_defaults(place, given, expected):
    (mount,) = volumes.resolve(place, BOX, [Mount("tmpfs", "/a", options=given)], ImageConfig())
    assert mount.options == expected


@pytest.mark.parametrize("option", ["foo=1", "bar", "size="])
def test_an_unknown_tmpfs_option_is_refused(place, option):
    with pytest.raises(InvalidInput, match="invalid tmpfs option"):
        volumes.resolve(place, BOX, [Mount("tmpfs", "/a", options=(option,))], ImageConfig())


def test_what_a_layer_has_hidden_is_not_there_for_a_volume(place, rows, layers, tmp_path):
    top = tmp_path / "top"
    top.mkdir()
    os.mknod(top / "data", 0o20000, 0)
    (mount,) = volumes.create(place, rows, BOX, [Mount("volume", "/data", "store")], image(*layers, top))
    assert list(Path(mount.source).iterdir()) == []
