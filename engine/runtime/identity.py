"""Who a container's process is: user, groups, capabilities, limits, labels, environment, signals."""

from __future__ import annotations

import os
from _signal import SIG_DFL, SIGKILL, SIGSTOP, signal, valid_signals

from engine.errors import RuntimeFailure
from engine.linux import paths, privileges, processes
from engine.runtime import capabilities

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

_SETS = ("bounding", "effective", "permitted", "inheritable", "ambient")


def environment(process: dict[str, Any]) -> dict[str, str]:
    """The spec's list as a dictionary: of two entries of one name the later one counts."""
    pairs = (entry.partition("=") for entry in process.get("env") or ())
    return {name: value for name, separator, value in pairs if separator and name}


def take_on(process: dict[str, Any], last_capability: int) -> None:
    """Become the spec's user with exactly its groups and capabilities. Raises OSError."""
    user = process["user"]
    wanted = process.get("capabilities") or {}
    sets = {kind: _numbers(wanted.get(kind), last_capability) for kind in _SETS}
    privileges.limit_bounding_set(sets["bounding"], last_capability)
    privileges.keep_capabilities_over_setuid()
    uid, gid = user.get("uid", 0), user.get("gid", 0)
    os.setgroups(user.get("additionalGids") or [])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    # Leaving user 0 emptied the effective set; what the spec grants is permitted still.
    privileges.set_capabilities(sets["effective"], sets["permitted"], sets["inheritable"])
    privileges.set_ambient_capabilities(sets["ambient"])


def set_limits(limits: Iterable[dict[str, Any]]) -> None:
    """Raises RuntimeFailure if a hard limit may not be raised."""
    import resource

    for limit in limits:
        soft, hard = (resource.RLIM_INFINITY if limit[key] >= 2**63 else limit[key] for key in ("soft", "hard"))
        try:
            resource.setrlimit(getattr(resource, limit["type"]), (soft, hard))
        except (OSError, ValueError) as error:
            raise RuntimeFailure(
                f"cannot set the limit {limit['type']} to {limit['soft']}:{limit['hard']}: {error}",
                stage="set rlimits",
                hint="a hard limit can only be raised with CAP_SYS_RESOURCE",
            ) from error


def set_security_labels(process: dict[str, Any]) -> None:
    """The AppArmor profile or SELinux label takes effect at the exec. Source: runtime-spec, config.md."""
    for key, path, prefix in (
        ("apparmorProfile", "/proc/self/attr/apparmor/exec", "exec "),
        ("selinuxLabel", "/proc/self/attr/exec", ""),
    ):
        if process.get(key):
            fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
            insist_on_proc(fd, path)
            os.write(fd, (prefix + process[key]).encode())
            os.close(fd)


def insist_on_proc(fd: int, path: str) -> None:
    """A container may have put something else in the place of /proc, and have us write there (CVE-2019-16884)."""
    if paths.filesystem_type(fd) != paths.PROC_MAGIC:
        raise RuntimeFailure(f"{path} is not on a proc filesystem", stage="write to /proc")


def reset_signals() -> None:
    """The kernel's defaults and no mask: what the interpreter, the monitor or the engine's starter ignores (nohup) the
    container's program does not."""
    for number in valid_signals() - {SIGKILL, SIGSTOP}:
        signal(number, SIG_DFL)
    processes.unblock_all_signals()


def _numbers(names: Iterable[str] | None, last: int) -> set[int]:
    """Of the capabilities that have these names, those the kernel knows (runtime-spec: others are left out)."""
    known = {capabilities.NUMBERS[name] for name in names or () if name in capabilities.NUMBERS}
    return {number for number in known if number <= last}
