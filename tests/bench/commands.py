"""What a user waits for at the command line: runs, stops, lists, and a hundred containers at once."""

from __future__ import annotations

import os
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from tests.bench.bundle import bare_bundle
from tests.bench.peers import BUSYBOX, ROUNDS, Peer, interleaved, median_of, timed
from tests.bench.table import Table

MANY = 100
AT_ONCE = 8  # commands in flight of `many`


def run(table: Table, everyone: list[Peer]) -> None:
    """A short container, the whole command: default network, none, and with a published port."""
    with bare_bundle() as bundle:
        floors = {"unshare + exec": median_of(ROUNDS, "unshare", "-mpuinf", "true")}
        for runtime in filter(shutil.which, ("runc", "crun")):
            line = (runtime, "run", "--bundle", str(bundle), f"ph-bench-{os.getpid()}")
            try:
                floors[f"{runtime} run of a bundle"] = median_of(ROUNDS, *line)
            except RuntimeError as error:  # such as crun's, where cgroups of both versions are mounted
                print(error, flush=True)
    for what, words, goal in (
        ("run --rm busybox true", (), 0.30),
        ("run --rm -p 18970:80", ("-p", "18970:80"), 0.33),
        ("run --rm --network none", ("--network", "none"), None),
    ):
        cases = [(peer.name, timed(peer, "run", "--rm", *words, BUSYBOX, "true")) for peer in everyone]
        table.milliseconds(what, interleaved(ROUNDS, cases), goal, floors)
        floors = {}


def detached(table: Table, everyone: list[Peer]) -> None:
    """run -d, and stop -t 0."""
    stops: dict[str, float] = {}

    def start_and_stop(peer: Peer) -> float:
        begin = time.perf_counter()
        name = peer("run", "-d", BUSYBOX, "sleep", "600").stdout.strip()
        middle = time.perf_counter()
        peer("stop", "-t", "0", name)
        stops[peer.name] = stops.get(peer.name, 0) + time.perf_counter() - middle
        peer("rm", name)
        return middle - begin

    medians = interleaved(ROUNDS, [(peer.name, lambda peer=peer: start_and_stop(peer)) for peer in everyone])
    table.milliseconds("run -d", medians)
    table.milliseconds("stop -t 0", {name: total / ROUNDS for name, total in stops.items()})


def lists(table: Table, everyone: list[Peer]) -> None:
    """The commands that only look, with 50 containers there."""
    made = {peer.name: [peer("create", BUSYBOX, "true").stdout.strip() for _ in range(50)] for peer in everyone}
    logged = {peer.name: peer("run", "-d", BUSYBOX, "seq", "1000").stdout.strip() for peer in everyone}
    try:
        floors = {"bare interpreter": median_of(ROUNDS, sys.executable, "-I", "-S", "-c", "pass")}
        for what, line in (
            ("ps -a, 50 containers", "ps -a"),
            ("images", "images"),
            ("--version", "--version"),
        ):
            medians = interleaved(ROUNDS, [(peer.name, timed(peer, *line.split())) for peer in everyone])
            table.milliseconds(what, medians, {"podman": 1.2}, floors)
            floors = {}
        cases = [(peer.name, timed(peer, "logs", "--tail", "10", logged[peer.name])) for peer in everyone]
        table.milliseconds("logs --tail 10", interleaved(ROUNDS, cases), {"podman": 1.2})
    finally:
        for peer in everyone:
            peer("rm", "-f", *made[peer.name], logged[peer.name])


def many(table: Table, everyone: list[Peer]) -> None:
    """A hundred containers started at once, then removed. Once each, and not by podman: it would take minutes."""
    figures: dict[str, float] = {}
    for peer in everyone:
        if peer.name != "podman":
            figures[peer.name] = _started_and_removed(peer)
    table.add(f"{MANY} containers started, {AT_ONCE} at once, removed", figures, unit="s", goal={"docker": 0.4})


def _started_and_removed(peer: Peer) -> float:
    names: list[str] = []

    def start(_: int) -> None:
        names.append(peer("run", "-d", BUSYBOX, "sleep", "600").stdout.strip())

    begin = time.perf_counter()
    try:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(start, range(MANY)))
    finally:  # also of those that were started before one failed
        peer("rm", "-f", *names)
    return time.perf_counter() - begin
