"""The power goes at some moment: whatever prefix of the writes has reached the disk, the store on it is in order.

The store is on a loop device whose file is on a file system that can be frozen: what is copied from it then is what a
disk would hold, cut off between two writes.
"""

from __future__ import annotations

import contextlib
import filecmp
import json
import os
import random
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from engine.images import blobs
from engine.settings import Settings
from tests.conftest import SMALL, environment

CUTS = int(os.environ.get("PILOTHOUSE_CUTS", "6"))
WORK = f"""
import itertools, subprocess, sys
from engine.images.host import add_host_image
from engine.settings import Settings
from engine.state.database import Database
settings = Settings.load()
def ph(*words):
    subprocess.run([sys.executable, "-m", "engine.cli.main", *words], stdout=subprocess.DEVNULL, check=True)
for number in itertools.count():
    database = Database(settings.database)
    add_host_image(settings, database, {SMALL!r}, files={{"/number": str(number).encode()}}, python=False)
    database.close()
    box = ("--network", "none", "--name", f"box{{number}}", "-v", "data:/data", {SMALL!r})
    ph("run", *box, "sh", "-c", "echo > /data/x")
    if number % 2:
        ph("rm", f"box{{number}}", f"box{{number - 1}}")
        ph("image", "prune", "-f")
    print(number, flush=True)
"""


def run(*words: str | Path) -> None:
    subprocess.run([str(word) for word in words], check=True, capture_output=True)


@contextlib.contextmanager
def mounted(image: Path, place: Path) -> Iterator[Path]:
    place.mkdir()
    run("mount", "-o", "loop,commit=1", image, place)
    try:
        yield place
    finally:
        unmounted(place)


def unmounted(place: Path, patience: float = 30) -> None:
    """Take a mount away once its last user is gone: nothing tells when that is, so this asks again and again."""
    deadline = time.monotonic() + patience
    while (ended := subprocess.run(["umount", place], capture_output=True)).returncode:
        assert time.monotonic() < deadline, (ended.stderr, users(place))
        time.sleep(0.05)


def users(place: Path) -> list[str]:
    """The processes that hold something below a mount."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        for link in (process / "cwd", process / "root", *(process / "fd").glob("*")):
            with contextlib.suppress(OSError):
                if (held := str(link.readlink())).startswith(f"{place}/"):
                    found.append(f"{process.name} {(process / 'cmdline').read_bytes()!r} {held}")
    return found


def made(image: Path, megabytes: int) -> Path:
    with image.open("wb") as file:
        file.truncate(megabytes << 20)
    run("mkfs.ext4", "-q", "-F", image)
    return image


def cut(disk: Path, outer: Path, copy: Path) -> None:
    """What is on the disk at this moment, between two writes."""
    run("fsfreeze", "-f", outer)
    try:
        run("cp", "--sparse=always", disk, copy)
    finally:
        run("fsfreeze", "-u", outer)


def of_another_boot(settings: Settings) -> None:
    """The machine came up again: what is written about the one before must not be taken for now."""
    with contextlib.suppress(sqlite3.OperationalError), closing(sqlite3.connect(settings.database)) as connection:
        with connection:
            connection.execute("UPDATE snapshots SET boot = 'before' WHERE boot <> ''")
    for path in settings.containers.glob("*/state.json"):
        with contextlib.suppress(ValueError):
            path.write_text(json.dumps({**json.loads(path.read_text()), "boot_id": "before"}))


def test_the_store_is_in_order_after_a_power_cut_at_any_moment(settings: Settings, tmp_path: Path) -> None:
    missing = [name for name in ("mkfs.ext4", "fsfreeze", "losetup") if shutil.which(name) is None]
    assert not missing, f"this test needs {missing} (Debian: e2fsprogs, util-linux, mount)"
    chance = random.Random(time.time_ns())
    with mounted(made(tmp_path / "outer.img", 700), tmp_path / "outer") as outer:
        disk = made(outer / "disk.img", 256)
        with mounted(disk, tmp_path / "inner") as inner:
            here = Settings.load(str(inner / "root"), str(settings.run / "at-work"))
            command = [sys.executable, "-c", WORK]
            worker = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment(here), start_new_session=True)
            try:
                assert worker.stdout is not None
                worker.stdout.readline()
                for number in range(CUTS):
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        worker.wait(chance.uniform(0.05, 1.5))
                    assert worker.poll() is None
                    cut(disk, outer, tmp_path / f"copy{number}.img")
            finally:
                os.killpg(worker.pid, signal.SIGKILL)  # with the command that it waits for, which works on the disk
                worker.wait()
                worker.stdout.close()
            shown = subprocess.run(
                [sys.executable, "-m", "engine.cli.main", "ps", "-a"], env=environment(here), capture_output=True
            )
            assert shown.returncode == 0
    survivors = 0
    for number in range(CUTS):
        with mounted(tmp_path / f"copy{number}.img", tmp_path / f"place{number}") as place:
            there = Settings.load(str(place / "root"), str(settings.run / f"after{number}"))
            of_another_boot(there)
            survivors += in_order(there, f"cut {number}")
    assert survivors, "no cut had anything on the disk yet"


def test_a_manifest_is_on_the_disk_before_it_has_its_name_and_its_name_before_anybody_relies_on_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the window between two writes is too short for the cuts above to show: the order of the calls themselves."""
    steps = []
    blobs.prepare(settings)
    fsync, rename = os.fsync, Path.rename

    def noted_fsync(fd: int) -> None:
        steps.append("directory" if stat.S_ISDIR(os.fstat(fd).st_mode) else f"{os.fstat(fd).st_size} bytes")
        fsync(fd)

    def noted_rename(path: Path, target: Path) -> Path:
        steps.append("rename")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "rename", noted_rename)
    blobs.write(settings, b"content")
    assert steps == ["7 bytes", "rename", "directory"]


def in_order(settings: Settings, where: str) -> int:
    """How many containers and images had survived."""

    def ph(*words: str) -> str:
        ended = subprocess.run(
            [sys.executable, "-m", "engine.cli.main", *words], env=environment(settings), capture_output=True
        )
        assert ended.returncode == 0, (where, words, ended.stdout, ended.stderr)
        return ended.stdout.decode()

    containers = ph("ps", "-a", "--format", "{{.Names}}").split()
    names = ph("images", "--format", "{{.Repository}}:{{.Tag}}").split()
    assert torn(settings) == [], where
    ph("system", "check")  # 0: whatever it found is mended
    assert ph("system", "check") == "Everything is in order.\n", where
    for name in names:
        if name == SMALL:
            assert ph("run", "--rm", "--network", "none", SMALL, "sh", "-c", "cat /number") >= "0"
    for name in containers:
        ph("rm", "-v", name)
    ph("system", "prune", "-af")
    assert ph("images", "-q") == ""
    return len(containers) + len(names)


def torn(settings: Settings) -> list[str]:
    """Files of layers that are believed, and are not what they were made from: this machine's own."""
    with closing(sqlite3.connect(settings.database)) as connection:
        rows = connection.execute("SELECT name FROM snapshots WHERE boot = ''").fetchall()
    found = []
    for (name,) in rows:
        top = settings.snapshots / name / "fs"
        for path in top.rglob("*"):
            original = Path("/", path.relative_to(top))
            is_ours = path.is_file() and not path.is_symlink() and str(original).startswith("/usr/")
            if is_ours and not filecmp.cmp(path, original, shallow=False):
                found.append(f"{path}: {path.stat().st_size} of {original.stat().st_size} bytes")
    return found


@pytest.fixture(autouse=True)
def _nothing_stays_mounted(tmp_path: Path) -> Iterator[None]:
    yield
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()
