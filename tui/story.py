"""What happened to a container, in words: why it ended, or how it does."""

from __future__ import annotations

import signal
import time

from engine.models import Container, State
from tui import format as short
from tui.sanitize import plain


def reading(container: Container) -> str:
    """What the exit code means (docker-run(1), "EXIT STATUS"; 128+n is a signal by the shell's convention)."""
    code = container.exit_code
    if container.oom_killed:
        return "it needed more memory than its limit: the kernel killed it"
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
            "SIGKILL": "killed (by `kill`, or by `stop` after the grace was over)",
            "SIGTERM": "it was asked to end (SIGTERM)",
            "SIGINT": "it was interrupted (SIGINT)",
            "SIGSEGV": "it crashed: it touched memory that is not its own (SIGSEGV)",
            "SIGABRT": "it gave itself up (SIGABRT): a failed check in the program",
        }
        return why.get(name, f"ended by {name}")
    return f"it chose to stop (exit {code}); not killed, no OOM"


def story(container: Container, now: float | None = None) -> str:
    """One sentence for the status row."""
    now = time.time() if now is None else now
    name = plain(container.name)
    if container.state is State.RUNNING:
        length = f" for {short.span(now - container.started)}" if container.started else ""
        again = f", restarted {container.restart_count} times" if container.restart_count else ""
        checks = f"; {container.failing_streak} health checks in a row have failed" if container.failing_streak else ""
        return f"{name} {'has run' if length else 'runs'} {plain(container.image)}{length}{again}{checks}."
    if container.state is State.PAUSED:
        return f"{name} is paused: its processes stand still and keep their memory."
    if container.state is State.RESTARTING:
        return f"{name} ended with {container.exit_code} and will be started again by its restart policy."
    if container.state is State.CREATED:
        return (
            f"{name} has not been started: {plain(container.error)}"
            if container.error
            else f"{name} has not been started yet."
        )
    ran = (
        f" after {short.took(container.finished - container.started)}"
        if container.finished > container.started > 0
        else ""
    )
    return f"{name} ended {short.since(container, now)}{ran}: {reading(container)}."
