"""`python -m tests.bench [NAME...]`: our figures and their ratios to docker's and podman's, taken in turns.

Wants an installed Pilothouse, root, and a registry with library/{busybox,python} (REGISTRY, default 127.0.0.1:5000).
docker is asked where DOCKER_HOST says. ROUNDS (15) are the runs of which the median is taken.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench import commands, flame, growth, output, pulls, rest, traffic, warm
from tests.bench.peers import BUSYBOX, ROUNDS, Peer, discard, fresh_root, installed, pilothouse
from tests.bench.table import Table

CASES: dict[str, Callable[[Table, list[Peer]], None]] = {
    "run": commands.run,
    "detached": commands.detached,
    "lists": commands.lists,
    "many": commands.many,
    "warm": warm.warm,
    "growth": growth.growth,
    "memory": rest.memory,
    "idle": rest.idle,
    "traffic": traffic.traffic,
    "capture": output.capture,
    "logs": output.logs,
    "pull": pulls.pull,
}

LIMIT = int(os.environ.get("BENCH_LIMIT", "600"))  # seconds for one of them
README = Path(__file__).resolve().parents[2] / "README.md"
BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"what to measure: {', '.join(CASES)}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the table there as well")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="and there, as README shows it")
    parser.add_argument("--readme", type=Path, metavar="FILE", help="only put the table of this JSON into README.md")
    parser.add_argument("--profile", type=Path, metavar="FILE", help="only draw a flame graph of our run --rm (SVG)")
    chosen = parser.parse_args()
    if chosen.readme:
        write_readme(Table.read_json(chosen.readme))
        return
    if unknown := set(chosen.names) - CASES.keys():
        parser.error(f"no such measurement: {', '.join(sorted(unknown))}")
    directory = fresh_root()
    own = pilothouse(directory / "root")
    try:
        own("pull", "-q", BUSYBOX)
        if chosen.profile:
            flame.draw(["run", "--rm", BUSYBOX, "true"], chosen.profile, own.environment)
        else:
            _measure(chosen, own)
    finally:
        discard(directory)


def _measure(chosen: argparse.Namespace, own: Peer) -> None:
    peers, table, begun = installed(), Table(), time.monotonic()
    print(f"peers: {', '.join(peer.name for peer in peers) or 'none'}; medians of {ROUNDS} rounds, in turns")
    broken = []
    signal.signal(signal.SIGALRM, _is_late)
    try:
        for name in chosen.names or list(CASES):
            for peer in peers:
                peer("pull", "-q", BUSYBOX)
            since = time.monotonic()
            signal.alarm(LIMIT)
            try:
                CASES[name](table, [own, *peers])
            except (RuntimeError, OSError, subprocess.SubprocessError) as error:  # the other measurements go on
                broken.append(name)
                print(f"{name}: {error}", flush=True)
            finally:
                signal.alarm(0)
            print(f"({name}: {time.monotonic() - since:.0f} seconds)", flush=True)
    finally:
        if chosen.json:
            table.write_json(chosen.json)
        if chosen.markdown:
            chosen.markdown.write_text(table.markdown())
    print(f"{time.monotonic() - begun:.0f} seconds")
    if broken:
        raise SystemExit(f"not measured: {', '.join(broken)}")


def _is_late(*_: object) -> None:
    raise TimeoutError(f"was not over after {LIMIT} seconds")


def write_readme(table: Table) -> None:
    """Put the table between its two marks in README.md."""
    before, rest = README.read_text().split(BEGIN)
    README.write_text(f"{before}{BEGIN}\n{table.markdown()}{END}{rest.split(END)[1]}")


main()
