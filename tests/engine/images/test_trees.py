"""Deleting trees that others still change."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.images import trees


@pytest.fixture
def here(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "doomed/a/b").mkdir(parents=True)
    (tmp_path / "doomed/a/b/file").touch()
    (tmp_path / "doomed/link").symlink_to(tmp_path / "outside")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/kept").touch()
    fd = os.open(tmp_path, os.O_RDONLY)
    yield fd
    os.close(fd)


def test_a_tree_goes_whole_and_no_link_of_it_is_followed(here: int, tmp_path: Path) -> None:
    held = len(list(Path("/proc/self/fd").iterdir()))
    trees.remove_tree(here, "doomed")
    assert not (tmp_path / "doomed").exists()
    assert (tmp_path / "outside/kept").exists()
    assert len(list(Path("/proc/self/fd").iterdir())) == held


def test_the_way_up_out_of_a_directory_that_was_moved_is_not_taken(
    here: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would go on to delete in the place it was moved to."""
    unlink = os.unlink

    def moving(name: str, *, dir_fd: int) -> None:
        unlink(name, dir_fd=dir_fd)
        if name == "file":
            (tmp_path / "doomed/a/b").rename(tmp_path / "outside/b")

    monkeypatch.setattr(os, "unlink", moving)
    with pytest.raises(OSError, match="moved while it was walked"):
        trees.remove_tree(here, "doomed")
    assert sorted(path.name for path in (tmp_path / "outside").iterdir()) == ["b", "kept"]
