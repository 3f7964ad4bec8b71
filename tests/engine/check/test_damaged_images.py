"""An image whose entry in the database is damaged: it is named, all others are listed, and a check mends it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from engine.settings import Settings
from tests.conftest import Command
from tests.support.layers import LayerTar
from tests.support.registry import RegistryServer

ORDER = b"Everything is in order.\n"
MENDED = "`pilothouse system check` restores it\n"


@pytest.fixture
def pulled(settings: Settings, pilothouse: Command) -> Iterator[dict[str, str]]:
    """Two images of a registry that still runs, `one:1` and `two:1`: the full name and the ID of each."""
    for directory in (settings.root, settings.run):
        directory.mkdir(mode=0o700, exist_ok=True)
    with RegistryServer() as registry:
        found: dict[str, str] = {}
        for name in ("one", "two"):
            layers = [LayerTar().file(name, name.encode() * 100).build()]
            put = registry.put_image(name, "1", layers, config={"Cmd": [f"/{name}"]})
            found[name] = put.id
            assert pilothouse("pull", "-q", f"{registry.host}/{name}:1").returncode == 0
        yield {name: f"{registry.host}/{name}:1" for name in found} | {f"{name}.id": found[name] for name in found}


def change(settings: Settings, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(settings.database)) as connection, connection:
        assert connection.execute(statement, values).rowcount > 0


def listed(pilothouse: Command) -> tuple[list[str], str]:
    """The names that `images` shows, and what it says beside."""
    ended = pilothouse("images", "--format", "{{.Repository}}:{{.Tag}}")
    assert ended.returncode == 0
    return ended.stdout.decode().split(), ended.stderr.decode()


def mended(pilothouse: Command) -> str:
    """What `system check` finds; afterwards nothing is wrong any more."""
    found = pilothouse("system", "check", "--dry-run").stdout.decode()
    assert pilothouse("system", "check").returncode in (0, 1)
    assert pilothouse("system", "check").stdout == ORDER
    return found


@pytest.mark.parametrize("damage", ["'{\"os\": 5'", "CAST(x'7b226f73ff' AS TEXT)"])
def test_a_damaged_config_is_named_the_others_are_listed_and_a_check_restores_it(
    settings: Settings, pilothouse: Command, pulled: dict[str, str], damage: str
) -> None:
    change(settings, f"UPDATE images SET config = {damage} WHERE id = ?", pulled["one.id"])
    words = f"the entry of image {pulled['one.id'][7:19]} ({pulled['one']}) in the database is damaged"
    assert listed(pilothouse) == ([pulled["two"]], f"WARNING: {words}: {MENDED}")
    assert words in pilothouse("inspect", pulled["one"]).stderr.decode()
    assert pilothouse("ps", "-a").stderr == b"", "what has to do with no image says nothing of it"
    assert pulled["two"] in pilothouse("system", "df", "-v").stdout.decode()
    assert "restored from its config" in mended(pilothouse)
    assert listed(pilothouse) == ([pulled["two"], pulled["one"]], "")


def test_what_is_damaged_is_neither_pruned_nor_lost_with_the_rest(
    settings: Settings, pilothouse: Command, pulled: dict[str, str]
) -> None:
    change(settings, "UPDATE images SET config = '{' WHERE id = ?", pulled["one.id"])
    assert pilothouse("system", "prune", "-af").returncode == 0
    assert "restored from its config" in mended(pilothouse)
    assert listed(pilothouse) == ([pulled["one"]], "")


@pytest.mark.parametrize("name", ["'docker.io/Upper case:1'", "CAST(x'646f636b65ff' AS TEXT)"])
def test_a_damaged_name_is_told_the_image_goes_by_its_other_names_and_a_check_puts_it_aside(
    settings: Settings, pilothouse: Command, pulled: dict[str, str], name: str
) -> None:
    change(settings, f"UPDATE image_tags SET reference = {name} WHERE image_id = ?", pulled["one.id"])
    names, told = listed(pilothouse)
    assert pulled["two"] in names and len(names) == 2, "it is there, without a tag"
    assert told.startswith(f"WARNING: a name of image {pulled['one.id'][7:19]} in the database is damaged (")
    assert "cannot be read as a name" in mended(pilothouse)
    (kept,) = (settings.root / "aside").iterdir()
    assert json.loads(kept.read_text())["image_id"] == pulled["one.id"]
    assert pilothouse("pull", "-q", pulled["one"]).returncode == 0
    assert listed(pilothouse)[1] == ""


def test_a_damaged_id_is_restored_with_what_refers_to_it(
    settings: Settings, pilothouse: Command, pulled: dict[str, str]
) -> None:
    assert pilothouse("create", "--name", "kept", pulled["one"]).returncode == 0
    change(settings, "UPDATE images SET id = 'sha256:0000' WHERE id = ?", pulled["one.id"])
    assert listed(pilothouse)[0][0] == pulled["two"]
    assert "its ID in the database is damaged" in mended(pilothouse)
    assert listed(pilothouse) == ([pulled["two"], pulled["one"]], "")
    assert pilothouse("ps", "-a", "--format", "{{.Names}} {{.Image}}").stdout.decode() == f"kept {pulled['one']}\n"


def test_an_id_nothing_refers_to_is_put_aside(settings: Settings, pilothouse: Command, pulled: dict[str, str]) -> None:
    change(settings, "UPDATE images SET id = 'nonsense', config = '{}' WHERE id = ?", pulled["one.id"])
    found = mended(pilothouse)
    assert "row nonsense" in found or "its ID in the database is damaged" in found, found
    assert listed(pilothouse) == ([pulled["two"]], "")


@pytest.mark.parametrize("column", ["created = 9e300, size = -5, os = 'plan9'", "manifest_digest = ':'"])
def test_other_columns_are_made_good_too(
    settings: Settings, pilothouse: Command, pulled: dict[str, str], column: str
) -> None:
    change(settings, f"UPDATE images SET {column} WHERE id = ?", pulled["one.id"])
    assert sorted(listed(pilothouse)[0]) == sorted([pulled["one"], pulled["two"]])
    mended(pilothouse)
    assert sorted(listed(pilothouse)[0]) == sorted([pulled["one"], pulled["two"]])


def test_a_container_whose_row_is_not_even_text_leaves_the_others_usable(
    settings: Settings, pilothouse: Command, pulled: dict[str, str]
) -> None:
    for name in ("aa", "bb"):
        assert pilothouse("create", "--name", name, pulled["one"]).returncode == 0
    change(settings, "UPDATE containers SET image = CAST(x'61ff' AS TEXT) WHERE name = 'aa'")
    ended = pilothouse("ps", "-a", "--format", "{{.Names}}")
    assert (ended.returncode, ended.stdout) == (0, b"bb\n")
    assert b"the entry of container aa in the database is damaged" in ended.stderr
    assert "container aa: its entry in the database is damaged" in mended(pilothouse)
