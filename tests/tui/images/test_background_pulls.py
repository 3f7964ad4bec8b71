"""Pulls that nobody looks at: how fast each layer comes, and how one learns why one of them failed."""

from __future__ import annotations

import os
import time

import pytest

from engine.models import Progress
from tests.support.layers import LayerTar
from tests.support.registry import RegistryServer
from tests.tui.conftest import Open
from tui import app as app_module
from tui.dialogs.pull import pull_lines
from tui.state.pulls import Pull

MB = 1 << 20


def lines(pull: Pull) -> list[str]:
    return ["".join(text for text, _ in line) for line in pull_lines(pull)]


def test_each_layer_that_comes_has_the_speed_of_its_own_last_three_seconds():
    pull = Pull("x")
    for tick in range(80):  # of a tenth of a second: `a` comes three times as fast from the fourth second on
        had = tick if tick < 40 else 40 + 3 * (tick - 40)
        pull.advance(Progress("x", "sha256:a", "downloading", had * MB // 10, 100 * MB), tick / 10)
        pull.advance(Progress("x", "sha256:b", "downloading", tick * MB // 20, 100 * MB), tick / 10)
    fast, slow = pull.layers["sha256:a"], pull.layers["sha256:b"]
    assert (fast.speed, slow.speed) == (pytest.approx(3 * MB, rel=0.05), pytest.approx(MB / 2, rel=0.05))
    assert any(line.startswith("a ") and " 15%    3.0M/s" in line for line in lines(pull))
    assert any(line.startswith("b ") and " 3%     5" in line and line.endswith("K/s") for line in lines(pull))
    assert max(map(len, lines(pull))) <= 70


def test_a_layer_that_stalls_while_others_come_slows_down_to_nothing():
    pull = Pull("x")
    for second in range(3):
        pull.advance(Progress("x", "sha256:a", "downloading", second * MB, 100 * MB), second)
    for second in range(3, 9):
        pull.advance(Progress("x", "sha256:b", "downloading", second * MB, 100 * MB), second)
    assert pull.layers["sha256:a"].speed == 0
    assert any(line.startswith("a ") and line.rstrip().endswith(" 2%") for line in lines(pull))
    pull.advance(Progress("x", "sha256:b", "verifying", 100 * MB, 100 * MB), 9)
    assert not any("/s" in line for line in lines(pull)[:-2])  # what does not come any more has no speed


def test_without_a_size_the_speed_stands_behind_the_bytes():
    pull = Pull("x")
    for second in range(3):
        pull.advance(Progress("x", "sha256:a", "downloading", second * MB, 0), second)
    assert any(line.endswith("2.0M   1.0M/s") for line in lines(pull))


@pytest.mark.parametrize("pane", ["1", "2"])
async def test_a_pull_that_fails_late_says_in_the_row_which_key_shows_why(
    dashboard: Open, monkeypatch: pytest.MonkeyPatch, image: object, pane: str
):
    monkeypatch.setattr(app_module, "FRESH", 0.0)  # as if it had gone on for longer
    async with RegistryServer() as registry, dashboard(100, 30) as driver:
        registry.put_image("team/app", "1", [LayerTar().file("x").build()])
        await driver.shows("2 Images 1")
        await driver.press(pane)
        driver.app.start_pull(f"{registry.host}/team/app:2")
        status = driver.app.dashboard.status
        await driver.until(lambda: "P shows why" in status.render().plain, "the row names the key")
        assert "Pull failed" not in driver.text and "team/app:2 not found" in driver.world.log[-1].sentence
        await driver.press("P")
        await driver.shows("Pull failed", "team/app:2")
        await driver.press("escape")
        await driver.press("P")  # it was seen: the key has its own meaning again
        await driver.until(lambda: "Pull an image" in driver.text or len(driver.world.log) > 1, "P pulls")


async def test_the_key_shows_why_one_failed_while_another_goes_on(dashboard: Open, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(app_module, "FRESH", 0.0)
    async with RegistryServer() as registry, dashboard(100, 30) as driver:
        registry.put_image("team/app", "1", [LayerTar().file("x").build()])
        registry.put_image("team/slow", "1", [LayerTar().file("x", os.urandom(2_000_000)).build()])
        registry.faults.throttle = 200_000
        driver.app.start_pull(f"{registry.host}/team/slow:1")
        driver.app.start_pull(f"{registry.host}/team/app:2")
        await driver.says("team/app:2 not found")
        await driver.says("; P shows why")
        await driver.press("P")
        await driver.shows("Pull failed", "team/app:2")
        await driver.press("escape", "P")
        await driver.shows("Pull  ", "team/slow:1", "/s")
        await driver.press("escape")
        await driver.says("cancelled the pull of")


async def test_a_failure_from_before_a_newer_pull_does_not_stand_in_its_way(dashboard: Open):
    async with dashboard() as driver:
        now = time.monotonic()
        driver.world.pulls["old:1"] = Pull("old:1", outcome="failed", started=now - 9, ended=now - 8)
        assert driver.app.failed_pull() is not None
        driver.world.pulls["new:1"] = Pull("new:1", started=now)
        assert driver.app.failed_pull() is None
