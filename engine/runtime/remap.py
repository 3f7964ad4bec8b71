"""Users of a container's own: the user namespace of the bundle, and what the host calls the users in it.

Only the process is in it. The container's other namespaces and mounts are the host's, so that its root has no power
over them either: it cannot mount, name the host, or make raw sockets. Source: user_namespaces(7); runtime-spec,
config-linux.md, "User namespace mappings".
"""

from __future__ import annotations

from engine.errors import RuntimeFailure
from engine.linux import namespaces

NOBODY = 65534  # what the kernel shows for one without a number inside: /proc/sys/fs/overflowuid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def is_wanted(config: dict[str, Any]) -> bool:
    """The bundle lists a new user namespace."""
    listed = config.get("linux", {}).get("namespaces", [])
    return any(namespace["type"] == "user" and not namespace.get("path") for namespace in listed)


def make(config: dict[str, Any]) -> int:
    """The namespace as a descriptor; -1 if the bundle wants none. Raises RuntimeFailure."""
    if not is_wanted(config):
        return -1
    try:
        return namespaces.user_namespace(_ranges(config, "uidMappings"), _ranges(config, "gidMappings"))
    except OSError as error:
        raise RuntimeFailure(
            f"cannot make a user namespace: {error.strerror}",
            stage="user namespace",
            hint="leave --userns out, or see /proc/sys/user/max_user_namespaces",
        ) from error


def outside(config: dict[str, Any], number: int, kind: str = "uidMappings") -> int:
    """What the host calls a user (or by `gidMappings` a group) of the container. Raises RuntimeFailure if nothing."""
    if not is_wanted(config):
        return number
    for first, on_host, size in _ranges(config, kind):
        if first <= number < first + size:
            return on_host + number - first
    raise RuntimeFailure(f"the container has no user or group {number}", stage="user namespace")


def inside(config: dict[str, Any], number: int, kind: str = "uidMappings") -> int:
    """What the container calls a user (or group) of the host's: `NOBODY` if it is none of its own."""
    if not is_wanted(config):
        return number
    for first, on_host, size in _ranges(config, kind):
        if on_host <= number < on_host + size:
            return first + number - on_host
    return NOBODY


def _ranges(config: dict[str, Any], kind: str) -> list[tuple[int, int, int]]:
    listed = config.get("linux", {}).get(kind) or []
    return [(entry["containerID"], entry["hostID"], entry["size"]) for entry in listed]
