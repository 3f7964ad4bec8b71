"""Pictures of every screen and of every theme, compared with those beside this file.

After a change that is meant: `pytest tests/tui/pictures --snapshot-update`, and look at what changed.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from engine.settings import Settings
from tests.tui.conftest import screen_text
from tests.tui.pictures import painted
from tui import theming
from tui.app import Pilothouse
from tui.dialogs.problems import Problems
from tui.operations import Outcome
from tui.state.readings import Load, Readings
from tui.welcome import checks


@pytest.fixture(autouse=True)
def still_world(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One moment, in UTC, on a machine with a fixed load."""
    strftime = time.strftime
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("COLORTERM", "truecolor")  # whatever terminal the tests run in
    time.tzset()
    monkeypatch.setattr(time, "time", lambda: painted.NOW)
    monkeypatch.setattr(time, "strftime", lambda form, at=None: strftime(form, at or time.gmtime(painted.NOW)))
    # as many seconds of logging have been counted as the test took
    monkeypatch.setattr(Readings, "_look", lambda *_: Load(12.0, 8, 412 << 20, 16 << 30, 120 << 30))
    monkeypatch.setattr(Input, "_toggle_cursor", lambda self: None)  # it blinks
    monkeypatch.setattr(checks, "of_machine", _good_machine)
    monkeypatch.setattr(checks, "of_registry", _good_registry)
    yield
    monkeypatch.undo()
    time.tzset()


async def _good_machine(_: Settings) -> list[checks.Check]:
    return [
        checks.Check("namespaces", True, "namespaces"),
        checks.Check("overlayfs", True, "overlayfs"),
        checks.Check("ports", False, "any port above 1024", "a reason"),
    ]


async def _good_registry() -> checks.Check:
    return checks.Check("registry", True, "registry reachable")


@pytest.fixture
def app(tmp_path: Path) -> Callable[..., Pilothouse]:
    def make(*, empty: bool = False, **options: Any) -> Pilothouse:
        settings = Settings(tmp_path / "root", tmp_path / "run")
        if not empty:
            painted.write_logs(settings)
        engine = painted.PaintedEngine(settings, [] if empty else None)
        made = Pilothouse(settings, open_engine=lambda _: engine, **options)  # type: ignore[arg-type,return-value]
        if not empty:
            for container in painted.CONTAINERS[:2]:
                made.world.measure(painted.readings(container))
        return made

    return make


@dataclass(frozen=True)
class Scene:
    """`keys` are pressed one by one, then `act` is done; the picture is taken when `words` are on the screen."""

    name: str
    keys: tuple[str, ...]
    words: tuple[str, ...]
    size: tuple[int, int] = (80, 24)
    act: Callable[[Pilothouse], Awaitable[None] | None] | None = None
    empty: bool = False


def shown(scene: Scene) -> Callable[[Pilot[None]], Any]:
    async def wait(pilot: Pilot[None]) -> None:
        app = pilot.app
        assert isinstance(app, Pilothouse)
        await _until(pilot, ("Welcome",) if scene.empty else ("web", "api"))
        for key in scene.keys:
            if key == "rest":  # the details follow the cursor after it has rested
                await pilot.pause(0.15)
                continue
            await pilot.press(key)
            await pilot.pause()
        if scene.act is not None and (doing := scene.act(app)) is not None:
            await doing
        await _until(pilot, scene.words)
        await _settled(pilot)

    return wait


async def _until(pilot: Pilot[None], words: tuple[str, ...]) -> None:
    deadline = time.monotonic() + 15
    while not all(word in screen_text(pilot.app) for word in words):
        assert time.monotonic() < deadline, f"never: {words}\n{screen_text(pilot.app)}"
        await pilot.pause(0.02)


async def _settled(pilot: Pilot[None]) -> None:
    """Until nothing on the screen has changed for a while."""
    before, still = "", 0
    while still < 3:
        await pilot.pause(0.1)
        now = screen_text(pilot.app)
        before, still = now, still + 1 if now == before else 0


def _pulling(app: Pilothouse) -> None:
    pull = painted.pull()
    app.world.pulls[pull.reference] = pull
    app.show_pull(pull.reference)


def _pull_failed(app: Pilothouse) -> None:
    pull = painted.failed_pull()
    app.world.pulls[pull.reference] = pull
    app.action_pull_image()


def _problems(app: Pilothouse) -> None:
    failed = [
        Outcome("api", "api does not answer", "kill it: K"),
        Outcome("redis", "No such container: redis"),
    ]
    app.push_screen(Problems("stopped 1 of 3", failed))


def _tour(app: Pilothouse) -> None:
    app.dashboard.action_tour()


NEXT = ("right_square_bracket",)
DOWN3 = ("down", "down", "down", "rest")
SCENES = (
    Scene("containers", (), ("✓200", "favicon")),
    Scene("images", ("2",), ("nginx:alpine", "RUN step 1")),
    Scene("layers", ("2", "i", "enter"), ("libssl.so.3",)),
    Scene("logs", ("3", "z", "slash", "G", "E", "T", "enter"), ("FOLLOW", "4 matches")),
    Scene("ports", ("4",), ("8080", "80/tcp", "9113")),
    Scene("ports-of-the-machine", ("4", "z", "a"), ("sshd",), (120, 30)),
    Scene("stats", ("3", *2 * NEXT), ("Stats", "PIDS")),
    Scene("env", ("3", *3 * NEXT), ("GREETING",)),
    Scene("inspect", ("3", *4 * NEXT), ("Config",)),
    Scene("processes", ("3", *5 * NEXT), ("Processes", "0.0%")),
    Scene("files", ("3", *6 * NEXT), ("nginx.conf",)),
    Scene("shell-tab", ("3", *7 * NEXT), ("over the whole screen",)),
    Scene("events", ("3", *8 * NEXT), ("create",)),
    Scene("how-it-ended", (*DOWN3, "3", *2 * NEXT), ("migrate exited", "exit 1")),
    Scene("terminal", ("E",), ("load average", "main process")),
    Scene("everything", ("rest",), ("2 Images", "Command log", "PIDS", "8080"), (140, 40)),
    Scene("tall", (), ("favicon", "Command log"), (100, 40)),
    Scene("help", ("question_mark",), ("Start it if it is stopped",)),
    Scene("palette", ("colon", *"prune"), ("Prune…",)),
    Scene("theme-picker", ("T",), ("Okabe-Ito", "enter keep")),
    Scene("run-form", ("2", "n"), ("Image", "$ pilothouse run"), (100, 36)),
    Scene("run-form-small", ("2", "n"), ("Image", "$ pilothouse run")),
    Scene("pull", ("P",), ("Pull an image",)),
    Scene("pulling", ("2",), ("postgres:17-alpine", "70%"), act=_pulling),
    Scene("pull-failed", (), ("Likely cause",), act=_pull_failed),
    Scene("prune", ("X",), ("DATA LOSS", "frees")),
    Scene(
        "remove",
        ("d",),
        ("Remove", "web"),
    ),
    Scene(
        "remove-image",
        ("2", "d"),
        ("nginx:alpine", "Remove", "RUN step 1"),
    ),
    Scene("kill", ("K",), ("SIGKILL", "Send a signal")),
    Scene("copy", ("c",), ("Copy from web",)),
    Scene("rename", ("N",), ("Rename web",)),
    Scene("columns", ("v",), ("Columns", "[x]")),
    Scene("publish", ("4", "plus"), ("Publish a port",)),
    Scene("free-port", ("4", "f"), ("Find a free port", "is free")),
    Scene("problems", (), ("stopped 1 of 3", "kill it"), act=_problems),
    Scene("filtered", ("slash", *"wbe"), ("0 of 5 match",)),
    Scene("tour", (), ("Tour 1/5",), act=_tour),
    Scene("welcome", (), ("Welcome aboard", "any port"), empty=True),
    Scene("empty", ("escape",), ("No containers yet",), empty=True),
    Scene("empty-images", ("escape", "2"), ("No images.",), empty=True),
    Scene("small", (), ("web",), (50, 14)),
)


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_a_screen_looks_as_it_did(snap_compare: Any, app: Callable[..., Pilothouse], scene: Scene):
    made = app(empty=scene.empty, theme="dark")
    assert snap_compare(made, terminal_size=scene.size, run_before=shown(scene))


@pytest.mark.parametrize("theme", sorted(theming.paths()))
def test_a_theme_looks_as_it_did(snap_compare: Any, app: Callable[..., Pilothouse], theme: str):
    scene = Scene(theme, ("down", "space", "down"), ("favicon", "ERROR", "1 marked"), (100, 30))
    assert snap_compare(app(theme=theme), terminal_size=scene.size, run_before=shown(scene))


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_sixteen_colours_look_as_they_did(
    snap_compare: Any, app: Callable[..., Pilothouse], theme: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("COLORTERM")
    monkeypatch.setenv("TERM", "linux")
    scene = Scene(theme, ("down", "space", "down"), ("favicon", "ERROR", "1 marked"))
    assert snap_compare(app(theme=theme), terminal_size=scene.size, run_before=shown(scene))


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_no_color_looks_as_it_did(
    snap_compare: Any, app: Callable[..., Pilothouse], theme: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("NO_COLOR", "1")
    scene = Scene(theme, ("down", "space", "down"), ("favicon", "ERROR", "1 marked"))
    assert snap_compare(app(theme=theme), terminal_size=scene.size, run_before=shown(scene))
