"""What a container is doing now: its state.json, checked against the kernel."""

from __future__ import annotations

import json
import os

from engine.frozen import dataclass
from engine.linux import processes
from engine.runtime import statefile
from engine.settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LOST_EXIT_CODE = 255  # of a container that ended while nobody watched, as Docker says it


@dataclass(frozen=True, slots=True)
class Status:
    """`state` is a word of engine.models.State. Times are seconds since the epoch, 0 if it never was."""

    state: str = "created"
    pid: int = 0  # of init; 0 if not running
    start_time: int = 0  # of init, in clock ticks since boot
    started: float = 0.0
    finished: float = 0.0
    exit_code: int = 0
    oom_killed: bool = False
    restart_count: int = 0
    error: str = ""
    has_monitor: bool = False  # its monitor lives; shortly also after the container's end
    tty: bool = False
    unsettled: bool = False  # its end is not on record
    health: str = ""  # starting, healthy, unhealthy; of one that has ended unhealthy (Docker); empty without a check
    failing_streak: int = 0

    @property
    def running(self) -> bool:
        """Has processes."""
        return self.state in ("running", "paused")

    @property
    def paused(self) -> bool:
        return self.state == "paused"

    @property
    def live(self) -> bool:
        """Runs, or will again by its restart policy."""
        return self.running or self.state == "restarting"

    @property
    def orphaned(self) -> bool:
        """Something is left to do that only a monitor can do, and there is none: see `launch.adopt`."""
        return self.unsettled and not self.has_monitor


def status(settings: Settings, container_id: str) -> Status:
    """Cheap: one small file, and one or two more in /proc. Never raises for a container that does not exist."""
    told = read_state(os.fspath(settings.container_dir(container_id)))
    if told["status"] == "created":
        return Status(exit_code=told["exit_code"], error=told["error"])
    same_boot = told["boot_id"] == statefile.boot_id()
    has_monitor = same_boot and processes.is_alive(told["monitor_pid"], told["monitor_start_time"])
    alive = same_boot and processes.is_alive(told["pid"], told["start_time"])
    state = _state(settings, container_id, told["status"], alive=alive, has_monitor=has_monitor)
    lost = state == "exited" and told["status"] != "exited"
    return Status(
        state=state,
        pid=told["pid"] if alive else 0,
        start_time=told["start_time"] if alive else 0,
        started=told["started"],
        finished=told["finished"] or (told["written"] if lost else 0.0),
        exit_code=LOST_EXIT_CODE if lost and told["status"] == "running" else told["exit_code"],
        oom_killed=told["oom_killed"],
        restart_count=told["restart_count"],
        error=told["error"],
        has_monitor=has_monitor,
        tty=told["tty"],
        unsettled=told["status"] in ("running", "restarting"),
        health=told["health"] if alive or not told["health"] else "unhealthy",
        failing_streak=told["failing_streak"],
    )


def read_state(container_dir: str) -> dict[str, Any]:
    """state.json, and when it was `written`; a fresh state if it is missing or was damaged by a power cut."""
    state = statefile.fresh()
    state["written"] = 0.0
    path = os.path.join(container_dir, statefile.NAME)
    try:
        with open(path, "rb") as file:
            state["written"] = os.fstat(file.fileno()).st_mtime
            told = json.load(file)
            if not isinstance(told, dict):
                raise ValueError(told)
            state.update(told)
    except FileNotFoundError:
        pass
    except ValueError:
        state.update(status="exited", exit_code=LOST_EXIT_CODE, error=f"{path} was damaged")
    return state


def _state(settings: Settings, container_id: str, told: str, *, alive: bool, has_monitor: bool) -> str:
    if told == "exited":
        return told
    if told == "restarting":
        # its monitor starts it again; without one it stands still until it is adopted
        return "restarting" if has_monitor else "exited"
    if not alive:
        # init has ended, and its monitor is about to say how
        return "running" if has_monitor else "exited"
    from engine.runtime import cgroups  # late: of containers that do not run nobody asks

    return "paused" if cgroups.frozen(f"{settings.cgroup_parent}/{container_id}") else "running"
