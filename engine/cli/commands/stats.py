"""`pilothouse stats`: what containers use of the machine."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from engine.cli.drive import drive, opened
from engine.cli.flags import RUNNING, Arguments, Command, Flag
from engine.cli.listing import listing
from engine.cli.rows import Row, fixed_row
from engine.cli.terminal import put
from engine.cli.units import binary_size, human_size

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.engine import Engine
    from engine.models import Container, Stats

COMMAND = Command(
    "stats",
    "[OPTIONS] [CONTAINER...]",
    "Show what containers use of the machine, live",
    (
        Flag("all", bool, "Show all containers (default shows just running)", short="a"),
        Flag("format", str, "Format output: 'table', 'table TEMPLATE', 'json' or a Go template"),
        Flag("no-stream", bool, "Show one reading and end"),
        Flag("no-trunc", bool, "Do not truncate output"),
    ),
    arguments=RUNNING,
)
HEADERS = {
    "ID": "CONTAINER ID",
    "Container": "CONTAINER",
    "Name": "NAME",
    "CPUPerc": "CPU %",
    "MemUsage": "MEM USAGE / LIMIT",
    "MemPerc": "MEM %",
    "NetIO": "NET I/O",
    "BlockIO": "BLOCK I/O",
    "PIDs": "PIDS",
}
TABLE = ("ID", "Name", "CPUPerc", "MemUsage", "MemPerc", "NetIO", "BlockIO", "PIDs")
PERIOD = 1.0  # seconds between two readings; shares of the CPU are taken over it


def run(args: Arguments) -> int:
    clear = "\x1b[H\x1b[J" if sys.stdout.isatty() and not args.no_stream else ""
    with opened(args) as engine:
        for name in args.words:
            drive(engine.container(name))
        before = _readings(engine, _chosen(engine, args))
        while True:
            time.sleep(PERIOD)
            containers = _chosen(engine, args)
            now = _readings(engine, containers)
            rows = [_row(one, before.get(one.id), now.get(one.id), args.no_trunc) for one in containers]
            text = listing(rows, args.format, HEADERS, TABLE)
            sys.stdout.write(clear)
            put(text)
            sys.stdout.flush()
            if args.no_stream:
                return 0
            before = now


def _chosen(engine: Engine, args: Arguments) -> list[Container]:
    """The containers of the table: those named and still there, or those that run, or all."""
    wanted = args.words
    return [
        one
        for one in drive(engine.containers())
        if (any(one.name == name or one.id.startswith(name) for name in wanted) if wanted else one.running or args.all)
    ]


def _readings(engine: Engine, containers: list[Container]) -> Mapping[str, Stats]:
    running = [one.id for one in containers if one.running]
    return {reading.container_id: reading for reading in drive(engine.stats(running))}


def _row(container: Container, before: Stats | None, now: Stats | None, whole_id: bool) -> Row:
    values = {
        "ID": container.id if whole_id else container.short_id,
        "Container": container.id if whole_id else container.short_id,
        "Name": container.name,
        "CPUPerc": "--",
        "MemUsage": "-- / --",
        "MemPerc": "--",
        "NetIO": "--",
        "BlockIO": "--",
        "PIDs": "--",
    }
    if now is not None:
        passed = now.time - before.time if before else 0.0
        used = now.cpu_seconds - before.cpu_seconds if before else 0.0
        values["CPUPerc"] = f"{100 * used / passed if passed > 0 else 0:.2f}%"
        values["MemUsage"] = f"{binary_size(now.memory)} / {binary_size(now.memory_limit)}"
        values["MemPerc"] = f"{100 * now.memory / now.memory_limit if now.memory_limit else 0:.2f}%"
        values["NetIO"] = f"{human_size(now.received)} / {human_size(now.sent)}"
        values["BlockIO"] = f"{human_size(now.read)} / {human_size(now.written)}"
        values["PIDs"] = str(now.pids)
    return fixed_row(values)
