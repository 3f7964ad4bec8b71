"""What is kept from one run to the next, and what a damaged file does: nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.engine import Engine
from engine.models import Container, Image
from tests.tui.conftest import Open, sleeper
from tui.state import memory


async def test_the_next_run_begins_where_the_last_one_ended(
    dashboard: Open, engine: Engine, image: Image, web: Container
):
    await engine.run(sleeper("api"))
    async with dashboard() as driver:
        await driver.select("web")
        await driver.press("slash")
        await driver.type("we")
        await driver.press("enter", "S", "right_square_bracket", "right_square_bracket")
        tab = driver.app.dashboard.tab
        await driver.press("q")
    assert tab != "logs"
    async with dashboard() as driver:
        await driver.shows("1 of 2", "NAME ▲")
        assert driver.app.dashboard.tab == tab
        await driver.press("escape", "2", "z")
        await driver.shows("2 Images")
        await driver.press("q")
    async with dashboard() as driver:
        await driver.shows("localhost/small")
        assert driver.app.dashboard.active.id == "images"
        assert "Containers" not in driver.text.splitlines()[1] or driver.app.dashboard.has_class("-zoom")


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "null", '"x"', "\x00\xff", "[" * 100_000,
        json.dumps({"view": 5}),
        json.dumps({"theme": 5, "columns": {}, "tour": [], "view": {"tab": 7, "all": "x", "list": [], "zoom": 1}}),
        json.dumps({"theme": "gone", "columns": ["nothing"], "view": {"tab": "nothing", "containers": 3}}),
        json.dumps({"view": {"containers": {"filter": 1, "sort": "nothing", "down": 0}, "images": {"sort": 2}}}),
    ],
)  # fmt: skip
async def test_a_damaged_file_is_as_good_as_none(dashboard: Open, web: Container, text: str):
    memory.path().write_text(text, errors="surrogatepass")
    async with dashboard() as driver:
        await driver.shows("web", "running")
        assert driver.app.dashboard.tab == "logs"
        assert driver.app.dashboard.containers.table.sort_column == ""


def test_a_file_that_cannot_be_written_is_told_and_no_piece_is_left(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv(
        "XDG_STATE_HOME", str(tmp_path / "state" / "pilothouse" / "dashboard.json")
    )  # a file is in the way
    assert not memory.remember(theme="light")
    monkeypatch.setenv("XDG_STATE_HOME", "/dev/full/x")
    assert not memory.remember(theme="light")


def test_the_theme_chosen_last_wins_until_config_toml_names_another():
    assert memory.theme("") == "" and memory.theme("nord") == "nord"
    memory.remember_theme("light", "nord")
    assert memory.theme("nord") == "light"
    assert memory.theme("gruvbox") == "gruvbox"
    memory.remember(other=1)
    assert memory.theme("nord") == "light"
