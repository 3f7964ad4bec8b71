"""The user's config.toml: what is right is in force; what is wrong is told with its place, and costs nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.cli.main import main
from engine.errors import InvalidInput
from engine.models import Container
from tests.tui.conftest import Open
from tui import config, keymap, presets
from tui.containers import columns


@pytest.fixture
def file(private_home: Path) -> Path:
    path = private_home / "config" / "pilothouse" / "config.toml"
    path.parent.mkdir(parents=True)
    return path


def test_without_a_file_the_table_is_in_force():
    found = config.load()
    assert found.keys == keymap.defaults() and found.changed == {} and found.troubles == ()
    assert found.probe and not found.theme


def test_a_file_without_mistakes_is_in_force_whole(file: Path):
    file.write_text(
        '[dashboard]\ntheme = "nord"\nprobe = false\nkeys = "lazydocker"\ncolumns = ["name", "state"]\n'
        '[keys]\n"containers.toggle" = "t,F5"\nlogs.follow = "ctrl+f"\n"app.find" = "?"\n"app.help" = "f1,/"\n'
        '[registry]\ninsecure = ["a:1"]\n'
    )
    found = config.load()
    assert found.troubles == ()
    assert (found.theme, found.probe, found.preset, found.columns) == ("nord", False, "lazydocker", ("name", "state"))
    assert found.keys["containers.toggle"] == ("t", "f5")
    assert found.keys["logs.follow"] == ("ctrl+f",)
    assert found.keys["app.find"] == ("question_mark",)  # two ids may change keys with each other
    assert found.keys["containers.logs"] == ("m", "enter", "l")  # from the preset
    assert found.keys["containers.restart"] == keymap.BY_ID["containers.restart"].keys


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("[dashboard]\ntheme = 1\n", 2, "theme must be text in quotes"),
        ("\n[dashboard]\nprobe = 'no'\n", 3, "probe must be true or false"),
        ("[dashboard]\ncolour = 1\n", 2, "unknown key 'colour'"),
        ("[dashboard]\nkeys = 'vim'\n", 2, "no such preset of keys: 'vim'"),
        ("[dashboard]\ncolumns = [1]\n", 2, "columns must be a list of names"),
        ("[dashboard]\ncolumns = ['name', 'stat']\n", 2, "no such column: stat; there are name, state, ports"),
        ("[dashboard]\ntheme = 'nrod'\n", 2, "no such theme: 'nrod'; there are colour-blind, dark"),
        ("keys = 1\n", 1, "[keys] must be a table"),
        ("[keys]\n\n[dashbord]\n", 3, "unknown section [dashbord]"),
        ("[keys]\n'containers.tog' = 't'\n", 2, "no such action: 'containers.tog'"),
        ("[keys]\ncontainers.toggle = 'hyper+t'\n", 2, "'hyper' is none of ctrl, shift, alt"),
        ("[keys.containers]\ntoggle = 'foo'\n", 2, "'foo' is not a key"),
        ("[keys]\n'containers.toggle' = 5\n", 2, "keys must be text in quotes"),
        ("[keys]\n'containers.toggle' = 'r'\n", 2, "'r' is the key of containers.restart in the same place"),
        ("[keys]\n'app.quit' = 'x'\n'app.undo' = 'x'\n", 3, "'x' is the key of app.quit in the same place"),
        ("[keys]\n'rows.down' = 's'\n", 2, "'s' is the key of containers.toggle in the same place"),
        ("[keys\n", 1, "nothing in this file is in force"),
    ],
)
def test_a_mistake_is_told_with_file_and_line(file: Path, text: str, line: int, words: str):
    file.write_text(text)
    troubles = config.load().troubles
    assert len(troubles) == 1
    assert troubles[0].startswith(f"{file}:{line}: ") and words in troubles[0]


@pytest.mark.parametrize(
    ("named", "shown"),
    [
        (["ports", "cpu"], ["name", "state", "ports", "cpu"]),
        (["name", "ports"], ["name", "state", "ports"]),
        (["ports", "name", "cpu"], ["ports", "name", "state", "cpu"]),
        (["state", "image"], ["name", "state", "image"]),
        (["state", "image", "name"], ["state", "image", "name"]),
    ],
)
def test_name_and_state_are_always_shown_and_stand_side_by_side(named: list[str], shown: list[str]):
    assert [offer.column.key for offer in columns.chosen(named)] == shown


def test_the_rest_of_a_file_with_mistakes_is_in_force(file: Path):
    file.write_text(
        "[dashboard]\ntheme = 5\nprobe = false\n[keys]\n'nothing' = 'x'\n'app.undo' = 'U'\n'app.quit' = 'u'\n"
    )
    found = config.load()
    assert len(found.troubles) == 2
    assert not found.probe and found.keys["app.undo"] == ("U",) and found.keys["app.quit"] == ("u",)


@pytest.mark.parametrize("name", presets.PRESETS)
def test_a_preset_names_actions_that_exist_and_gives_no_key_twice(name: str):
    assert presets.PRESETS[name].keys() <= keymap.BY_ID.keys()
    assert list(keymap.clashes(presets.keys(name))) == []
    for id, keys in presets.keys(name).items():
        assert any(not key.startswith("ctrl+") for key in keys) or id == "shell.leave", id


def test_a_preset_that_does_not_exist_is_refused():
    with pytest.raises(InvalidInput, match="no such preset of keys: vim") as caught:
        config.load(preset="vim")
    assert "lazydocker" in caught.value.hint


async def test_remapped_keys_work_and_are_shown(dashboard: Open, web: Container, file: Path):
    file.write_text("[keys]\n'containers.pause' = 'y'\n'containers.toggle' = 'p'\n'app.help' = 'h'\n")
    async with dashboard(120, 30) as driver:
        await driver.select("web")
        await driver.shows("p Stop", "y Pause", "h Help")
        await driver.press("y")
        await driver.shows("paused")
        await driver.press("y")
        await driver.says("unpaused web")
        await driver.press("p")
        await driver.says("stopped web")
        await driver.press("s", "h")
        await driver.shows("Keys", "Start it if it is stopped")
        assert not any("started" in entry.sentence for entry in driver.world.log)


async def test_the_tip_of_a_paused_container_names_the_key_in_force(dashboard: Open, web: Container, file: Path):
    file.write_text("[keys]\n'containers.pause' = 'b'\n")
    async with dashboard(120, 30) as driver:
        await driver.select("web")
        await driver.press("b")
        await driver.says("paused web")
        await driver.until(lambda: "b lets it go on" in driver.app.dashboard.containers.tip(), "the tip")


async def test_a_mistake_shows_on_the_screen_and_the_dashboard_runs(dashboard: Open, web: Container, file: Path):
    file.write_text("[keys]\n'containers.tog' = 't'\n")
    async with dashboard(120, 30) as driver:
        await driver.says(f"{file}:2: no such action")
        await driver.shows("web", "running")


def test_keys_prints_the_table_in_force(file: Path, capsys: pytest.CaptureFixture[str]):
    file.write_text("[keys]\n'app.quit' = 'Q'\n")
    assert main(["keys"]) == 0
    printed = capsys.readouterr().out
    for key in keymap.KEYS:
        assert key.id in printed and key.help in printed
    assert "Q *" in printed and "not the default" in printed
    assert main(["keys", "--check"]) == 0
    assert capsys.readouterr() == ("", "")


def test_keys_check_tells_mistakes(file: Path, capsys: pytest.CaptureFixture[str]):
    file.write_text("[keys]\n'app.quit' = '?'\n")
    assert main(["keys", "--check"]) == 1
    assert capsys.readouterr().err.startswith(f"{file}:2: '?' is the key of app.help")
    assert main(["keys", "--keys", "vim"]) == 1


async def test_the_dashboard_says_how_many_mistakes_there_are_and_where_they_are_told(dashboard: Open, file: Path):
    file.write_text('[dashboard]\nkeyz = "k9s"\n\n[keys]\n"containers.nope" = "x"\n')
    async with dashboard(140, 40) as driver:
        await driver.says("2 mistakes (`pilothouse keys` tells all): ")
        await driver.says("config.toml:2: unknown key 'keyz'")
