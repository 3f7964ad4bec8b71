"""`python -m tests.bench.logview DIRECTORY...`: a log viewer in this terminal that answers each `X` with a row.

Of several directories the logs are merged. With a number of seconds after them: floods the logs for so long instead.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from itertools import cycle
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.widgets import Static

from engine.runtime.logfile import LogWriter
from tui.logs.view import LogView

RATE = 100_000  # lines a second
_BATCH = 1000  # lines a write, as many as a pipe's worth of short ones


class Answering(App[None]):
    """The key's effect is painted by the same loop that paints the log."""

    BINDINGS: ClassVar[list[BindingType]] = [("X", "answer", "")]

    def __init__(self, *directories: str) -> None:
        super().__init__()
        self.directories = directories
        self.count = 0
        self.label = Static("K000000")

    def compose(self) -> ComposeResult:
        yield self.label
        yield LogView()

    def on_mount(self) -> None:
        view = self.query_one(LogView)
        if len(self.directories) > 1:
            view.show_merged([(f"c{n}", f"bench-{n}", directory) for n, directory in enumerate(self.directories)])
        else:
            view.show("c", "bench", self.directories[0])
        view.focus_log()

    def action_answer(self) -> None:
        self.count += 1
        self.label.update(f"K{self.count:06d}")


def flood(directories: Sequence[str], seconds: float) -> None:
    """Write RATE lines a second, as the containers' monitors do."""
    writers = cycle([LogWriter(directory) for directory in directories])
    begun = time.monotonic()
    written = 0
    while (elapsed := time.monotonic() - begun) < seconds:
        if written < elapsed * RATE:
            next(writers).write("stdout", b"".join(b"a line of a flood, number %d\n" % n for n in range(_BATCH)))
            written += _BATCH
        else:
            time.sleep(0.002)
    print(f"{written / seconds:,.0f} lines/s written")


if __name__ == "__main__":
    *directories, last = sys.argv[1:]
    if last.replace(".", "").isdecimal():
        flood(directories, float(last))
    else:
        os.environ.setdefault("TERM", "xterm-256color")
        Answering(*directories, last).run()
