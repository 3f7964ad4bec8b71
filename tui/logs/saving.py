"""Saving what the log viewer shows to a file."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from engine.logs.sanitise import plain
from tui.logs.layout import last_state, time_text
from tui.logs.matches import Places
from tui.logs.shown import Source, all_lines


def file_name(container: str) -> str:
    """A name to propose."""
    name = re.sub(r"[^\w.-]+", "_", container) or "container"
    return f"{name}-{time.strftime('%Y%m%d-%H%M%S')}.log"


def save(
    path: Path,
    source: Source,
    admitted: Places | None,
    time_mode: str,
    names: Sequence[str],
    cancelled: Callable[[], bool],
) -> int:
    """Write every shown line to a new file; how many. For a worker thread. Raises OSError, also if the file exists."""
    now = time.time()
    count = 0
    with path.open("x", encoding="utf-8") as file:
        for line in all_lines(source, admitted):
            if cancelled():
                break
            shown = time_text(line.stamp, time_mode, now)
            name = names[line.origin] if names else ""
            head = " ".join(part for part in (shown, name) if part)
            file.write((head + " " if head else "") + plain(last_state(line.text)) + "\n")
            count += 1
    return count
