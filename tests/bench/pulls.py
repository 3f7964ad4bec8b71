"""Pull and unpack: a gigabyte in five layers, other large images, a small one, and one that is there already."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Self

from tests.bench.bundle import diff_ids_of, manifest_of
from tests.bench.peers import (
    BUSYBOX,
    REGISTRY,
    ROUNDS,
    Peer,
    discard,
    fresh_root,
    interleaved,
    median_of,
    pilothouse,
    timed,
)
from tests.bench.table import OWN, Table

LARGE = ("python:3.11", "postgres:15", "nginx:1.22")
FEW = 2  # rounds of them: each has to wait a minute
SETTLED = 61.0  # seconds after a mass deletion


def pull(table: Table, everyone: list[Peer]) -> None:
    """Into a store that has none of the layers."""
    with _Roots() as roots:
        _large(table, everyone, roots)
    with _Roots() as roots:
        for peer in everyone:
            if peer.name != OWN:
                peer("rmi", "-f", BUSYBOX, check=False)
        takers = [peer for peer in everyone if _is_cold(peer, "busybox:latest")]
        cases = [(peer.name, partial(_cold, peer, BUSYBOX, roots)) for peer in takers]
        table.milliseconds("pull busybox, cold store", interleaved(ROUNDS, cases), 0.6)
    for peer in everyone:
        peer("pull", "-q", BUSYBOX)
    floors = {"bare interpreter": median_of(ROUNDS, sys.executable, "-I", "-S", "-c", "pass")}
    if shutil.which("curl"):
        url = f"http://{REGISTRY}/v2/library/busybox/manifests/latest"
        floors["one HEAD by curl"] = median_of(ROUNDS, "curl", "-sI", url)
    again = interleaved(ROUNDS, [(peer.name, timed(peer, "pull", "-q", BUSYBOX)) for peer in everyone])
    table.milliseconds("pull busybox, all layers present", again, 0.8, floors)


def _large(table: Table, everyone: list[Peer], roots: _Roots) -> None:
    """Each by itself, although they share a layer."""
    times: dict[str, dict[str, list[float]]] = {name: {} for name in LARGE}
    floors: dict[str, list[float]] = {name: [] for name in LARGE}
    has_floor = all(map(shutil.which, ("curl", "openssl", "tar")))
    for name in LARGE:
        for peer in everyone:
            _forget(peer)
        takers = [peer for peer in everyone if _is_cold(peer, name)]
        for _ in range(min(FEW, ROUNDS)):
            for peer in takers:
                _forget(peer)
            _settle()
            for peer in takers:
                times[name].setdefault(peer.name, []).append(_cold(peer, f"{REGISTRY}/library/{name}", roots))
            if has_floor:
                floors[name].append(_floor(name, roots))
    for name in LARGE:
        medians = {peer: statistics.median(values) for peer, values in times[name].items()}
        least = {"curl, sha256, igzip to tar": statistics.median(floors[name])} if has_floor else {}
        table.milliseconds(f"pull {name}, cold store", medians, {"docker": 0.22, "podman": 0.20}, least)


class _Roots:
    """Where what takes none before is unpacked; all deleted at the end, so that no measurement comes after it."""

    def __init__(self) -> None:
        self._made: list[Path] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for root in self._made:
            discard(root)

    def new(self) -> Path:
        self._made.append(fresh_root())
        return self._made[-1]


def _cold(peer: Peer, image: str, roots: _Roots) -> float:
    """Seconds. Ours goes into a new root each time; the peers have one store, so a small image is deleted before."""
    if peer.name == OWN:
        return pilothouse(roots.new() / "root").timed("pull", "-q", image)
    if image == BUSYBOX:
        peer("rmi", "-f", image, check=False)
    return peer.timed("pull", "-q", image)


def _forget(peer: Peer) -> None:
    if peer.name != OWN:
        for name in (*LARGE, "debian:bookworm"):
            peer("rmi", "-f", f"{REGISTRY}/library/{name}", check=False)


def _is_cold(peer: Peer, image: str) -> bool:
    """Whether a peer's store has no layer of the image. Deleting its user's other images is not for us: it says so."""
    if peer.name == OWN:
        return True
    wanted = diff_ids_of(*image.split(":"))
    there = peer("images", "-aq", "--no-trunc").stdout.split()
    for one in dict.fromkeys(there):
        if wanted & set(json.loads(peer("image", "inspect", "--format", "{{json .RootFS.Layers}}", one).stdout)):
            print(f"{peer.name} is left out of pulling {image}: its image {one[:19]} shares layers; `rmi -f` it first")
            return False
    return True


def _settle() -> None:
    """For a minute after many files were deleted ext4 looks at each freed inode in vain before it makes a file.

    It costs seconds, up to all of a pull's time again, and hits whoever comes next. Source: Linux, fs/ext4/ialloc.c,
    `recently_deleted`.
    """
    os.sync()
    time.sleep(SETTLED)


def _floor(image: str, roots: _Roots) -> float:
    """Seconds of curl, sha256 and igzip to tar, two layers at a time, largest first: what has been pulled, unpacked."""
    repository, _, tag = image.partition(":")
    igzip = "igzip" if shutil.which("igzip") else f"{sys.executable} -I -m isal.igzip"
    layers = sorted(manifest_of(repository, tag)["layers"], key=lambda layer: -int(layer["size"]))
    directory = roots.new()

    def bring(number: int) -> None:
        blob = f"http://{REGISTRY}/v2/library/{repository}/blobs/{layers[number]['digest']}"
        file, unpacked = f"{directory}/{number}.gz", f"{directory}/{number}"
        script = (
            f"set -e; mkdir {unpacked}; curl -sSf -o {file} {blob}; openssl sha256 {file} >/dev/null &"
            f" {igzip} -dc {file} | tar -xC {unpacked}; wait; rm {file}"
        )
        Peer("sh", ["sh", "-c", script]).shown()

    begin = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(bring, range(len(layers))))
    return time.perf_counter() - begin
