"""Archives between Pilothouse, Docker and podman, there and back, with images of a real registry; each is run.

Needs a registry with real images (REALWORLD_REGISTRY) and what of docker (DOCKER_HOST) and podman is there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.images import store
from engine.settings import Settings
from engine.state.database import Database
from tests.bench.peers import Peer, installed
from tests.conftest import Command

REGISTRY = os.environ.get("REALWORLD_REGISTRY", "127.0.0.1:5000")
NAMES = {"busybox": (["echo", "hello"], b"hello"), "redis:7": (["redis-cli", "--version"], b"redis-cli 7")}
OURS = "localhost/pilothouse-test/{}"


@pytest.fixture(params=["docker", "podman"])
def peer(request: pytest.FixtureRequest) -> Iterator[Peer]:
    found = next((peer for peer in installed() if peer.name == request.param), None)
    if found is None:
        pytest.skip(f"there is no {request.param}")
    yield found
    for name in NAMES:
        found("rmi", "-f", OURS.format(name), check=False)


@pytest.mark.parametrize("name", NAMES)
def test_what_we_save_a_peer_loads_and_runs_and_what_it_saves_we_run(
    peer: Peer, pilothouse: Command, settings: Settings, tmp_path: Path, name: str
) -> None:
    ours, file = OURS.format(name), str(tmp_path / "it.tar")
    words, wanted = NAMES[name]
    assert pilothouse("pull", "-q", f"{REGISTRY}/library/{name}").returncode == 0
    database = Database(settings.database)
    store.tag(settings, database, f"{REGISTRY}/library/{name}", ours)  # the peer's own names stay as they are
    database.close()
    assert pilothouse("save", "-o", file, ours).returncode == 0
    peer("load", "-q", "-i", file)
    assert wanted in peer("run", "--rm", "--entrypoint", words[0], ours, *words[1:]).stdout.encode()
    Path(file).unlink()
    peer("save", "-o", file, ours)
    assert pilothouse("rmi", ours).returncode == 0
    assert pilothouse("load", "-i", file).returncode == 0
    assert wanted in pilothouse("run", "--rm", "--entrypoint", words[0], ours, *words[1:]).stdout
