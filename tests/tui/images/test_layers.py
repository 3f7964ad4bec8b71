"""The layers of an image, what made them, and what their files cost."""

from __future__ import annotations

import io
from dataclasses import replace

from engine.images.layout import add_image
from engine.models import Change, Image
from engine.settings import Settings
from engine.state.database import Database
from tests.support.layers import LayerTar
from tests.tui.conftest import Open
from tui.images.layer_tree import first_unfolded, shown, tree
from tui.images.pane import facts
from tui.state.world import World

CHANGES = (
    Change("/etc", "C", is_directory=True),
    Change("/etc/gone", "D", 50),
    Change("/etc/new", "A", 10),
    Change("/usr/lib/big", "A", 900),
    Change("/usr/lib/small", "C", 5),
)


def test_directories_hold_the_cost_of_all_in_them_and_the_dearest_stand_first():
    root = tree(CHANGES)
    assert (root.size, root.lost) == (915, 50)
    opened = {"/etc", "/usr", "/usr/lib"}
    assert [(depth, node.path, node.size) for depth, node in shown(root, opened)] == [
        (0, "/usr", 905),
        (1, "/usr/lib", 905),
        (2, "/usr/lib/big", 900),
        (2, "/usr/lib/small", 5),
        (0, "/etc", 10),
        (1, "/etc/new", 10),
        (1, "/etc/gone", 0),
    ]
    assert first_unfolded(root) == {"/usr", "/usr/lib"}


def put(settings: Settings, reference: str, *tars: bytes) -> Image:
    database = Database(settings.database)
    history = [
        {"created_by": "/bin/sh -c #(nop) ADD file:abc in /"},
        {"created_by": '/bin/sh -c #(nop)  CMD ["sh"]', "empty_layer": True},
        {"created_by": "/bin/sh -c apt-get install -y everything" + " and-more" * 20},
    ]
    try:
        return add_image(settings, database, {"history": history}, [io.BytesIO(tar) for tar in tars], reference)
    finally:
        database.close()


async def test_enter_on_a_layer_shows_its_files_and_what_each_costs(dashboard: Open, settings: Settings):
    base = LayerTar().directory("etc").file("etc/old", b"o" * 2048).build()
    top = LayerTar().whiteout("etc/old").file("opt/app/program", b"p" * 40960).build()
    put(settings, "team/app:1", base, top)
    put(settings, "team/other:1", base, LayerTar().file("x").build())
    async with dashboard(100, 40) as driver:
        await driver.press("2")
        await driver.until(lambda: len(driver.world.images) == 2, "both images")
        driver.app.dashboard.images.table.select(
            next(image.id for image in driver.world.images if "app" in image.references[0])
        )
        await driver.press("i")
        await driver.shows(
            "team/app:1 · Layers", "ADD file:abc in /", "RUN apt-get install", 'CMD ["sh"]', "with 1 other"
        )
        await driver.press("j", "enter")
        await driver.says("made no layer")
        await driver.press("j")
        await driver.until(lambda: driver.text.count("and-more") >= 20, "the whole command under the rows")
        await driver.press("enter")
        await driver.shows("Layer 2 of 2 · 40K", "opt/", "program", "40K")
        await driver.press("G")
        await driver.press("right")
        await driver.shows("- ", "old", "removed: 2.0K below")
        await driver.press("left")
        await driver.until(lambda: "removed" not in driver.text, "folded")
        await driver.press("c")
        await driver.says("copied /etc")
        await driver.press("escape")
        await driver.shows("MADE BY")
        await driver.press("c")
        await driver.says("copied RUN apt-get install -y everything and-more")


async def test_a_long_name_in_a_layer_is_cut_not_left_out(dashboard: Open, settings: Settings):
    put(settings, "team/app:1", LayerTar().file("opt/" + "very-long-" * 15, b"p" * 40960).build())
    async with dashboard() as driver:
        await driver.press("2")
        await driver.until(lambda: driver.world.image is not None, "the image is selected")
        await driver.press("i")
        await driver.shows("team/app:1 · Layers")
        await driver.press("enter")
        await driver.shows("opt/", "very-long-very-long-", "…", "it stays in the layer below.")


def test_what_is_told_of_an_image_goes_on_below_its_beginning(image: Image):
    named = replace(image, references=("registry.example.com/team/one:1", "registry.example.com/team/two:2"))
    first, second, *_ = facts(named, World(), 46).plain.splitlines()
    assert first == " name     registry.example.com/team/one:1,"
    assert second == "          registry.example.com/team/two:2"
    loose = replace(image, references=())
    assert "dangling, prune removes it" in facts(loose, World(), 80).plain
    assert "prune" not in facts(replace(loose, used_by=("x",)), World(), 80).plain, "what is in use stays"
