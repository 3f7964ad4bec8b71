"""How a container ended, in a word for its row."""

from __future__ import annotations

import signal

from engine.models import Container, State
from tui import format as short

_WORDS = {125: "no start", 126: "no exec", 127: "not found"}


def signal_name(exit_code: int) -> str:
    """The signal that an exit code of 128+n stands for; empty if it stands for none."""
    try:
        return signal.Signals(exit_code - 128).name if exit_code > 128 else ""
    except ValueError:
        return ""


def words(container: Container) -> tuple[str, ...]:
    """running, exit 0, exit 1, exit 137 oom; with the reason apart: `exit 127`, ` not found`."""
    text = short.state(container)
    if container.state is State.EXITED and container.oom_killed:
        return text.removesuffix(" oom"), " oom"
    if container.state is not State.EXITED:
        return (text,)
    why = _WORDS.get(container.exit_code) or signal_name(container.exit_code)
    return (text, f" {why}") if why else (text,)


def word(container: Container) -> str:
    return "".join(words(container))
