"""state.json: what a monitor knows of its container, replaced atomically at every change."""

from __future__ import annotations

import errno
import os

from engine.state.plain_json import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NAME = "state.json"


def fresh() -> dict[str, Any]:
    """The state of a container that was never started."""
    return {
        "status": "created",
        "pid": 0,
        "start_time": 0,
        "monitor_pid": 0,
        "monitor_start_time": 0,
        "boot_id": "",
        "started": 0.0,
        "finished": 0.0,
        "exit_code": 0,
        "oom_killed": False,
        "restart_count": 0,
        "error": "",
        "stopped_by_user": False,
        "tty": False,
        "keeper_pid": 0,
        "keeper_start_time": 0,
        "keeper_fd": -1,
        "health": "",  # starting, healthy, unhealthy; empty without a health check
        "failing_streak": 0,
    }


def ran(state: dict[str, Any]) -> dict[str, str]:
    """The attribute of an event that tells how many seconds the run that ended went on; empty if that is not known."""
    started, finished = state["started"], state["finished"]
    return {"ran": f"{finished - started:.6f}"} if finished > started > 0 else {}


def write(container_dir: str, state: dict[str, Any]) -> None:
    """See `replace`."""
    replace(os.path.join(container_dir, NAME), state)


def replace(path: str, document: dict[str, Any]) -> None:
    """Replace a file; a reader sees the old document or the new one, whole. Raises OSError.

    On a full disk the block that the file has is written again instead: how a container ended must not be lost.
    """
    content = (encode(document) + "\n").encode()
    try:
        _write(path + ".new", os.O_CREAT | os.O_TRUNC, content)
        os.rename(path + ".new", path)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        _write(path, 0, content.ljust(os.stat(path).st_size))


def _write(path: str, flags: int, content: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC | flags, 0o600)
    try:
        if os.write(fd, content) < len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
    finally:
        os.close(fd)


def boot_id() -> str:
    """Differs after every reboot: a pid with its start time could come again, this cannot."""
    with open("/proc/sys/kernel/random/boot_id", "rb") as file:
        return file.read().decode().strip()
