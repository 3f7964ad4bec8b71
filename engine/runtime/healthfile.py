"""health.json: the last results of a container's health check, and the probe that runs now."""

from __future__ import annotations

import os

from engine.runtime import statefile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from engine.models import HealthResult

NAME = "health.json"
KEPT = 5  # results, as Docker


def write(container_dir: str, results: list[dict[str, Any]], pid: int = 0, start_time: int = 0) -> None:
    """Replace the file. `pid` with its start time: of the probe that runs, for whoever adopts it. Raises OSError."""
    content = {"pid": pid, "start_time": start_time, "results": results}
    statefile.replace(os.path.join(container_dir, NAME), content)


def read(container_dir: str) -> dict[str, Any]:
    """What `write` was given; nothing if there is no such file or a power cut has damaged it."""
    import json  # late: the monitor only writes

    nothing = {"pid": 0, "start_time": 0, "results": []}
    try:
        with open(os.path.join(container_dir, NAME), "rb") as file:
            found = json.load(file)
    except (FileNotFoundError, ValueError):
        return nothing
    return found if isinstance(found, dict) and found.keys() == nothing.keys() else nothing


def results(container_dir: str) -> tuple[HealthResult, ...]:
    """The last results, oldest first."""
    from engine.models import HealthResult

    return tuple(HealthResult(**result) for result in read(container_dir)["results"])
