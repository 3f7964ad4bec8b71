"""What takes room, what of it may go, and how much that wins."""

from __future__ import annotations

import io
from pathlib import Path

from engine.engine import Engine
from engine.images import blobs
from engine.images.layout import add_image
from engine.models import Change, Image, Mount, RunOptions
from engine.state.database import Database
from tests.support.layers import LayerTar

SMALL = "localhost/small:1"


def make(engine: Engine, reference: str, *tars: bytes) -> Image:
    database = Database(engine.settings.database)
    try:
        return add_image(engine.settings, database, {}, [io.BytesIO(tar) for tar in tars], reference)
    finally:
        database.close()


async def test_a_prune_of_shared_layers_wins_what_nothing_else_has(engine: Engine):
    base = LayerTar().file("base", b"b" * 5000).build()
    one = make(engine, "one:1", base, LayerTar().file("one", b"1" * 300).build())
    two = make(engine, "two:1", base, LayerTar().file("two", b"2" * 70).build())
    stock = await engine.stock()
    assert stock.size("image") == 5370
    assert stock.won([f"image:{one.id}"]) == 300
    assert stock.won([f"image:{one.id}", f"image:{two.id}"]) == 5370
    pruned = await engine.prune([f"image:{one.id}"])
    assert pruned.won == 300
    assert {removed.untagged for removed in pruned.images} >= {"one:1"}
    assert [image.id for image in await engine.images()] == [two.id]


async def test_what_is_in_use_stays_unless_its_users_go_too(engine: Engine, image: Image):
    running = await engine.run(RunOptions(SMALL, ("sleep", "100"), name="runs", detach=True))
    ended = await engine.create(RunOptions(SMALL, ("true",), name="ended"))
    keys = [f"container:{running.id}", f"container:{ended.id}", f"image:{image.id}"]
    stock = await engine.stock()
    assert [item.name for item in stock.gone(keys)] == ["ended"]
    pruned = await engine.prune(keys)
    assert pruned.containers == (ended.id,)
    assert not pruned.images and not pruned.problems
    await engine.stop("runs", grace=0)
    pruned = await engine.prune(keys)
    assert pruned.containers == (running.id,)
    assert pruned.images
    assert not (await engine.stock()).items


async def test_a_volume_goes_when_it_is_chosen_and_no_container_has_it(engine: Engine, image: Image):
    mounts = (Mount("volume", "/data", "kept"), Mount("volume", "/tmp/x"))
    one = await engine.run(RunOptions(SMALL, ("sh", "-c", "echo 12345 > /data/f"), name="one", mounts=mounts))
    await engine.wait("one")
    stock = await engine.stock()
    assert sorted((item.dangling, item.size) for item in stock.of("volume")) == [(False, 6), (True, 0)]
    assert stock.won(["volume:kept"]) == 0  # its user stays
    assert stock.won(["volume:kept", f"container:{one.id}"]) == 6
    pruned = await engine.prune(["volume:kept", f"container:{one.id}"])
    assert pruned.volumes == ("kept",)
    assert len((await engine.stock()).of("volume")) == 1


async def test_what_a_broken_pull_left_can_be_won(engine: Engine, image: Image):
    partial = Path(blobs.partial(engine.settings, "sha256:" + "a" * 64))
    partial.parent.mkdir(parents=True, exist_ok=True)
    partial.write_bytes(b"x" * 999)
    stock = await engine.stock()
    assert stock.won(["leftovers:pulls"]) == 999
    assert (await engine.prune(["leftovers:pulls"])).won == 999
    assert not partial.exists()


async def test_the_files_of_a_layer_are_told_with_what_they_cost_and_what_they_remove(engine: Engine):
    low = LayerTar().directory("etc").file("etc/a", b"a" * 10).file("etc/b", b"b" * 20).directory("opt").file("opt/c")
    top = LayerTar().file("etc/a", b"A" * 30).whiteout("etc/b").whiteout("opt").file("new/d", b"d" * 40)
    image = make(engine, "two:1", low.build(), top.build())
    found = {change.path: change for change in await engine.layer_files("two:1", 1)}
    assert found["/etc/a"] == Change("/etc/a", "C", 30)
    assert found["/etc/b"] == Change("/etc/b", "D", 20)
    assert (found["/opt"].kind, found["/opt"].is_directory) == ("D", True)
    assert found["/new/d"] == Change("/new/d", "A", 40)
    assert {change.kind for change in await engine.layer_files(image.id, 0)} == {"A"}
