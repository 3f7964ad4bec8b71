"""A registry with a small image, and the count of what a fault has left behind."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Callable, Iterator

import pytest

from engine.settings import Settings
from engine.state.locks import left_behind
from tests.conftest import Command
from tests.engine.faults.leftovers import settled_leftovers
from tests.support.layers import LayerTar
from tests.support.registry import PutImage, RegistryServer


@pytest.fixture
def registry() -> Iterator[RegistryServer]:
    with RegistryServer() as server:
        yield server


@pytest.fixture
def remote(registry: RegistryServer) -> PutImage:
    """`shop/app:1` at the registry: two layers, nothing in them that could be executed."""
    layers = [LayerTar().file(f"file{place}", bytes(range(256)) * 4096).build() for place in range(2)]
    return registry.put_image("shop/app", "1", layers)


def wait_for_locks(settings: Settings) -> None:
    """Until nobody holds a lock of this root. Only the one who waits for a lock is told, so this asks for each."""
    for kind, names in left_behind(settings).items():
        for name in names:
            with contextlib.suppress(FileNotFoundError), (settings.run / "locks" / kind / name).open() as file:
                fcntl.flock(file, fcntl.LOCK_SH)


@pytest.fixture
def next_command(pilothouse: Command, settings: Settings) -> Callable[[], str]:
    """Runs `ps -a` as the next command after a fault; what it prints. Nothing may be left after it.

    The next one after all that was set going: a monitor that was started holds the lock of a killed command meanwhile.
    """

    def run() -> str:
        wait_for_locks(settings)
        listed = pilothouse("ps", "-a", "--format", "{{.Names}} {{.Status}}")
        assert (listed.returncode, listed.stderr) == (0, b"")
        assert settled_leftovers(settings) == []
        return listed.stdout.decode()

    return run
