"""What the dashboard remembers from one run to the next, in one small file."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


def path() -> Path:
    """`$XDG_STATE_HOME/pilothouse/dashboard.json`."""
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(state) / "pilothouse" / "dashboard.json"


def recall() -> dict[str, Any]:
    """Everything remembered; nothing if there is no file or it cannot be understood.

    Whoever uses a value checks its type and its range: the file may be of another version, or damaged.
    """
    try:
        found = json.loads(path().read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def remember(**values: Any) -> bool:
    """Add to what is remembered; False where it cannot be written.

    The file is replaced as a whole: one that is cut short by a crash or a full disk is never seen under its name.
    """
    file = path()
    temporary = file.with_suffix(f".{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        text = json.dumps(recall() | values, indent=2) + "\n"
        try:
            with open(temporary, "w", encoding="utf-8") as out:
                out.write(text)
                out.flush()
                os.fsync(out.fileno())
            temporary.replace(file)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
    except OSError:
        return False
    return True


def theme(configured: str) -> str:
    """The theme chosen last, unless config.toml has come to name another one since; "" if there is neither."""
    found = recall()
    chosen, over = found.get("theme"), found.get("theme_over", "")
    return chosen if isinstance(chosen, str) and over == configured else configured


def remember_theme(name: str, configured: str) -> bool:
    """Keep a theme for the next run, although config.toml names `configured`."""
    return remember(theme=name, theme_over=configured)
