"""A file about a failure nobody foresaw, so that the screen shows one sentence and no traceback."""

from __future__ import annotations

import os
import time
import traceback
from pathlib import Path


def reports_directory() -> Path:
    """`$XDG_STATE_HOME/pilothouse/reports`."""
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(state) / "pilothouse" / "reports"


def write_report(error: BaseException, doing: str, directory: Path | None = None) -> str:
    """Write what was being done and the traceback to a private file.

    Returns its path, or "" where it cannot be written (a full disk must not hide the first failure).
    """
    folder = directory or reports_directory()
    stamp = time.strftime("%Y%m%d-%H%M%S")
    path = folder / f"{stamp}-{os.getpid()}.txt"
    text = "".join(traceback.format_exception(error))
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w", encoding="utf-8") as file:
            file.write(f"While: {doing}\n\n{text}\n")
    except OSError:
        return ""
    return str(path)
