"""Which archive to load."""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path

from textual.app import ComposeResult
from textual.suggester import Suggester
from textual.widgets import Input, Static

from tui import format as short
from tui.dialogs.dialog import Dialog
from tui.sanitize import plain

HELP = "What docker save, podman save or pilothouse save wrote, or an OCI layout in a tar; gzip and zstd too."


class AskArchive(Dialog[str]):
    """Answers with the path of a file."""

    def __init__(self) -> None:
        super().__init__("Load an archive", "enter load in the background  esc close")

    def inside(self) -> ComposeResult:
        yield Input(
            placeholder="path of a tar, such as ~/image.tar; → takes what is offered",
            compact=True,
            suggester=_Paths(use_cache=False, case_sensitive=True),
        )
        yield Static(HELP, id="verdict", markup=False)

    def on_input_changed(self, event: Input.Changed) -> None:
        self.app.behind(self, "looking at a file", self._look, event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.app.behind(self, "looking at a file", self._look, event.value, True)

    async def _look(self, text: str, go: bool = False) -> None:
        good, words = await asyncio.to_thread(_verdict, text)
        self.query_one("#verdict", Static).update(words)
        if good and go:
            self.dismiss(str(_path(text)))


class _Paths(Suggester):
    """The first name in the directory that goes on as what was typed; a directory with its slash."""

    async def get_suggestion(self, value: str) -> str | None:
        return await asyncio.to_thread(_continued, value)


def _continued(value: str) -> str | None:
    directory, _, begun = value.rpartition("/")
    try:
        with os.scandir(_path(f"{directory}/") if "/" in value else ".") as found:
            fitting = [one for one in found if one.name.startswith(begun) and (begun or not one.name.startswith("."))]
    except OSError:
        return None  # nothing to offer
    first = min(fitting, key=lambda one: one.name, default=None)
    if first is None or plain(first.name) != first.name:
        return None
    return value + first.name[len(begun) :] + ("/" if first.is_dir() else "")


def _path(text: str) -> Path:
    path = Path(text.strip())
    try:
        return path.expanduser().absolute()
    except RuntimeError:  # `~nobody`
        return path.absolute()


def _verdict(text: str) -> tuple[bool, str]:
    """Whether it can be read as a file, and what to say under the field."""
    if not text.strip():
        return False, HELP
    path = _path(text)
    try:
        status = path.stat()
    except OSError as error:
        return False, f"✗ {plain(error.strerror or str(error))}"
    if stat.S_ISDIR(status.st_mode):
        return False, "✗ a directory; an archive is a file"
    size = f"{short.size(status.st_size)}  " if stat.S_ISREG(status.st_mode) else ""
    return True, f"→ {size}{plain(str(path))}"
