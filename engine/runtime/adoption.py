"""A container whose monitor was killed: it gets a new one, or its end is recorded."""

from __future__ import annotations

import os
import time

from engine.errors import RuntimeFailure, StoreError
from engine.linux import processes
from engine.runtime import bundle as bundles
from engine.runtime import cgroups, failure, healthfile, protocol, spawn, start, statefile
from engine.runtime.status import LOST_EXIT_CODE, read_state, status
from engine.state import events
from engine.state.locks import lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.settings import Settings


def adopt(settings: Settings, container_id: str) -> None:
    """See engine.runtime.launch.adopt. Safe to be called by several engines at once."""
    with lock(settings, "monitor", container_id) as held:
        now = status(settings, container_id)
        if not now.orphaned:
            return
        state = read_state(os.fspath(settings.container_dir(container_id)))
        if now.running or (state["status"] == "restarting" and state["boot_id"] == statefile.boot_id()):
            _follow(settings, container_id, held.fileno())
        else:
            _record_end(settings, container_id)


def _follow(settings: Settings, container_id: str, held: int) -> None:
    bundle = bundles.read(settings, container_id)
    state = read_state(bundle.container_dir)
    del state["written"]
    if state["health"]:
        state["probed"] = healthfile.read(bundle.container_dir)
    os.makedirs(bundle.run_dir, mode=0o700, exist_ok=True)
    with spawn.Waiting(container_id, bundle.container_dir) as waiting:
        connection = waiting.give(bundle, adopted=state, held=held)
        try:
            packet = connection.recv(protocol.SOCKET_BUFFER)
        finally:
            connection.close()
    if packet[:1] == protocol.FAILED:
        failure.raise_from(packet, f"cannot adopt container {container_id}")
    if packet[:1] != protocol.STARTED and processes.is_alive(state["pid"], state["start_time"]):
        raise RuntimeFailure(f"cannot adopt container {container_id}: its new monitor ended", stage="monitor")


def _record_end(settings: Settings, container_id: str) -> None:
    """Nobody saw how it ended: the same as Docker tells after a crash of its daemon."""
    directory = os.fspath(settings.container_dir(container_id))
    state = read_state(directory)
    finished = state.pop("written") or time.time()
    cgroups.remove(f"{settings.cgroup_parent}/{container_id}")
    start.remove_fifos(os.fspath(settings.run_dir(container_id)))
    code = LOST_EXIT_CODE if state["status"] == "running" else state["exit_code"]
    state.update(status="exited", pid=0, start_time=0, monitor_pid=0, keeper_pid=0, exit_code=code, finished=finished)
    try:
        statefile.write(directory, state)
    except OSError as error:
        raise StoreError(
            f"cannot record the end of container {container_id[:12]}: {error.strerror or error}",
            hint="check that the disk is neither full nor read-only",
        ) from error
    attributes = {"exitCode": str(code), **statefile.ran(state)}
    events.append(str(settings.journal), "container", "die", container_id, attributes=attributes)
