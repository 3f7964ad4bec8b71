"""The engine where this machine's root directory is a chroot, as in a debootstrap tree."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from engine.settings import Settings
from tests.conftest import PROJECT, SMALL, environment

# Runs in a mount namespace of its own: every directory of / bound into one that is no mount point, then chroot.
SCRIPT = """
import os, sys
from engine.linux import mounts, namespaces
root, words = sys.argv[1], sys.argv[2:]
namespaces.unshare(namespaces.CLONE_NEWNS)
mounts.set_propagation_of_all(mounts.MS_PRIVATE)
for entry in os.scandir("/"):
    place = os.path.join(root, entry.name)
    if entry.is_symlink():
        os.symlink(os.readlink(entry.path), place)
    elif entry.is_dir():
        os.mkdir(place)
        mounts.attach(mounts.clone_tree(mounts.AT_FDCWD, entry.path, recursive=True), os.open(place, os.O_PATH))
os.chroot(root)
os.chdir("/")
os.execv(sys.executable, [sys.executable, "-m", "engine.cli.main", *words])
"""


@pytest.mark.usefixtures("image")
def test_in_a_chroot_containers_run_and_see_nothing_but_their_own_root(settings: Settings, tmp_path: Path) -> None:
    number = 0

    def pilothouse(*words: str) -> subprocess.CompletedProcess[str]:
        nonlocal number
        number += 1
        root = tmp_path / str(number)
        root.mkdir()
        command = [sys.executable, "-c", SCRIPT, str(root), *words]
        done = subprocess.run(
            command, env=environment(settings), cwd=PROJECT, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done

    look = "ls /; ls /proc/1/root/"
    inside = pilothouse("run", "--rm", SMALL, "sh", "-c", look).stdout
    assert inside.split() == "bin dev etc lib lib64 proc root sbin sys tmp usr var".split() * 2
    pilothouse("run", "-d", "--name", "web", SMALL, "sleep", "60")
    assert pilothouse("exec", "web", "sh", "-c", look).stdout == inside
    pilothouse("create", "--name", "resting", "-v", "data:/data", SMALL, "true")
    for box in ("web", "resting"):
        pilothouse("cp", "/etc/passwd", f"{box}:/copied")
        pilothouse("cp", f"{box}:/copied", f"/tmp/{tmp_path.name}")
        copied = Path("/tmp", tmp_path.name)
        assert copied.read_bytes() == Path("/etc/passwd").read_bytes()
        copied.unlink()
    pilothouse("cp", "/etc/passwd", "resting:/data/")
    assert (settings.volumes / "data" / "_data" / "passwd").exists()
    pilothouse("rm", "-f", "web")
