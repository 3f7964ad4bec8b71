"""Real images: their merged tree is the one umoci unpacks, to the last attribute.

`pytest tests/realworld` needs a registry with real images (REALWORLD_REGISTRY, by default 127.0.0.1:5000), skopeo and
umoci; it is no part of the default test paths.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.images import store
from engine.images.pull import pull
from engine.settings import Settings
from engine.state.database import Database

REGISTRY = os.environ.get("REALWORLD_REGISTRY", "127.0.0.1:5000")
IMAGES = ["busybox:1.35", "debian:bookworm", "redis:7", "nginx:1.22", "postgres:15", "python:3.11"]


@pytest.fixture
def merged(tmp_path: Path) -> Iterator[Path]:
    """Where the test mounts an overlay."""
    target = tmp_path / "merged"
    target.mkdir()
    yield target
    subprocess.run(["umount", str(target)], check=True)


@pytest.mark.parametrize("name", IMAGES)
def test_the_merged_tree_is_what_umoci_unpacks(name: str, settings: Settings, tmp_path: Path, merged: Path) -> None:
    reference = f"{REGISTRY}/library/{name}"
    database = Database(settings.database)
    image = asyncio.run(pull(settings, database, reference))
    lower = ":".join(store.lower_directories(image))
    # A single layer needs a second one beside it: overlayfs refuses to be read-only on one alone.
    (tmp_path / "empty").mkdir()
    options = f"ro,lowerdir={lower}:{tmp_path / 'empty'}"
    subprocess.run(["mount", "-t", "overlay", "-o", options, "overlay", str(merged)], check=True)
    oci, bundle = tmp_path / "oci", tmp_path / "bundle"
    copy = ["skopeo", "copy", "-q", "--insecure-policy", "--src-tls-verify=false"]
    subprocess.run([*copy, f"docker://{reference}", f"oci:{oci}:it"], check=True)
    subprocess.run(["umoci", "unpack", "--image", f"{oci}:it", str(bundle)], check=True, stderr=subprocess.DEVNULL)
    ours, theirs = tree(merged), tree(bundle / "rootfs")
    try:
        assert len(ours) > 300 or name.startswith("busybox")
        assert ours.keys() == theirs.keys()
        assert {path: (ours[path], theirs[path]) for path in ours if ours[path] != theirs[path]} == {}
    finally:
        shutil.rmtree(bundle)
        database.close()


def tree(root: Path) -> dict[str, tuple[object, ...]]:
    """Everything that can be seen of every file below `root`, hard links by the first name of their group."""
    found: dict[str, tuple[object, ...]] = {}
    first: dict[int, str] = {}
    for directory, names, files in os.walk(root):
        names.sort()
        for name in sorted((*names, *files)):
            path = Path(directory, name)
            relative = str(path.relative_to(root))
            status = path.lstat()
            content = ""
            if stat.S_ISREG(status.st_mode):
                with path.open("rb") as file:
                    content = hashlib.file_digest(file, "sha256").hexdigest()
            elif path.is_symlink():
                content = str(path.readlink())
            xattrs = {
                key: os.getxattr(path, key, follow_symlinks=False)
                for key in os.listxattr(path, follow_symlinks=False)
                if not key.startswith("trusted.overlay.")
            }
            group = first.setdefault(status.st_ino, relative) if status.st_nlink > 1 and not path.is_dir() else ""
            found[relative] = (
                *(oct(status.st_mode), status.st_uid, status.st_gid, status.st_rdev, content, xattrs, group),
                status.st_mtime_ns,
            )
    return found
