"""Who started a container: a user, what starts on behalf of one, or its restart policy."""

from __future__ import annotations

import json
import os

from engine.runtime.status import status
from engine.settings import Settings

KEY = "started_by"  # in monitor.json, which is written anew for every start
POLICY = "its restart policy"


def starter(settings: Settings) -> str:
    """Who a start by this process is to be put down to: whom the settings name, else the user that ran the command.

    Whoever became root by sudo is still who they are (sudo(8), SUDO_USER).
    """
    return settings.starter or _user()


def started_by(settings: Settings, container_id: str) -> str:
    """Who began the last run of a container: `you`, another user, "the demo"; "" if nobody has written it down."""
    if status(settings, container_id).restart_count:
        return POLICY
    try:
        told = json.loads((settings.container_dir(container_id) / "monitor.json").read_text())
    except (OSError, ValueError):
        return ""
    found = told.get(KEY, "") if isinstance(told, dict) else ""
    return "you" if found and found == _user() else str(found)


def _user() -> str:
    import pwd

    uid = os.getuid()
    if uid == 0 and (name := os.environ.get("SUDO_USER")):
        return name
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
