"""An application that is nothing but a log viewer, and what its tests do with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from textual.app import App, ComposeResult
from textual.pilot import Pilot

from engine.runtime.logfile import LogWriter
from tui.logs.status import StatusChanged
from tui.logs.view import LogView

EPOCH = 1_700_000_000


class Viewer(App[None]):
    """Nothing but a log viewer."""

    def __init__(self) -> None:
        super().__init__()
        self.status: StatusChanged | None = None
        self.said: list[str] = []
        self.merges = 0  # how often merging was asked for

    def compose(self) -> ComposeResult:
        yield LogView()

    @property
    def view(self) -> LogView:
        return self.query_one(LogView)

    @property
    def screen_rows(self) -> list[str]:
        return [self.view.body.render_line(y).text.rstrip()[:-1].rstrip() for y in range(self.view.body.size.height)]

    @property
    def texts(self) -> list[str]:
        return [row[2:] for row in self.screen_rows if row]

    def on_log_view_status_changed(self, message: StatusChanged) -> None:
        self.status = message

    def on_log_view_merge_wanted(self) -> None:
        self.merges += 1

    def notify(self, message: str, **options: object) -> None:  # type: ignore[override]
        self.said.append(message)


async def until(pilot: Pilot, condition: Callable[[], object]) -> None:
    """Wait for what worker threads and files bring about."""
    for _ in range(400):
        await pilot.pause(0.01)
        if condition():
            return
    raise AssertionError(f"never came: {pilot.app.screen_rows} {pilot.app.status}")


def numbered(log: LogWriter, count: int, start: int = 0) -> None:
    log.write("stdout", b"".join(b"line %d\n" % number for number in range(start, start + count)))


async def shown(pilot: Pilot, directory: Path, *, ended: str = "", time_mode: str = "off") -> Viewer:
    app = pilot.app
    assert isinstance(app, Viewer)
    app.view.body.time_mode = time_mode
    app.view.show("c1", "web", str(directory), ended)
    app.view.focus_log()
    await pilot.pause()
    return app
