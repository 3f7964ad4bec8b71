"""Paths under another's control."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.linux import paths


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "root/inner/deep").mkdir(parents=True)
    (tmp_path / "secret").write_text("outside")
    (tmp_path / "root/secret").write_text("inside")
    fd = os.open(tmp_path / "root", os.O_PATH)
    yield fd
    os.close(fd)


def content(root: int, path: str) -> str:
    with open(paths.open_in_root(root, path, os.O_RDONLY)) as file:
        return file.read()


def test_every_way_out_leads_back_into_the_root(root: int, tmp_path: Path) -> None:
    inside = tmp_path / "root"
    (inside / "absolute").symlink_to("/secret")
    (inside / "inner/climbing").symlink_to("../../../../secret")
    for path in ("/secret", "../secret", "/../../secret", "absolute", "inner/climbing", "inner/deep/../../../secret"):
        assert content(root, path) == "inside"


def test_magic_links_are_not_followed(tmp_path: Path) -> None:
    slash = os.open("/", os.O_PATH)
    try:
        with pytest.raises(OSError, match="link that is not followed"):
            paths.open_in_root(slash, f"/proc/self/fd/{slash}/etc")
    finally:
        os.close(slash)


def test_missing_directories_are_made_inside_only(root: int, tmp_path: Path) -> None:
    (tmp_path / "root/out").symlink_to(tmp_path)
    (tmp_path / "root/dangling").symlink_to("/nowhere/at/all")
    os.close(paths.make_directories(root, "/a/b/../c"))
    assert (tmp_path / "root/a/c").is_dir()
    assert not (tmp_path / "root/a/b").exists()
    for path in ("/out/x", "/dangling", "/dangling/x"):
        with pytest.raises(FileNotFoundError):
            paths.make_directories(root, path)
    assert not (tmp_path / "x").exists()
    with pytest.raises(NotADirectoryError):
        paths.make_directories(root, "/secret/x")


def test_a_file_to_mount_on_is_made_with_its_directories(root: int, tmp_path: Path) -> None:
    fd = paths.make_file(root, "/new/place/file")
    assert os.path.samestat(os.fstat(fd), (tmp_path / "root/new/place/file").stat())
    assert not paths.is_directory(fd)
    os.close(fd)
    os.close(paths.make_file(root, "/secret"))
    assert (tmp_path / "root/secret").read_text() == "inside"


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("/", ("/", ".")),
        ("/a", ("/", "a")),
        ("/a/b", ("/a", "b")),
        ("/../a//./b/", ("/a", "b")),
        ("a/../b", ("/", "b")),
    ],
)
def test_splitting(path: str, parts: tuple[str, str]) -> None:
    assert paths.split(path) == parts
