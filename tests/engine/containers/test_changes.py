"""docker diff and reading files, on containers that did something to their files."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from engine.containers.changes import compare
from engine.errors import InvalidInput, NotFound
from engine.images.host import add_host_image
from engine.models import Change, RunOptions
from engine.state.database import Database

FILES = {"/data/kept": b"kept", "/data/gone": b"gone!", "/data/sub/a": b"a", "/old/one": b"1", "/old/two": b"22"}


@pytest.fixture
def files_image(settings):
    database = Database(settings.database)
    try:
        return add_host_image(settings, database, "localhost/files:1", python=False, files=FILES)
    finally:
        database.close()


async def ran(engine, script: str) -> str:
    options = RunOptions("localhost/files:1", ("sh", "-c", script), name="box", detach=True)
    container = await engine.run(options)
    assert await engine.wait("box") == 0
    return container.id


async def kinds(engine) -> dict[str, str]:
    return {change.path: change.kind for change in await engine.changes("box")}


async def test_a_container_that_wrote_nothing_has_no_changes(engine, files_image):
    await ran(engine, "true")
    assert await engine.changes("box") == []


async def test_added_changed_and_deleted_are_told_apart_with_their_sizes(engine, files_image):
    await ran(engine, "echo more >> /data/kept; rm /data/gone; mkdir /new; echo x > /new/file; ln -s /etc /new/link")
    assert await engine.changes("box") == [
        Change("/data", "C", is_directory=True),
        Change("/data/gone", "D", 5),
        Change("/data/kept", "C", 9),
        Change("/new", "A", is_directory=True),
        Change("/new/file", "A", 2),
        Change("/new/link", "A", target="/etc"),
    ]


async def test_a_deleted_directory_stands_for_what_was_in_it(engine, files_image):
    await ran(engine, "rm -rf /data/sub")
    assert await kinds(engine) == {"/data": "C", "/data/sub": "D"}


async def test_a_directory_made_anew_hides_what_the_image_had_in_it(engine, files_image):
    await ran(engine, "rm -r /old && mkdir /old && echo 1 > /old/one && echo 3 > /old/three")
    assert await kinds(engine) == {"/old": "C", "/old/one": "C", "/old/three": "A", "/old/two": "D"}


async def test_what_took_another_kinds_place_is_a_change(engine, files_image):
    await ran(engine, "rm -r /old /data/gone && echo file > /old && mkdir -p /data/gone/in")
    assert await kinds(engine) == {"/data": "C", "/data/gone": "C", "/data/gone/in": "A", "/old": "C"}


async def test_mount_points_of_the_engine_are_not_the_containers_doing(engine, files_image):
    await engine.run(RunOptions("localhost/files:1", ("sleep", "60"), name="box", detach=True))
    assert await engine.changes("box") == []


def test_links_and_depth_lead_nowhere(tmp_path: Path):
    upper, lower = tmp_path / "upper", tmp_path / "lower"
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").touch()
    upper.mkdir()
    (lower / "a").mkdir(parents=True)
    (lower / "a" / "link").symlink_to(tmp_path / "secret")
    (upper / "a").symlink_to(tmp_path / "secret")
    deep = os.open(upper, os.O_RDONLY)
    for _ in range(1500):  # deeper than recursion and descriptors reach
        os.mkdir("d" * 3, dir_fd=deep)
        below = os.open("d" * 3, os.O_RDONLY, dir_fd=deep)
        os.close(deep)
        deep = below
    os.close(deep)
    found = compare(str(upper), [str(lower)])
    assert found[0] == Change("/a", "C", target=str(tmp_path / "secret"))
    assert not any("key" in change.path for change in found)
    assert len(found) > 1000
    subprocess.run(["rm", "-rf", str(upper / "ddd")], check=True)  # shutil's path would be too long


async def test_a_file_is_read_while_the_container_runs_and_after(engine, files_image):
    command = (
        "sh",
        "-c",
        "echo changed > /data/kept; ln -s /data/kept /up; ln -s ../../../etc/hostname /out; sleep 60",
    )
    await engine.run(RunOptions("localhost/files:1", command, name="box", hostname="inside", detach=True))
    while "/out" not in await kinds(engine):
        continue
    for path, content in (("/data/kept", b"changed\n"), ("/up", b"changed\n"), ("/out", b"inside\n")):
        assert (await engine.read_file("box", path, limit=100)).content == content
    cut = await engine.read_file("box", "/data/kept", limit=3)
    assert (cut.content, cut.size) == (b"cha", 8)
    for path in ("/data", "/dev/null", "/proc/1/environ", "/dev/pts/ptmx"):
        with pytest.raises(InvalidInput):
            await engine.read_file("box", path, limit=10)
    await engine.stop("box", grace=0)
    assert (await engine.read_file("box", "/up", limit=100)).content == b"changed\n"
    assert (await engine.read_file("box", "/data/sub/a", limit=100)).content == b"a"
    with pytest.raises(NotFound):
        await engine.read_file("box", "/data/nothing", limit=10)
    with pytest.raises(InvalidInput):
        await engine.read_file("box", "/data", limit=10)
