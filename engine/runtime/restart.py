"""The restart policy: whether a container that ended is started again, and after what pause. Source: docker-run(1)."""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FIRST_PAUSE = 0.1  # seconds
LONGEST_PAUSE = 60.0
STEADY_SECONDS = 10.0  # a run of this length counts as a success: the pause begins anew


def wanted(policy: dict[str, Any], state: dict[str, Any]) -> bool:
    """`state` is the container's state.json after its end."""
    if state["stopped_by_user"]:
        return False
    name = policy.get("name") or "no"
    if name in ("always", "unless-stopped"):
        return True
    if name != "on-failure" or state["exit_code"] == 0:
        return False
    most = policy.get("maximum_retry_count") or 0
    return most == 0 or state["restart_count"] < most


def wanted_at_boot(name: str, state: dict[str, Any]) -> bool:
    """Whether a container with this policy, which ran before the machine went down or was stopped, is started again."""
    return name == "always" or (name == "unless-stopped" and not state["stopped_by_user"])


def seconds_since(start_time: int) -> float:
    """How long ago it was so many clock ticks after the boot. The clock on the wall may be set meanwhile."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) - start_time / os.sysconf("SC_CLK_TCK")


class Backoff:
    """The pauses between restarts: doubling, from FIRST_PAUSE to LONGEST_PAUSE."""

    def __init__(self) -> None:
        self._pause = FIRST_PAUSE

    def ended(self, ran: float) -> None:
        """A run of `ran` seconds is over."""
        if ran > STEADY_SECONDS:
            self._pause = FIRST_PAUSE

    def next(self) -> float:
        pause = self._pause
        self._pause = min(pause * 2, LONGEST_PAUSE)
        return pause
