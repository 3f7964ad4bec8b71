"""`system check`: what is damaged or left over is found, named, and mended or put aside with the rest intact."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from engine.images import durability
from engine.linux import netlink
from engine.linux.netlink import Netlink
from engine.models import Image
from engine.network import nftables
from engine.runtime import cgroups
from engine.runtime.statefile import boot_id
from engine.settings import Settings
from engine.state.database import Database
from tests.conftest import SMALL, Command
from tests.engine.faults.leftovers import settled_leftovers
from tests.support.layers import LayerTar
from tests.support.registry import PutImage, RegistryServer

ORDER = b"Everything is in order.\n"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """With directories that others cannot enter, as an engine makes it."""
    for directory in (settings.root, settings.run):
        directory.mkdir(mode=0o700)
    return settings


@pytest.fixture
def registry() -> Iterator[RegistryServer]:
    with RegistryServer() as server:
        yield server


@pytest.fixture
def remote(registry: RegistryServer, pilothouse: Command) -> PutImage:
    """`shop/app:1`, pulled: two layers with a file each."""
    layers = [LayerTar().file(f"file{place}", bytes(range(256)) * 64).build() for place in range(2)]
    put = registry.put_image("shop/app", "1", layers)
    assert pilothouse("pull", "-q", f"{registry.host}/shop/app:1").returncode == 0
    return put


def layers_of(settings: Settings) -> list[Path]:
    with closing(sqlite3.connect(settings.database)) as connection:
        rows = connection.execute("SELECT snapshot FROM image_layers ORDER BY position").fetchall()
    return [settings.snapshots / row[0] for row in rows]


def lines(ended: subprocess.CompletedProcess[bytes]) -> list[str]:
    assert ended.stderr == b""
    return ended.stdout.decode().splitlines()


def look(settings: Settings, pilothouse: Command) -> subprocess.CompletedProcess[bytes]:
    """`system check --dry-run`, which must change nothing."""
    until_settled(settings)
    before = everything(settings)
    looked = pilothouse("system", "check", "--dry-run")
    after = everything(settings)
    changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    assert not changed
    return looked


def until_settled(settings: Settings) -> None:
    """Until the process that waits for the disk after a pull has left a mark for each new layer. Nothing tells when."""
    deadline = time.monotonic() + 30
    with closing(sqlite3.connect(settings.database)) as connection:
        try:
            rows = connection.execute("SELECT name FROM snapshots WHERE boot = ?", (boot_id(),)).fetchall()
        except sqlite3.DatabaseError:
            return  # damaged, by the test
    while not all((durability.marks(settings) / row[0]).exists() for row in rows):
        assert time.monotonic() < deadline, rows
        time.sleep(0.01)


def everything(settings: Settings) -> dict[str, object]:
    """All that the root and the run directory hold, and the rows of the database."""
    found: dict[str, object] = {}
    for top in (settings.root, settings.run):
        for path in (top, *top.rglob("*")):
            # but the check's own lock, and what SQLite makes for every reader
            if path.name != "system" and not path.name.startswith(f"{settings.database.name}-"):
                is_read = path.is_file() and path.name not in (settings.database.name, "netns")
                found[str(path)] = (path.lstat().st_mode, path.read_bytes() if is_read else b"")
    with closing(sqlite3.connect(settings.database)) as connection:
        try:
            found["rows"] = list(connection.iterdump())
        except sqlite3.DatabaseError as error:
            found["rows"] = str(error)
    return found


@pytest.mark.usefixtures("image")
def test_a_root_in_order_has_nothing_to_tell(settings: Settings, pilothouse: Command) -> None:
    pilothouse("ps")  # makes what every command makes in a new root
    assert look(settings, pilothouse).stdout == ORDER, "nor does it note what a layer holds, as the first check does"
    assert pilothouse("system", "check").stdout == ORDER  # an empty one
    pilothouse("run", "-d", "--name", "web", "-v", "data:/data", "-p", "0:80", SMALL, "sleep", "60")
    pilothouse("create", "--name", "other", SMALL, "true")
    for words in (("--dry-run",), (), ()):
        ended = pilothouse("system", "check", *words)
        assert (ended.returncode, ended.stdout) == (0, ORDER)


@pytest.mark.parametrize("way", ["changed", "added", "removed", "missing", "bit rot"])
def test_a_damaged_layer_is_named_and_pulled_again(
    settings: Settings, pilothouse: Command, remote: PutImage, registry: RegistryServer, way: str
) -> None:
    assert pilothouse("system", "check").stdout == ORDER
    lower, upper = layers_of(settings)
    files = [upper / "fs" / "file1"]
    if way in ("changed", "added"):  # as if there had been no check before: the time of the change tells
        (upper / "census").unlink()
        time.sleep(0.02)  # the kernel's clock for files has a coarse tick
    if way == "changed":
        files[0].write_bytes(b"something else")
    elif way == "added":
        (upper / "fs" / "intruder").write_bytes(b"")
    elif way == "removed":
        files[0].unlink()
    elif way == "missing":
        shutil.rmtree(upper)
    else:  # same size, same time
        before = files[0].stat()
        files[0].write_bytes(b"X" * before.st_size)
        os.utime(files[0], ns=(before.st_atime_ns, before.st_mtime_ns))
    looked = look(settings, pilothouse)
    assert looked.returncode == 1
    assert lines(looked)[0].startswith(f"image {registry.host}/shop/app:1: layer 2 of 2 ")
    assert "to be pulled again" in lines(looked)[0]
    mended = pilothouse("system", "check")
    assert (mended.returncode, lines(mended)[0].endswith("(pulled again)")) == (0, True), mended.stdout
    assert files[0].read_bytes() == bytes(range(256)) * 64
    assert not (upper / "fs" / "intruder").exists()
    assert (lower / "fs" / "file0").exists()
    assert pilothouse("system", "check").stdout == ORDER
    assert pilothouse("images", "-q").stdout.decode().split() == [remote.id[7:19]]
    assert settled_leftovers(settings) == []


def test_what_cannot_be_pulled_again_is_told_and_kept(
    settings: Settings, pilothouse: Command, remote: PutImage, registry: RegistryServer
) -> None:
    assert pilothouse("system", "check").stdout == ORDER
    upper = layers_of(settings)[1]
    (upper / "fs" / "file1").write_bytes(b"other")
    registry.faults.html("manifests")
    ended = pilothouse("system", "check", timeout=120)
    assert ended.returncode == 1
    assert "it could not be pulled again" in ended.stdout.decode()
    assert pilothouse("images", "-q").stdout.decode().split() == [remote.id[7:19]]
    assert (upper / "fs" / "file1").read_bytes() == b"other"
    with closing(Database(settings.database)) as database:
        assert not durability.is_damaged(database, remote.id), "it can be used as it is"


def test_a_missing_layer_is_told_on_use_and_by_a_check(settings: Settings, pilothouse: Command, image: Image) -> None:
    (layer,) = layers_of(settings)
    kept = settings.root / "kept"
    layer.rename(kept)
    ended = pilothouse("run", SMALL, "true")
    assert ended.returncode == 125
    assert f"a layer of image {image.id[7:19]} is missing" in ended.stderr.decode()
    told = look(settings, pilothouse).stdout.decode()
    assert f"image {SMALL}: layer 1 of 1 is missing (it is in no registry: make it again" in told
    kept.rename(layer)
    assert pilothouse("run", "--rm", SMALL, "true").returncode == 0


def test_configs_and_manifests_are_made_good(
    settings: Settings, pilothouse: Command, remote: PutImage, registry: RegistryServer
) -> None:
    blobs = settings.images / "blobs" / "sha256"
    for path in blobs.iterdir():
        path.write_bytes(path.read_bytes()[:-1] + b"~")
    assert look(settings, pilothouse).returncode == 1
    ended = pilothouse("system", "check")
    assert "its config is missing or damaged (restored from the database)" in ended.stdout.decode()
    assert "its manifest is missing or damaged (pulled again)" in ended.stdout.decode()
    with closing(sqlite3.connect(settings.database)) as connection, connection:
        connection.execute("UPDATE images SET config = '{\"os\": 5'")
    listed = pilothouse("images")
    assert listed.stderr.startswith(b"WARNING: the entry of image ")
    assert b"`pilothouse system check` restores it" in listed.stderr
    assert b"(restored from its config)" in look(settings, pilothouse).stdout
    assert b"(restored from its config)" in pilothouse("system", "check").stdout
    assert pilothouse("system", "check").stdout == ORDER
    assert pilothouse("images", "-q").stdout.decode().split() == [remote.id[7:19]]


@pytest.mark.usefixtures("image")
def test_a_damaged_row_is_put_aside_and_the_rest_works(settings: Settings, pilothouse: Command) -> None:
    for name in ("aa", "bb", "cc"):
        pilothouse("run", "--name", name, SMALL, "true")
    with closing(sqlite3.connect(settings.database)) as connection, connection:
        connection.execute("UPDATE containers SET options = '{\"ports\": [3' WHERE name = 'aa'")
        connection.execute("UPDATE containers SET image_id = 'sha256:gone' WHERE name = 'bb'")
    listed = pilothouse("ps", "-a", "--format", "{{.Names}}")
    assert (listed.returncode, listed.stdout) == (0, b"cc\nbb\n"), "the others can be used"
    told = b"the entry of container aa in the database is damaged"
    assert listed.stderr == b"WARNING: " + told + b": `pilothouse system check` puts it aside\n"
    assert b"Error: " + told in pilothouse("start", "aa").stderr
    assert pilothouse("start", "-a", "cc").returncode == 0
    looked = look(settings, pilothouse).stdout.decode()
    assert looked.endswith("nothing was changed.\n")
    assert not (settings.root / "aside").exists()
    told = pilothouse("system", "check").stdout.decode()
    assert "container aa: its entry in the database is damaged (put aside as aside/containers-" in told
    assert "container bb: it refers to one of images that is not there (put aside" in told
    assert pilothouse("ps", "-a", "--format", "{{.Names}}").stdout == b"cc\n"
    assert len(list((settings.root / "aside").iterdir())) == 2
    assert len(list(settings.containers.iterdir())) == 3, "the files may hold data"


@pytest.mark.usefixtures("image")
def test_a_container_that_runs_is_left_running_with_its_network_when_its_row_is_damaged(
    settings: Settings, pilothouse: Command
) -> None:
    assert pilothouse("run", "-d", "--name", "web", "-p", "0:80", SMALL, "sleep", "60").returncode == 0
    link = pilothouse("exec", "web", "cat", "/sys/class/net/eth0/carrier").stdout
    with closing(sqlite3.connect(settings.database)) as connection, connection:
        (whole,) = connection.execute("SELECT options FROM containers").fetchone()
        connection.execute("UPDATE containers SET options = '{'")
    with Netlink(netlink.NETFILTER) as netfilter:
        nftables.commit(netfilter, [nftables.delete_table(settings.nft_table)])
        assert b"the entry of container web in the database is damaged" in pilothouse("ps").stderr
        assert nftables.table_comment(netfilter, settings.nft_table), "its network is mended as another's is"
    with closing(sqlite3.connect(settings.database)) as connection, connection:
        connection.execute("UPDATE containers SET options = ?", (whole,))
    assert pilothouse("ps", "--format", "{{.Names}}").stdout == b"web\n"
    assert pilothouse("exec", "web", "cat", "/sys/class/net/eth0/carrier").stdout == link == b"1\n"
    assert b"80/tcp -> " in pilothouse("port", "web").stdout
    assert pilothouse("rm", "-f", "web").returncode == 0


@pytest.mark.usefixtures("image")
def test_a_damaged_database_is_salvaged(settings: Settings, pilothouse: Command) -> None:
    for place in range(30):
        with closing(sqlite3.connect(settings.database)) as connection, connection:
            connection.execute("INSERT INTO volumes (name, created) VALUES (?, 0)", (f"v{place}",))
    pilothouse("create", "--name", "box", "-l", f"text={'x' * 3000}", SMALL, "true")
    with closing(sqlite3.connect(settings.database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'port_mappings'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with settings.database.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    failed = pilothouse("ps", "-a")
    assert failed.stderr.startswith(b"Error: cannot use the database ")
    assert b"it is damaged" in look(settings, pilothouse).stdout
    told = pilothouse("system", "check").stdout.decode()
    assert "carried " in told
    assert "rows over into a new one; the damaged one is state.db.damaged-" in told
    assert pilothouse("ps", "-a", "--format", "{{.Names}}").stdout == b"box\n"
    assert pilothouse("start", "-a", "box").returncode == 0
    assert pilothouse("system", "check").stdout == ORDER


@pytest.mark.usefixtures("image")
def test_an_index_that_leads_astray_is_made_anew(settings: Settings, pilothouse: Command) -> None:
    pilothouse("create", "--name", "needle-a", SMALL, "true")
    with closing(sqlite3.connect(settings.database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        asked = "SELECT rootpage FROM sqlite_master WHERE name = 'sqlite_autoindex_containers_2'"
        (page,) = connection.execute(asked).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    content = bytearray(settings.database.read_bytes())
    content[content.index(b"needle-a", (page - 1) * size) + 7] = ord("b")
    settings.database.write_bytes(content)
    assert pilothouse("inspect", "needle-a").returncode == 1
    told = pilothouse("system", "check").stdout.decode()
    assert "missing from index" in told and "rows over into a new one" in told
    assert pilothouse("inspect", "needle-a").returncode == 0
    assert pilothouse("system", "check").stdout == ORDER


def test_a_file_that_is_no_database_gives_way_to_a_new_one(settings: Settings, pilothouse: Command) -> None:
    settings.database.write_bytes(b"nonsense" * 1000)
    assert b"carried 0 rows over" in pilothouse("system", "check").stdout
    assert pilothouse("ps").returncode == 0


@pytest.mark.usefixtures("image")
def test_what_has_no_owner_goes_unless_it_may_hold_data(settings: Settings, pilothouse: Command) -> None:
    pilothouse("run", "-d", "--name", "web", "-v", "data:/data", SMALL, "sleep", "60")
    stray = "f" * 64
    cgroups.create(f"{settings.cgroup_parent}/{stray}", {})
    (settings.containers / stray / "upper").mkdir(parents=True)
    (settings.containers / stray / "upper" / "file").write_bytes(b"precious")
    (settings.containers / ("e" * 64) / "rootfs").mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "x", settings.containers / ("e" * 64) / "rootfs"], check=True)
    for name in ("upper", "log"):  # as a power cut leaves a container that was just being made
        (settings.containers / ("d" * 64) / name).mkdir(parents=True)
    (settings.snapshots / "unknown" / "fs").mkdir(parents=True)
    (settings.volumes / "lost" / "_data").mkdir(parents=True)
    settings.root.chmod(0o755)
    for path in settings.containers.glob("*"):
        if path.name not in (stray, "e" * 64, "d" * 64):
            web = path
    created = pilothouse("create", "--name", "hollow", SMALL, "true").stdout.decode().strip()
    (settings.container_dir(created) / "upper").rmdir()
    pilothouse("create", "-v", "gone:/data", SMALL, "true")
    shutil.rmtree(settings.volumes / "gone")
    looked = look(settings, pilothouse)
    told = looked.stdout.decode()
    for words in (
        f"cgroup {settings.cgroup_parent}/{stray}: belongs to no running container (to be removed)",
        f"directory {settings.containers / stray}: no container has this ID (it may hold data: look, and remove it",
        f"directory {settings.containers / ('d' * 64)}: no container has this ID (to be removed)",
        "/rootfs: belongs to no running container (to be removed)",
        "volume gone: its files are gone (made anew, empty)",
        "volume lost: the database does not know it (entered again)",
        "others than root can enter it (mode 755)",
        "container hollow: its upper is gone with what it had written (made anew, empty)",
    ):
        assert words in told, words
    assert cgroups.pids(f"{settings.cgroup_parent}/{stray}") == []
    assert (settings.snapshots / "unknown").exists()
    mended = pilothouse("system", "check")
    assert mended.returncode == 1, "the directory with data is left"
    assert "volume lost" in mended.stdout.decode()
    assert (settings.containers / stray / "upper" / "file").read_bytes() == b"precious"
    assert not (settings.snapshots / "unknown").exists()
    assert not (settings.containers / ("d" * 64)).exists()
    assert pilothouse("start", "-a", "hollow").returncode == 0
    assert pilothouse("ps", "-q").stdout.decode().strip() == web.name[:12]
    for path in settings.containers.glob("[ef]" * 64):
        subprocess.run(["rm", "-r", path], check=True)
    assert pilothouse("system", "check").stdout == ORDER
    assert settled_leftovers(settings) == []


def test_two_checks_at_once_do_not_mend_the_same(settings: Settings, pilothouse: Command) -> None:
    from engine.state.locks import lock

    with lock(settings, "system", "check"):
        ended = pilothouse("system", "check")
    assert (ended.returncode, ended.stdout) == (1, b"")
    assert b"in use by another command" in ended.stderr
