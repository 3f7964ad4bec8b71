"""What happened to a container, in words: why it ended, or how it does."""

from __future__ import annotations

import signal
import time

from engine.models import Container, State
from tui import format as short
from tui.sanitize import plain

_RUNTIME_SAID = "OCI runtime create failed: "  # before what went wrong, in Docker's words


def reading(container: Container) -> str:
    """What the exit code means (docker-run(1), "EXIT STATUS"; 128+n is a signal by the shell's convention)."""
    code = container.exit_code
    if container.oom_killed:
        return "killed by the kernel at its memory limit"
    if container.error:
        return plain(container.error)
    if code == 0:
        return "it finished its work (exit 0)"
    if code == 125:
        return "the engine could not start it"
    if code == 126:
        return "its command is there and cannot be executed"
    if code == 127:
        return "its command was not found in the image"
    if code > 128:
        try:
            name = signal.Signals(code - 128).name
        except ValueError:
            return f"it ended with {code}"
        why = {
            "SIGKILL": "killed (`kill`, or `stop` after its grace)",
            "SIGTERM": "it was asked to end (SIGTERM)",
            "SIGINT": "it was interrupted (SIGINT)",
            "SIGSEGV": "it crashed on memory not its own (SIGSEGV)",
            "SIGABRT": "it gave itself up: a check failed (SIGABRT)",
        }
        return why.get(name, f"ended by {name}")
    return f"it chose to stop (exit {code}); no kill, no OOM"


def story(container: Container, now: float | None = None) -> str:
    """One sentence for the status row."""
    now = time.time() if now is None else now
    name = plain(container.name)
    if container.state is State.RUNNING:
        length = f" for {short.span(now - container.started)}" if container.started else ""
        again = f", restarted {container.restart_count} times" if container.restart_count else ""
        verb = "has run" if length else "runs"
        if container.failing_streak:  # the image stands in the list: the row has room for what is wrong
            return f"{name} {verb}{length}{again}; {container.failing_streak} health checks in a row have failed."
        return f"{name} {verb} {plain(container.image)}{length}{again}."
    if container.state is State.PAUSED:
        return f"{name} is paused: its processes stand still and keep their memory."
    if container.state is State.RESTARTING:
        return f"{name} ended with {container.exit_code} and will be started again by its restart policy."
    if container.state is State.CREATED:
        return (
            f"{name} could not be started: {plain(container.error).removeprefix(_RUNTIME_SAID)}."
            if container.error
            else f"{name} has not been started yet."
        )
    ran = short.ran(container)
    after = f" after {ran}" if ran else ""
    return f"{name} ended {short.since(container, now)}{after}: {reading(container)}."
