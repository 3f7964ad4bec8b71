"""A command line that is killed, as by kill -9, when it comes to a named point: `python -m tests.engine.faults.dying`.

Arguments: WHO POINT WHEN FILE WORD... WHO is cli, monitor or finish (the command that a monitor runs at the end), or
interrupted: the command line, which gets ctrl-C's signal instead. POINT is module.function without `engine.`; WHEN is
call or return, for the first of them. FILE, with the process ID, is made when it has come to that. With POINT `list`
nobody is killed, and the points that were passed are written to FILE, one a line.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType


def watch(point: str, when: str, path: str, number: int = signal.SIGKILL) -> None:
    """From now on this process gets a signal when it comes to the point for the first time."""

    def profile(frame: FrameType, event: str, _: object) -> None:
        if event == when and name(frame) == point and not os.path.lexists(path):
            file = os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            os.write(file, str(os.getpid()).encode())
            os.close(file)
            Path(f"{path}.new").rename(path)
            os.kill(os.getpid(), number)

    threading.setprofile(profile)
    sys.setprofile(profile)


def record(path: str) -> None:
    """Write every point of ours that this process passes, at its first time."""
    seen: set[str] = set()
    process = os.getpid()

    def profile(frame: FrameType, event: str, _: object) -> None:
        line = f"{name(frame)} {event}"
        if event in ("call", "return") and name(frame) and line not in seen and os.getpid() == process:
            seen.add(line)
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            os.write(file, f"{line}\n".encode())
            os.close(file)

    threading.setprofile(profile)
    sys.setprofile(profile)


def name(frame: FrameType) -> str:
    """module.function of a frame, without the package in front; empty for what is not ours."""
    module = frame.f_globals.get("__name__") or ""
    return f"{module.removeprefix('engine.')}.{frame.f_code.co_qualname}" if module.startswith("engine.") else ""


def main() -> int:
    who, point, when, path, *words = sys.argv[1:]
    here = f"sys.path.append({str(Path.cwd())!r}); from tests.engine.faults import dying"
    act = f"record({path!r})" if point == "list" else f"watch({point!r}, {when!r}, {path!r})"
    if who == "monitor":
        from engine.runtime import spawn

        code = f"{here}; dying.{act}; main()".replace("{", "{{").replace("}", "}}")
        spawn._BOOTSTRAP = spawn._BOOTSTRAP.replace("main()", code)
    elif who == "finish":
        from engine.containers import lifecycle

        plain = lifecycle.exit_command

        def exit_command(*arguments: object) -> list[str]:
            python, isolated, flag, code, *rest = plain(*arguments)  # type: ignore[arg-type]
            return [python, isolated, flag, code.replace("sys.exit(", f"{here}; dying.{act}; sys.exit("), *rest]

        lifecycle.exit_command = exit_command
    from engine.cli.main import main as command

    if who == "interrupted":
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job is born deaf to it
        watch(point, when, path, signal.SIGINT)
    elif who == "cli":
        watch(point, when, path) if point != "list" else record(path)
    return command(words)


if __name__ == "__main__":
    sys.exit(main())
