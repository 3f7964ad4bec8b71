"""`pilothouse top`: the processes of a container, as ps(1) shows them."""

from __future__ import annotations

import os
import time

from engine.cli.drive import drive, opened
from engine.cli.flags import RUNNING, Arguments, Command
from engine.cli.listing import table
from engine.cli.terminal import put
from engine.errors import EngineError, InvalidInput
from engine.models import Process

COMMAND = Command(
    "top",
    "CONTAINER [ps OPTIONS]",
    "Display the running processes of a container",
    minimum=1,
    arguments=RUNNING,
    interspersed=False,
)
_HEADINGS = ("UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD")


def run(args: Arguments) -> int:
    name, *options = args.words
    with opened(args) as engine:
        processes = drive(engine.top(name))
    rows = _by_ps(options, {process.pid for process in processes}) if options else _rows(processes)
    put(table(rows))
    return 0


def _rows(processes: list[Process]) -> list[tuple[str, ...]]:
    """What `ps -ef` would show, with the container's own names of users."""
    now = time.time()
    return [_HEADINGS, *(_row(process, now) for process in processes)]


def _row(process: Process, now: float) -> tuple[str, ...]:
    lived = max(now - process.started, 0.01)
    share = min(99, int(100 * process.cpu_seconds / lived))
    seconds = int(process.cpu_seconds)
    today = lived < 86_400
    return (
        process.user,
        str(process.pid),
        str(process.parent),
        str(share),
        time.strftime("%H:%M" if today else "%b%d", time.localtime(process.started)),
        process.terminal,
        f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}",
        " ".join(process.command) or f"[{process.name}]",
    )


def _by_ps(options: list[str], pids: set[int]) -> list[list[str]]:
    """The lines the host's ps(1) has for these processes; Docker hands its options on in the same way.

    Raises InvalidInput when the options leave out the column PID.
    """
    import subprocess

    try:
        done = subprocess.run(["ps", *options], capture_output=True, env={**os.environ, "COLUMNS": "10000"})
    except FileNotFoundError:
        raise EngineError("there is no ps on this machine", hint="leave the ps options out") from None
    if done.returncode:
        complaint = done.stderr.decode(errors="replace").strip().partition("\n")[0]
        raise InvalidInput(f"ps: {complaint or 'failed'}")
    heading, *lines = done.stdout.decode("utf-8", "surrogateescape").splitlines()
    titles = heading.split()
    if "PID" not in titles:
        raise InvalidInput(
            "Couldn't find PID field in ps output", hint="let the options show it, as `-o pid,args` does"
        )
    place, last = titles.index("PID"), len(titles) - 1
    rows = [line.split(None, last) for line in lines]
    return [titles, *(row for row in rows if len(row) > place and row[place].isdigit() and int(row[place]) in pids)]
