"""A published port, from the host's 127.0.0.1 and from another network namespace: throughput, and small requests."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import statistics
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from engine.linux import namespaces
from tests.bench.peers import BUSYBOX, Peer
from tests.bench.table import Table

FIRST_PORT = 18980
MEGABYTES = 200
STREAMS = 5
REQUESTS = 300
SERVER = (
    f"mkdir /www; dd if=/dev/zero of=/www/big bs=1M count={MEGABYTES} 2>/dev/null; echo hello > /www/small;"
    " touch /www/ready; exec httpd -f -p $0 -h /www"
)
ELSEWHERE, HOST, PREFIX = "ph-bench", "198.51.100.1", 30  # TEST-NET-2, RFC 5737
FLOOR = "floor"  # no mapping: from here the address of our container, from elsewhere a server on the host itself
PATIENCE = 5.0  # seconds for a first answer; whoever gives none is left out (another's firewall may be in the way)

Place = tuple[str, int]


def traffic(table: Table, everyone: list[Peer]) -> None:
    """The same busybox httpd behind each engine; they take turns."""
    own = everyone[0]
    ports = {peer.name: FIRST_PORT + number for number, peer in enumerate(everyone)}
    bare = FIRST_PORT + len(everyone)
    names: list[tuple[Peer, str]] = []

    def serve(peer: Peer, port: int, *words: str) -> None:
        names.append((peer, peer("run", "-d", *words, BUSYBOX, "sh", "-c", SERVER, str(port)).stdout.strip()))

    try:
        for peer in everyone:
            serve(peer, 80, "-p", f"{ports[peer.name]}:80")
        serve(own, bare, "--network", "host")
        for port in (*ports.values(), bare):
            _until_ready(("127.0.0.1", port))
        inner = json.loads(own("inspect", names[0][1]).stdout)[0]["NetworkSettings"]["IPAddress"]
        with ThreadPoolExecutor(1) as here:
            _measure(table, "from 127.0.0.1", _places("127.0.0.1", ports) | {FLOOR: (inner, 80)}, here)
        with _elsewhere() as there:
            _measure(table, "from another namespace", _places(HOST, ports) | {FLOOR: (HOST, bare)}, there)
    finally:
        for peer, name in names:
            peer("rm", "-f", name)


def _places(host: str, ports: dict[str, int]) -> dict[str, Place]:
    return {name: (host, port) for name, port in ports.items()}


def _measure(table: Table, whence: str, places: dict[str, Place], client: ThreadPoolExecutor) -> None:
    for name, place in list(places.items()):
        try:
            client.submit(_get, place, "/ready", PATIENCE).result()
        except OSError as error:
            del places[name]
            print(f"{name} is not reached {whence}: {error}", flush=True)
    bulk: dict[str, list[float]] = {name: [] for name in places}
    small: dict[str, list[float]] = {name: [] for name in places}
    for _ in range(STREAMS):
        for name, place in places.items():
            bulk[name].append(MEGABYTES / client.submit(_get, place, "/big").result())
    for _ in range(REQUESTS):
        for name, place in places.items():
            small[name].append(client.submit(_get, place, "/small").result())
    medians = {name: statistics.median(values) for name, values in bulk.items()}
    floors = {"plain veth": medians.pop(FLOOR)}
    what = f"published port {whence}"
    table.add(f"{what}, one stream", medians, unit="MB/s", goal={"docker": 1.0}, more=True, floors=floors)
    microseconds = {name: statistics.median(values) * 1e6 for name, values in small.items()}
    floors = {"plain veth": microseconds.pop(FLOOR)}
    table.add(f"{what}, a small request", microseconds, unit="µs", goal={"docker": 1.0}, floors=floors)


@contextlib.contextmanager
def _elsewhere() -> Iterator[ThreadPoolExecutor]:
    """A thread in a network namespace of its own, which a veth pair joins to the host: another machine, nearly.

    Its packets are no larger than what other machines can send to this one. Our bridge takes that size over, Docker's
    has 1500 bytes whatever the way out can carry: between wider links that alone would give it a fifth more.
    """
    address = ".".join([*HOST.split(".")[:3], str(int(HOST.split(".")[3]) + 1)])
    mtu = str(_mtu_outwards())
    _ip("netns", "add", ELSEWHERE)
    try:
        there = ("peer", "name", "eth0", "mtu", mtu, "netns", ELSEWHERE)
        _ip("link", "add", ELSEWHERE, "mtu", mtu, "type", "veth", *there)
        _ip("addr", "add", f"{HOST}/{PREFIX}", "dev", ELSEWHERE)
        _ip("link", "set", ELSEWHERE, "up")
        _ip("-n", ELSEWHERE, "addr", "add", f"{address}/{PREFIX}", "dev", "eth0")
        _ip("-n", ELSEWHERE, "link", "set", "eth0", "up")
        _ip("-n", ELSEWHERE, "route", "add", "default", "via", HOST)
        with ThreadPoolExecutor(1, initializer=_enter) as thread:
            yield thread
    finally:
        _ip("netns", "delete", ELSEWHERE)  # and with it the pair


def _mtu_outwards() -> int:
    """Bytes of the largest packet on the link of the default route; 1500 if there is none."""
    routes = json.loads(subprocess.run(["ip", "-j", "route", "show", "default"], stdout=subprocess.PIPE).stdout or "[]")
    return min((int(Path("/sys/class/net", route["dev"], "mtu").read_text()) for route in routes), default=1500)


def _enter() -> None:
    fd = os.open(f"/run/netns/{ELSEWHERE}", os.O_RDONLY)
    namespaces.enter(fd, namespaces.flag("network"))
    os.close(fd)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def _get(place: Place, path: str, patience: float = 60.0) -> float:
    """Seconds of one request with its connection."""
    begin = time.perf_counter()
    connection = http.client.HTTPConnection(*place, timeout=patience)
    connection.request("GET", path)
    answer = connection.getresponse()
    while answer.read(1 << 20):
        pass
    connection.close()
    return time.perf_counter() - begin


def _until_ready(place: Place) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            _get(place, "/ready")
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
