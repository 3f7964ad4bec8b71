"""`python -m tests.screenshots`: pictures in screenshots/ from the real dashboard, and README's table of keys.

Works on a root of its own, which is gone afterwards. Needs root, like the engine.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import tempfile
import time
from dataclasses import dataclass

from textual.pilot import Pilot

from engine.cli.main import main as pilothouse
from engine.engine import Engine
from engine.models import PortMapping, RunOptions
from engine.settings import Settings
from tests.conftest import PROJECT
from tests.tui.conftest import screen_text
from tui.app import Pilothouse
from tui.keymap import readme_table
from tui.state import memory

PICTURES = PROJECT / "screenshots"
BEGIN, END = "<!-- keys:begin -->", "<!-- keys:end -->"
DEMO = "localhost/pilothouse-demo:latest"


@dataclass(frozen=True)
class Scene:
    """One picture: what to press in a terminal of that size, and the words that must be on it."""

    name: str
    size: tuple[int, int]
    keys: tuple[str, ...]
    words: tuple[str, ...]
    theme: str | None = None


SCENES = (
    Scene("containers", (80, 24), (), ("demo-web", "running", "exit 3")),
    Scene("wide", (140, 40), ("j", "j", "j", "j", "j"), ("demo-web", "2 Images", "Ports", "Stats")),
    Scene("logs", (120, 30), ("j", "j", "j", "j", "3", "z"), ("FOLLOW", "INFO")),
    Scene("ports", (120, 30), ("j", "j", "4"), ("demo-web", "80/tcp")),
    Scene("run-form", (100, 30), ("2", "n"), ("Image", "Name", "$ pilothouse run")),
    Scene("help", (100, 40), ("question_mark",), ("Keys", "Mark")),
    Scene("light", (120, 30), ("j", "j", "j", "j"), ("demo-web", "INFO"), "light"),
    Scene("high-contrast", (120, 30), ("j", "j", "j", "j"), ("demo-web", "INFO"), "high-contrast"),
)


async def take(settings: Settings, scene: Scene) -> None:
    """Run the dashboard as on a first day, press the keys, wait for the words, keep the picture."""
    memory.path().unlink(missing_ok=True)
    memory.remember(tour="done")
    app = Pilothouse(settings, theme=scene.theme)
    async with app.run_test(size=scene.size) as pilot:
        await _shows(pilot, ("nightly-import",))
        for key in scene.keys:
            await pilot.press(key)
            await pilot.pause(0.2)
        await pilot.pause(4.0)  # graphs need some seconds of readings
        await _shows(pilot, scene.words)
        picture = app.export_screenshot(title=f"pilothouse, {scene.size[0]}x{scene.size[1]}")
    # the picture must not load fonts from anywhere
    picture = re.sub(r"@font-face \{[^}]*\}\s*", "", picture).replace("Fira Code", "DejaVu Sans Mono, monospace")
    (PICTURES / f"{scene.name}.svg").write_text(picture)
    print(f"screenshots/{scene.name}.svg", flush=True)


async def _shows(pilot: Pilot[None], words: tuple[str, ...]) -> None:
    deadline = time.monotonic() + 20
    while not all(word in screen_text(pilot.app) for word in words):
        if time.monotonic() > deadline:
            raise SystemExit(f"never saw {words} on:\n{screen_text(pilot.app)}")
        await pilot.pause(0.05)


async def _populate(settings: Settings) -> None:
    """Beside the demo: a few containers that make the lists look lived in."""
    async with Engine.open(settings) as engine:
        for name, program, host_port in (("shop", "web", 8090), ("worker", "logger", 0), ("nightly-import", "job", 0)):
            ports = (PortMapping(80, await engine.free_port(host_port)),) if host_port else ()
            await engine.run(RunOptions(DEMO, (f"/demo/{program}.py",), name=name, ports=ports, detach=True))
        await engine.wait("demo-job")
        await engine.wait("nightly-import")
        await engine.stop("worker", grace=1)


async def _take_all(settings: Settings, names: list[str]) -> None:
    await _populate(settings)
    for scene in SCENES:
        if not names or scene.name in names:
            await take(settings, scene)


def write_keys() -> None:
    """Put the table of keys between its two marks in README.md."""
    readme = PROJECT / "README.md"
    before, rest = readme.read_text().split(BEGIN)
    readme.write_text(f"{before}{BEGIN}\n{readme_table()}{END}{rest.split(END)[1]}")


def main(names: list[str]) -> int:
    write_keys()
    with tempfile.TemporaryDirectory(prefix="ph-pictures-") as directory:
        os.environ |= {
            "PILOTHOUSE_ROOT": f"{directory}/root",
            "PILOTHOUSE_RUN": f"{directory}/run",
            "XDG_STATE_HOME": f"{directory}/state",
            "XDG_CONFIG_HOME": f"{directory}/config",
            "COLORTERM": "truecolor",
        }
        settings = Settings.load()
        PICTURES.mkdir(exist_ok=True)
        pilothouse(["demo", "--no-dash"])
        try:
            asyncio.run(_take_all(settings, names))
        finally:
            asyncio.run(_clean(settings))
    return 0


async def _clean(settings: Settings) -> None:
    async with Engine.open(settings) as engine:
        for container in await engine.containers():
            await engine.remove(container.id, force=True, volumes=True)
    pilothouse(["demo", "--clean"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
