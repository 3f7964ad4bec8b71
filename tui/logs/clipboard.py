"""The system's clipboard, for terminals that do not take what programs copy (OSC 52)."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping

_PROGRAMS = (  # what must be set in the environment, the command
    ("WAYLAND_DISPLAY", ("wl-copy",)),
    ("DISPLAY", ("xclip", "-selection", "clipboard")),
    ("DISPLAY", ("xsel", "--clipboard", "--input")),
    ("WSL_DISTRO_NAME", ("clip.exe",)),
)
_SECONDS = 3.0  # for a program whose display does not answer


def program(environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """The command that takes the clipboard's text on its stdin; empty if there is none here."""
    for variable, command in _PROGRAMS:
        if environment.get(variable):
            found = shutil.which(command[0], path=environment.get("PATH"))
            if found:
                return (found, *command[1:])
    return ()


def put(text: str, command: tuple[str, ...]) -> bool:
    """Give text to the program. Blocks for a moment, so call it in a thread; False if the program failed."""
    try:
        # It goes on in the background to serve the clipboard: it must hold nothing of ours.
        done = subprocess.run(
            command,
            input=text.encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_SECONDS,
            check=False,
            start_new_session=True,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
