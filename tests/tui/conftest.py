"""The dashboard on a real engine, driven by keys and read from its screen."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from textual.app import App
from textual.pilot import Pilot

from engine.engine import Engine
from engine.models import Container, RunOptions
from engine.settings import Settings
from tests.tui.pressed import count_pressed_keys, put_last
from tui.app import Pilothouse
from tui.state import memory

__all__ = ["count_pressed_keys"]

PATIENCE = 15.0  # seconds; two slow cores shared with other tests


@pytest.fixture(autouse=True)
def private_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the dashboard remembers, a user's themes and reports: in a directory of the test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("SSH_CONNECTION", "SSH_TTY", "DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    memory.remember(tour="done")  # it would take a row of the screen in every test
    return tmp_path


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    put_last(config, items, "test_every_key.py")


def screen_text(app: App[None]) -> str:
    """What a user would read now."""
    return "\n".join(strip.text.rstrip() for strip in app.screen._compositor.render_strips())


class Driver:
    """A dashboard with hands and eyes."""

    def __init__(self, app: Pilothouse, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot

    @property
    def world(self):
        return self.app.world

    @property
    def text(self) -> str:
        return screen_text(self.app)

    @property
    def last(self) -> str:
        """The last sentence of the command log."""
        return next((entry.sentence for entry in reversed(self.world.log) if entry.state != "running"), "")

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def type(self, text: str) -> None:
        """Write into the field that has the focus."""
        names = {
            " ": "space",
            ":": "colon",
            "/": "slash",
            "-": "minus",
            ".": "full_stop",
            "=": "equals_sign",
            "_": "underscore",
        }
        await self.press(*(names.get(character, character) for character in text))

    async def until(self, true: Callable[[], object], what: str = "") -> None:
        """Wait for what the screen or the world will show; a test fails with the screen it was stuck on."""
        deadline = time.monotonic() + PATIENCE
        while not true():
            assert time.monotonic() < deadline, f"never: {what}\n{self.text}"
            await self.pilot.pause(0.02)

    async def shows(self, *words: str) -> None:
        await self.until(lambda: all(word in self.text for word in words), f"{words} on the screen")

    async def says(self, words: str) -> None:
        """Wait for a sentence in the command log."""
        await self.until(
            lambda: any(words in f"{entry.sentence} {entry.hint}" for entry in self.world.log), f"{words!r} was said"
        )

    def container(self, name: str) -> Container | None:
        return next((container for container in self.world.containers.values() if container.name == name), None)

    async def select(self, name: str) -> None:
        await self.until(lambda: self.container(name), f"{name} in the list")
        container = self.container(name)
        assert container is not None
        self.app.dashboard.select(container.id)
        await self.until(lambda: self.world.subject == container.id, f"{name} selected")


Open = Callable[..., contextlib.AbstractAsyncContextManager[Driver]]


@pytest.fixture
def dashboard(settings: Settings) -> Open:
    """Opens the dashboard on the fresh root: `async with dashboard(80, 24) as driver`."""

    @contextlib.asynccontextmanager
    async def open_dashboard(width: int = 80, height: int = 24, **options: object) -> AsyncIterator[Driver]:
        app = Pilothouse(settings, **options)  # type: ignore[arg-type]
        async with app.run_test(size=(width, height)) as pilot:
            driver = Driver(app, pilot)
            await driver.until(lambda: app.world.loaded or app.world.trouble, "the engine was opened")
            await pilot.pause()
            yield driver

    return open_dashboard


@pytest.fixture
async def web(engine: Engine, image: object) -> Container:
    """A container that runs until it is stopped."""
    return await engine.run(sleeper("web"))


def sleeper(name: str, **options: object) -> RunOptions:
    """A container that only waits, and ends at once when it is asked to."""
    command = ("sh", "-c", "trap 'exit 0' TERM; echo ready; while :; do sleep 0.05; done")
    return RunOptions(image="localhost/small:1", name=name, command=command, detach=True, **options)  # type: ignore[arg-type]
