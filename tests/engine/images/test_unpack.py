"""Layers into snapshots: what a real layer holds arrives whole, and what a hostile one tries stays inside."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import BadImage, StoreError
from engine.images.tar import TarReader
from engine.images.unpack import MAX_DEPTH, MAX_DEVICES, Unpacked, clean, unpack
from tests.support.layers import END, SOME_TIME, LayerTar, header, padded

OPAQUE = "trusted.overlay.opaque"
CAPABILITY = bytes.fromhex("0100000200040000000000000000000000000000")  # cap_net_bind_service=ep


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    """An empty snapshot beside a file that nothing may touch."""
    (tmp_path / "outside").write_text("untouched")
    (tmp_path / "fs").mkdir()
    return tmp_path / "fs"


def unpacked(layer: LayerTar | bytes, snapshot: Path) -> Unpacked:
    data = layer if isinstance(layer, bytes) else layer.build()
    return unpack(TarReader([data]), str(snapshot))


def is_whiteout(path: Path) -> bool:
    status = path.lstat()
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def tree(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


# what real layers hold ----------------------------------------------------------------------------
def test_files_keep_content_mode_owner_and_time(snapshot: Path) -> None:
    result = unpacked(
        LayerTar()
        .directory("usr", mode=0o2751, uid=7, gid=8, mtime=1_600_000_000.5)
        .file("usr/tool", b"x" * 3000, mode=0o4755, uid=1000, gid=70000)
        .symlink("usr/link", "tool", uid=5, gid=6)
        .file("empty"),
        snapshot,
    )
    tool, link, usr = ((snapshot / name).lstat() for name in ("usr/tool", "usr/link", "usr"))
    assert (snapshot / "usr/tool").read_bytes() == b"x" * 3000
    assert (stat.S_IMODE(tool.st_mode), tool.st_uid, tool.st_gid) == (0o4755, 1000, 70000)
    assert tool.st_mtime_ns == link.st_mtime_ns == int(SOME_TIME * 100) * 10**7
    assert ((snapshot / "usr/link").readlink(), link.st_uid, link.st_gid) == (Path("tool"), 5, 6)
    assert (stat.S_IMODE(usr.st_mode), usr.st_uid, usr.st_gid, usr.st_mtime) == (0o2751, 7, 8, 1_600_000_000.5)
    assert (result.size, result.entries, result.implied) == (3000, 4, [])


def test_a_file_in_a_set_group_id_directory_keeps_its_own_group(snapshot: Path) -> None:
    unpacked(LayerTar().directory("d", mode=0o2775, gid=50).file("d/f", gid=0).directory("d/e"), snapshot)
    assert (snapshot / "d/f").stat().st_gid == 0
    assert stat.S_IMODE((snapshot / "d/e").stat().st_mode) == 0o755


def test_the_callers_umask_does_not_matter(snapshot: Path) -> None:
    before = os.umask(0o077)
    try:
        unpacked(LayerTar().directory("d", mode=0o777).file("d/f", mode=0o666).fifo("p", mode=0o666), snapshot)
    finally:
        os.umask(before)
    assert [stat.S_IMODE((snapshot / name).stat().st_mode) for name in ("d", "d/f", "p")] == [0o777, 0o666, 0o666]


def test_the_root_may_have_attributes(snapshot: Path) -> None:
    unpacked(LayerTar().directory("./", mode=0o700, uid=3).file("./a"), snapshot)
    assert (stat.S_IMODE(snapshot.stat().st_mode), snapshot.stat().st_uid) == (0o700, 3)
    assert tree(snapshot) == ["a"]


def test_file_capabilities_and_user_attributes_survive(snapshot: Path) -> None:
    xattrs = {"security.capability": CAPABILITY, "user.note": b"\xff\x01"}
    unpacked(
        LayerTar().file("ping", b"elf", uid=9, mode=0o755, xattrs=xattrs).directory("d", xattrs={"user.d": b"1"}),
        snapshot,
    )
    assert os.getxattr(snapshot / "ping", "security.capability") == CAPABILITY
    assert os.getxattr(snapshot / "ping", "user.note") == b"\xff\x01"
    assert os.getxattr(snapshot / "d", "user.d") == b"1"


def test_hard_links_share_their_file(snapshot: Path) -> None:
    layer = (
        LayerTar()
        .directory("a")
        .file("a/one", b"1")
        .directory("b")
        .hard_link("b/two", "a/one")
        .hard_link("./a/three", "/a/one")
    )
    unpacked(layer.symlink("s", "x").hard_link("t", "s").hard_link("a/one", "a/one"), snapshot)
    assert len({(snapshot / name).stat().st_ino for name in ("a/one", "b/two", "a/three")}) == 1
    assert (snapshot / "t").readlink() == Path("x")


def test_devices_and_fifos_are_made(snapshot: Path) -> None:
    unpacked(LayerTar().device("null", 1, 3, mode=0o666).device("disk", 8, 1, block=True).fifo("pipe"), snapshot)
    null, disk = (snapshot / "null").stat(), (snapshot / "disk").stat()
    assert stat.S_ISCHR(null.st_mode) and null.st_rdev == os.makedev(1, 3) and stat.S_IMODE(null.st_mode) == 0o666
    assert stat.S_ISBLK(disk.st_mode) and disk.st_rdev == os.makedev(8, 1)
    assert stat.S_ISFIFO((snapshot / "pipe").stat().st_mode)


def test_sparse_files_stay_sparse(snapshot: Path, tmp_path: Path) -> None:
    source = tmp_path / "sparse"
    with source.open("wb") as file:
        file.write(b"start")
        file.seek(50 << 20)
        file.write(b"end")
        file.truncate(60 << 20)
    data = subprocess.run(["tar", "-cS", "-C", str(tmp_path), "sparse"], check=True, capture_output=True).stdout
    result = unpacked(data, snapshot)
    assert (snapshot / "sparse").read_bytes() == source.read_bytes()
    assert (snapshot / "sparse").stat().st_blocks * 512 < 1 << 20
    assert result.size == 60 << 20


def test_names_may_be_long_and_need_not_be_utf_8(snapshot: Path) -> None:
    directory = b"/".join([b"d" * 100] * 20)
    unpacked(LayerTar().file(directory + b"/" + b"n" * 255, b"far").file(b"caf\xe9"), snapshot)
    assert os.fsdecode(b"caf\xe9") in tree(snapshot)
    assert next(path for path in snapshot.rglob("n*")).read_bytes() == b"far"


@pytest.mark.parametrize(
    ("name", "path"),
    [
        (b"/etc/passwd", b"etc/passwd"),
        (b"./a", b"a"),
        (b"a/./b//c/", b"a/b/c"),
        (b"a/../b", b"b"),
        (b"/../../a", b"a"),
        (b".", b""),
        (b"./", b""),
        (b"/", b""),
        (b"..a/b..", b"..a/b.."),
        (b".wh.x", b".wh.x"),
        (b"a/...", b"a/..."),
    ],
)
def test_names_are_cleaned_as_go_cleans_paths(name: bytes, path: bytes) -> None:
    assert clean(name) == path


def test_a_later_entry_replaces_an_earlier_one(snapshot: Path) -> None:
    layer = LayerTar().file("a", b"1").file("a", b"2").symlink("b", "a").file("b", b"file").directory("c").file("c/x")
    layer.symlink("c", "a").file("d").directory("d").file("d/y").directory("d", mode=0o700).fifo("b").device("a", 1, 3)
    unpacked(layer.file("a", b"last"), snapshot)
    assert (snapshot / "a").read_bytes() == b"last"
    assert stat.S_ISFIFO((snapshot / "b").lstat().st_mode)
    assert (snapshot / "c").is_symlink()
    assert tree(snapshot / "d") == ["y"]
    assert stat.S_IMODE((snapshot / "d").stat().st_mode) == 0o700


def test_missing_parents_are_made_and_told(snapshot: Path) -> None:
    result = unpacked(LayerTar().file("opt/app/x").file("named/y").directory("named"), snapshot)
    assert result.implied == [b"opt", b"opt/app"]
    assert stat.S_IMODE((snapshot / "opt").stat().st_mode) == 0o755


# whiteouts ----------------------------------------------------------------------------------------
def test_whiteouts_become_overlayfs_ones(snapshot: Path) -> None:
    unpacked(LayerTar().whiteout("gone").directory("d").opaque("d").file("d/.wh..wh.plnk").whiteout("e/f"), snapshot)
    assert is_whiteout(snapshot / "gone") and is_whiteout(snapshot / "e/f")
    assert os.getxattr(snapshot / "d", OPAQUE) == b"y"
    assert tree(snapshot) == ["d", "e", "e/f", "gone"]


def test_a_whiteout_hides_lower_layers_and_nothing_of_its_own(snapshot: Path) -> None:
    layer = LayerTar().file("kept", b"k").whiteout("kept").whiteout("back").file("back", b"b")
    layer.directory("d").file("d/own").whiteout("d").whiteout("e").directory("e").whiteout("f").file("f/own")
    unpacked(layer, snapshot)
    assert (snapshot / "kept").read_bytes() == b"k" and (snapshot / "back").read_bytes() == b"b"
    for name in "def":  # the lower directory must not shine through
        assert os.getxattr(snapshot / name, OPAQUE) == b"y"
    assert (snapshot / "d/own").exists() and (snapshot / "f/own").exists()


@pytest.fixture
def merged(tmp_path: Path) -> Iterator[Path]:
    """Where a test may mount an overlay."""
    target = tmp_path / "merged"
    target.mkdir()
    yield target
    subprocess.run(["umount", str(target)], check=True)


def test_stacked_snapshots_are_what_a_plain_overlay_mount_shows(tmp_path: Path, merged: Path) -> None:
    layers = [
        LayerTar()
        .directory("d")
        .file("d/a", b"low")
        .file("d/b")
        .directory("o")
        .file("o/old")
        .file("x")
        .symlink("l", "d"),
        LayerTar()
        .directory("d")
        .file("d/a", b"high")
        .whiteout("d/b")
        .directory("o")
        .opaque("o")
        .file("o/new")
        .whiteout("x"),
        LayerTar().file("d/c").file("top"),
    ]
    for number, layer in enumerate(layers):
        (tmp_path / str(number)).mkdir()
        unpacked(layer, tmp_path / str(number))
    lower = ":".join(str(tmp_path / str(number)) for number in reversed(range(len(layers))))
    subprocess.run(["mount", "-t", "overlay", "-o", f"ro,lowerdir={lower}", "overlay", str(merged)], check=True)
    assert tree(merged) == ["d", "d/a", "d/c", "l", "o", "o/new", "top"]
    assert (merged / "d/a").read_bytes() == b"high"


# hostile ones -------------------------------------------------------------------------------------
def test_absolute_names_and_links_stay_inside(snapshot: Path) -> None:
    layer = LayerTar().file("/abs").directory("//etc").symlink("etc/out", "/").file("etc/out/tmp/x", b"in")
    unpacked(layer.symlink("up", "../../..").file("up/y", b"in"), snapshot)
    assert (snapshot / "tmp/x").read_bytes() == b"in"
    assert (snapshot / "y").read_bytes() == b"in"
    assert (snapshot.parent / "outside").read_text() == "untouched"
    assert {path.name for path in snapshot.parent.iterdir()} == {"fs", "outside"}


def test_parents_that_are_links_are_followed_as_in_a_chroot(snapshot: Path) -> None:
    layer = (
        LayerTar().directory("usr").directory("usr/lib").symlink("lib", "usr/lib").symlink("abs", "/usr/./lib/../lib")
    )
    layer.symlink("chain", "abs/../lib").file("lib/1").file("abs/2").file("chain/3").symlink("dangling", "new/place")
    layer.file("dangling/4").symlink("usr/rel", "../lib/sub").file("usr/rel/5").directory("lib/dir", mode=0o711)
    unpacked(layer, snapshot)
    assert tree(snapshot / "usr/lib") == ["1", "2", "3", "dir", "sub", "sub/5"]
    assert (snapshot / "new/place/4").exists()
    assert stat.S_IMODE((snapshot / "usr/lib/dir").stat().st_mode) == 0o711


def test_a_file_that_replaces_a_link_is_not_written_through_it(snapshot: Path) -> None:
    outside = snapshot.parent / "outside"
    layer = LayerTar().symlink("l", str(outside)).file("l", b"evil").symlink("m", "../outside").file("m", b"evil")
    unpacked(layer.symlink("n", str(outside)).directory("n"), snapshot)
    assert outside.read_text() == "untouched"
    assert (snapshot / "l").read_bytes() == b"evil" and (snapshot / "n").is_dir()


def test_a_directory_swapped_for_a_link_takes_no_attributes_outside(snapshot: Path) -> None:
    parent = snapshot.parent
    before = stat.S_IMODE(parent.stat().st_mode)
    unpacked(LayerTar().directory("d", mode=0o777).file("d/x").symlink("d", ".."), snapshot)
    assert stat.S_IMODE(parent.stat().st_mode) == before
    assert (snapshot / "d").is_symlink()


def test_overlayfs_is_not_spoken_to_by_a_layer(snapshot: Path) -> None:
    xattrs = {"trusted.overlay.redirect": b"/etc", "user.overlay.opaque": b"y", "trusted.overlay.opaque": b"y"}
    unpacked(LayerTar().directory("d", xattrs=xattrs).file("f", xattrs=xattrs), snapshot)
    assert not any("overlay" in name for entry in ("d", "f") for name in os.listxattr(snapshot / entry))


DEEP = b"/".join([b"d"] * (MAX_DEPTH + 2))


@pytest.mark.parametrize(
    ("layer", "word"),
    [
        (LayerTar().file("../evil"), "outside"),
        (LayerTar().file("a/../../evil"), "outside"),
        (LayerTar().file("ok").hard_link("l", "../../etc/passwd"), "outside"),
        (LayerTar().hard_link("l", "/etc/passwd"), "does not hold"),
        (LayerTar().symlink("out", "../..").hard_link("l", "out/outside"), "does not hold"),
        (LayerTar().directory("d").hard_link("l", "d"), "directory"),
        (LayerTar().hard_link("l", "."), "root"),
        (LayerTar().symlink("a", "b").symlink("b", "a").file("a/x"), "circles"),
        (LayerTar().file("f").file("f/x"), "as a directory"),
        (LayerTar().file("."), "root"),
        (LayerTar().file("d/.wh."), "whiteout"),
        (LayerTar().file("d/.wh..."), "whiteout"),
        (LayerTar().file("d/.wh.."), "whiteout"),
        (LayerTar().file("n" * 256), "too long"),
        (LayerTar().symlink("l", "t" * 5000), "too long"),
        (LayerTar().file(DEEP), "deep"),
        (header(b"dev", b"3", device=(5000, 1)) + END, "range"),
        (header(b"l", b"2") + END, "link to nothing"),
        (b"".join(header(b"n%d" % n, b"6") for n in range(MAX_DEVICES + 1)), "device nodes"),
        (padded(b"<html>not found</html>"), "no tar"),
    ],
    ids=lambda value: value if isinstance(value, str) else "layer",
)
def test_what_a_hostile_layer_tries_is_refused(snapshot: Path, layer: LayerTar | bytes, word: str) -> None:
    with pytest.raises(BadImage, match=word):
        unpacked(layer, snapshot)
    assert (snapshot.parent / "outside").read_text() == "untouched"
    assert {path.name for path in snapshot.parent.iterdir()} == {"fs", "outside"}


def test_an_error_names_the_entry_without_control_sequences(snapshot: Path) -> None:
    with pytest.raises(BadImage) as caught:
        unpacked(LayerTar().file("f").file("f/\x1b[31mred"), snapshot)
    assert "\\x1b[31mred" in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_a_full_disk_is_told_as_one(tmp_path: Path) -> None:
    (tmp_path / "small").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path / "small")], check=True)
    try:
        with pytest.raises(StoreError, match="No space left") as caught:
            unpacked(LayerTar().file("big", bytes(4 << 20)), tmp_path / "small")
        assert "free some space" in caught.value.hint
    finally:
        subprocess.run(["umount", str(tmp_path / "small")], check=True)
