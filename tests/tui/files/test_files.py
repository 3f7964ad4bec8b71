"""What a container changed, as a tree, and the files in it."""

from __future__ import annotations

from engine.engine import Engine
from engine.models import Change, Container, FileContent, Image, RunOptions
from tests.tui.conftest import Driver, Open
from tui.dialogs.dialog import Dialog
from tui.files.content import LONGEST_LINE, lines_of
from tui.files.pane import FilesPane, tree
from tui.widgets.table import Cell


async def ran(engine: Engine, script: str) -> Container:
    await engine.run(RunOptions("localhost/small:1", ("sh", "-c", script), name="box", detach=True))
    await engine.wait("box")
    return await engine.container("box")


async def opened(driver: Driver) -> FilesPane:
    await driver.select("box")
    driver.app.dashboard.go_to_tab("files")
    await driver.shows("box · Files")
    pane = driver.app.dashboard.query_one(FilesPane)
    await driver.until(lambda: pane._subject, "the files were compared")
    return pane


def text(lines: list[Cell]) -> str:
    return "\n".join("".join(piece for piece, _ in line) for line in lines)


async def test_changes_are_a_tree_with_sizes_and_a_file_can_be_read(dashboard: Open, engine: Engine, image: Image):
    await ran(engine, "mkdir -p /srv/in; echo 'first line' > /srv/in/note; rm /etc/group; echo more >> /etc/passwd")
    async with dashboard(100, 30) as driver:
        pane = await opened(driver)
        await driver.shows("A  ", "srv/", "note", "11B", "group", "deleted", "passwd", "changed", "A 3  C 2  D 1")
        pane.outline.select("/srv/in/note")
        await driver.press("enter")
        await driver.shows("/srv/in/note", "1  first line", "text, 11B")
        await driver.press("escape", "c")
        assert driver.app.clipboard == "/srv/in/note"
        pane.outline.select("/etc/group")
        await driver.press("enter")
        await driver.says("/etc/group is gone from the container")
        await driver.press("left", "left")
        await driver.until(lambda: "▸ etc/" in driver.text and "passwd" not in driver.text, "it folded")
        await driver.press("slash")
        await driver.type("note")
        await driver.shows("1 of 6", "note")


async def test_what_changes_later_shows_by_itself(dashboard: Open, engine: Engine, image: Image):
    command = ("sh", "-c", "while [ ! -e /tmp/go ]; do sleep 0.05; done; echo > /late; sleep 100")
    await engine.run(RunOptions("localhost/small:1", command, name="box", detach=True))
    async with dashboard(100, 30) as driver:
        await opened(driver)
        await driver.shows("It has changed none")
        (await engine.exec("box", ("touch", "/tmp/go"))).close()
        await driver.shows("late", "added")


async def test_names_and_content_cannot_steer_the_terminal(dashboard: Open, engine: Engine, image: Image):
    await ran(engine, "printf 'a\\033[31m[red]\\302\\2332J\\n' > \"/$(printf 'evil\\033[2J[bold]')\"")
    async with dashboard(100, 30) as driver:
        await opened(driver)
        await driver.shows("evil", "[bold]")
        assert not set(driver.text) & {"\x1b", "\x9b"}
        await driver.press("G", "enter")
        await driver.until(lambda: isinstance(driver.app.screen, Dialog), "the file was opened")
        await driver.shows("[red]")
        assert not set(driver.text) & {"\x1b", "\x9b"}


def test_long_binary_empty_and_cut_files_say_what_is_missing():
    assert "empty" in text(lines_of(FileContent("/x", b"", 0)))
    long = text(lines_of(FileContent("/x", b"y" * (LONGEST_LINE + 7), LONGEST_LINE + 7)))
    assert "… 7 characters more" in long
    assert "90K more of 100K are not shown" in text(lines_of(FileContent("/x", b"line\n" * 2048, 102_400)))
    dumped = text(lines_of(FileContent("/x", b"\x7fELF\0\x1b[31m", 10)))
    assert dumped.startswith("00000000  7f 45 4c 46 00 1b 5b 33 31 6d")
    assert dumped.endswith("·ELF··[31m")


def test_the_size_of_a_directory_is_that_of_what_is_in_it_now():
    roots = tree(
        [
            Change("/a", "A", is_directory=True),
            Change("/a/b", "A", 1024),
            Change("/a/gone", "D", 4096),
            Change("/ab", "A", 1),
        ]
    )
    assert [(node.key, [child.key for child in node.children]) for node in roots] == [
        ("/a", ["/a/b", "/a/gone"]),
        ("/ab", []),
    ]
    assert roots[0].cells[1][0][0] == "1.0K"
