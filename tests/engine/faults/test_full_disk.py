"""A disk that is full, out of inodes, read-only or of the wrong kind: one sentence, and what runs runs on."""

from __future__ import annotations

import contextlib
import itertools
import os
import select
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.containers.view import is_live
from engine.engine import Engine
from engine.images.host import add_host_image
from engine.linux import processes
from engine.models import LogQuery
from engine.runtime.status import read_state
from engine.settings import Settings
from engine.state import reserve
from engine.state.database import Database
from tests.conftest import SMALL, Command, _remove_everything
from tests.engine.faults.leftovers import settled_leftovers
from tests.engine.faults.test_bad_input import assert_one_sentence
from tests.support.layers import LayerTar
from tests.support.registry import RegistryServer

NextCommand = Callable[[], str]
STORE_MEBIBYTES = 40
EVERY_VERB = [
    ("create", SMALL),
    ("run", "-d", SMALL, "sleep", "60"),
    ("start", "new"),
    ("exec", "web", "true"),
    ("pause", "web"),
    ("unpause", "web"),
    ("rename", "new", "renamed"),
    ("publish", "web", "0:80"),
    ("restart", "-t", "0", "web"),
    ("kill", "spare"),
    ("logs", "web"),
    ("inspect", "web"),
    ("top", "web"),
    ("diff", "web"),
    ("stats", "--no-stream"),
    ("port", "web"),
    ("images",),
    ("rmi", SMALL),
    ("pull", "127.0.0.1:1/app"),
    ("info",),
    ("system", "df"),
    ("system", "check"),
    ("system", "boot"),
    ("image", "prune", "-f"),
    ("stop", "-t", "0", "spare"),
    ("wait", "spare"),
    ("rm", "spare"),
    ("container", "prune", "-f"),
]


@pytest.fixture
def store(settings: Settings) -> Iterator[Path]:
    """The root as a small file system of its own."""
    with mounted(settings, "tmpfs", f"size={STORE_MEBIBYTES}m,mode=700") as root:
        yield root


@contextmanager
def mounted(settings: Settings, kind: str, options: str) -> Iterator[Path]:
    settings.root.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", kind, "-o", options, kind, str(settings.root)], check=True)
    try:
        yield settings.root
    finally:
        _remove_everything(settings)
        subprocess.run(["umount", "-l", str(settings.root)], check=True)


@contextmanager
def full(root: Path, name: str = "filler") -> Iterator[None]:
    """Not a byte is free."""
    filler = root / name
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            try:
                while file.write(bytes(size)):
                    pass
            except OSError:
                continue
    try:
        yield
    finally:
        filler.unlink(missing_ok=True)


def kill_init(settings: Settings, container_id: str) -> None:
    """End a container from outside of the engine; returns when its monitor has ended too."""
    state = read_state(os.fspath(settings.container_dir(container_id)))
    monitor = processes.open_process(state["monitor_pid"], state["monitor_start_time"])
    os.kill(state["pid"], signal.SIGKILL)
    select.select([monitor], [], [])
    os.close(monitor)


def used(root: Path) -> int:
    return shutil.disk_usage(root).used


def add_image(settings: Settings) -> None:
    database = Database(settings.database)
    add_host_image(settings, database, SMALL, python=False)
    database.close()


@pytest.mark.parametrize("content", ["random", "zeros"])
def test_a_pull_that_fills_the_disk_says_so_and_gives_the_space_back(
    settings: Settings, store: Path, pilothouse: Command, registry: RegistryServer, content: str
) -> None:
    """Random bytes fill it while they are downloaded, zeros while they are unpacked."""
    size = (STORE_MEBIBYTES + 10) << 20
    registry.put_image(
        "shop/large", "1", [LayerTar().file("x", os.urandom(size) if content == "random" else bytes(size)).build()]
    )
    pilothouse("ps")
    before = used(store)
    told = pilothouse("pull", "-q", f"{registry.host}/shop/large:1")
    assert_one_sentence(told.stderr.lower(), "no space left on device", content)
    assert told.returncode == 1
    assert settled_leftovers(settings) == []
    assert used(store) - before < 1 << 20


def test_a_pull_that_runs_out_of_inodes_says_so_and_gives_them_back(
    settings: Settings, pilothouse: Command, registry: RegistryServer
) -> None:
    tar = LayerTar()
    for number in range(800):
        tar.file(f"file{number}")
    registry.put_image("shop/many", "1", [tar.build()])
    with mounted(settings, "tmpfs", "nr_inodes=400"):
        told = pilothouse("pull", "-q", f"{registry.host}/shop/many:1")
        assert_one_sentence(told.stderr.lower(), "no space left on device", "inodes")
        assert told.returncode == 1
        assert settled_leftovers(settings) == []


def test_without_inodes_a_run_says_so_and_what_runs_can_be_stopped_and_removed(
    settings: Settings, pilothouse: Command, next_command: NextCommand
) -> None:
    with mounted(settings, "tmpfs", "nr_inodes=2000,mode=700") as root:
        add_image(settings)
        assert pilothouse("run", "-d", "--name", "web", SMALL, "sleep", "60").returncode == 0
        (root / "many").mkdir()
        with contextlib.suppress(OSError):
            for number in itertools.count():
                (root / "many" / str(number)).touch()
        while (told := pilothouse("create", SMALL)).returncode == 0:
            continue  # of the few that were set aside
        assert_one_sentence(told.stderr.lower(), "no space left on device", "create")
        told = pilothouse("run", "--rm", SMALL, "true")
        assert_one_sentence(told.stderr.lower(), "no space left on device", "run")
        assert told.returncode == 125
        assert "web Up" in next_command()
        assert pilothouse("stop", "-t", "0", "web").returncode == 0
        assert "web Exited (137)" in next_command()
        assert pilothouse("rm", "web").returncode == 0
        assert pilothouse("container", "prune", "-f").returncode == 0
        shutil.rmtree(root / "many")
        assert pilothouse("run", "--rm", SMALL, "true").returncode == 0
        assert next_command() == ""


async def test_on_a_full_disk_containers_run_on_and_can_be_stopped_and_removed(
    settings: Settings, store: Path, pilothouse: Command, next_command: NextCommand
) -> None:
    add_image(settings)
    script = "i=0; while :; do i=$((i+1)); echo $i; sleep 0.01; done"
    for name in ("chatty", "other", "third"):
        assert pilothouse("run", "-d", "--name", name, SMALL, "sh", "-c", script).returncode == 0
    with full(store):
        assert next_command().count(" Up ") == 3
        assert pilothouse("stop", "-t", "0", "other").returncode == 0
        assert "other Exited (137)" in next_command()
        assert pilothouse("rm", "other").returncode == 0
        assert pilothouse("exec", "third", "echo", "hi").stdout == b"hi\n"
    async with Engine.open(settings) as engine:
        assert (await engine.container("chatty")).state == "running"
        async for _ in engine.logs("chatty", LogQuery(follow=True, tail=0)):
            break  # it logs again
    assert pilothouse("rm", "-f", "chatty", "third").returncode == 0
    assert next_command() == ""


def test_on_a_full_disk_every_verb_works_or_says_one_sentence(
    settings: Settings, store: Path, pilothouse: Command, next_command: NextCommand
) -> None:
    add_image(settings)
    for name in ("web", "spare"):
        assert pilothouse("run", "-d", "--name", name, SMALL, "sleep", "60").returncode == 0
    assert pilothouse("create", "--name", "new", SMALL, "sleep", "60").returncode == 0
    with full(store):
        pilothouse("ps")  # gives up the reserve
        with full(store, "more"):
            for words in EVERY_VERB:
                told = pilothouse(*words)
                if told.returncode:
                    text = told.stderr.decode().lower()
                    assert "space" in text or "disk" in text, (words, text)
                    assert "traceback" not in text and "unexpected" not in text, (words, text)
    assert "web Up" in next_command()
    assert pilothouse("rm", "-f", *pilothouse("ps", "-aq").stdout.decode().split()).returncode == 0
    assert next_command() == ""


def test_on_a_disk_without_even_a_reserve_every_verb_says_one_sentence_and_nothing_is_damaged(
    settings: Settings, store: Path, pilothouse: Command, next_command: NextCommand
) -> None:
    add_image(settings)
    assert pilothouse("run", "-d", "--name", "web", SMALL, "sleep", "60").returncode == 0
    mortal = pilothouse("run", "-d", "--name", "mortal", SMALL, "sleep", "60").stdout.decode().strip()
    shutil.rmtree(store / reserve.NAME)
    with full(store):
        kill_init(settings, mortal)
        for words in (("run", "--rm", SMALL, "true"), ("create", SMALL), ("ps", "-a"), ("stop", "web"), ("rmi", SMALL)):
            told = pilothouse(*words)
            assert_one_sentence(told.stderr, "check that the disk is neither full nor read-only", words)
            assert told.returncode == (125 if words[0] == "run" else 1)
    mortal, web = next_command().splitlines()
    assert mortal.startswith("mortal Exited (137)"), "its end is on record though there was no room"
    assert web.startswith("web Up")
    assert pilothouse("rm", "-f", "web", "mortal").returncode == 0
    assert (store / reserve.NAME / "0").stat().st_blocks * 512 == reserve.BYTES


def test_a_read_only_store_is_told_in_one_sentence_and_what_runs_runs_on(
    settings: Settings, store: Path, pilothouse: Command, next_command: NextCommand
) -> None:
    add_image(settings)
    name = pilothouse("run", "-d", SMALL, "sleep", "60").stdout.decode().strip()
    # laid over it, for a monitor has its log open for writing underneath
    subprocess.run(["mount", "--bind", str(store), str(store)], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", str(store)], check=True)
    try:
        for words in (
            ("ps",),
            ("run", "--rm", SMALL, "true"),
            ("stop", name),
            ("pull", "127.0.0.1:1/app"),
            ("rm", name),
        ):
            told = pilothouse(*words)
            assert told.returncode == (125 if words[0] == "run" else 1)
            assert_one_sentence(told.stderr, "read-only", words)
        assert is_live(settings, name)
    finally:
        subprocess.run(["umount", str(store)], check=True)
    assert " Up " in next_command()
    pilothouse("rm", "-f", name)


def test_a_store_that_cannot_be_the_upper_layer_of_an_overlay_is_named(
    settings: Settings, pilothouse: Command, next_command: NextCommand
) -> None:
    """As inside a container: the root lies on an overlay itself."""
    base = settings.root.parent
    for name in ("lower", "upper", "work"):
        (base / name).mkdir()
    with mounted(settings, "overlay", f"lowerdir={base}/lower,upperdir={base}/upper,workdir={base}/work"):
        add_image(settings)
        told = pilothouse("run", "--rm", SMALL, "true")
        assert_one_sentence(told.stderr, "overlay", "upper")
        assert told.returncode == 125
        assert next_command() == ""
