"""What a runtime-spec `linux.resources` says, as the values that cgroup files take (v1 and v2).

Sources: runtime-spec config-linux.md, "Control groups"; kernel Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DEFAULT_PERIOD = 100_000  # microseconds; the kernel's own default for CFS bandwidth


class Write:
    """One value for one cgroup file. `optional`: a kernel without that file is no error (swap accounting is off)."""

    __slots__ = ("controller", "file", "optional", "value", "what")

    def __init__(self, controller: str, file: str, value: str, what: str, *, optional: bool = False) -> None:
        self.controller, self.file, self.value, self.what, self.optional = controller, file, value, what, optional

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Write) and (self.controller, self.file, self.value) == (
            other.controller,
            other.file,
            other.value,
        )

    def __hash__(self) -> int:
        return hash((self.controller, self.file, self.value))

    def __repr__(self) -> str:
        return f"{self.controller}/{self.file}={self.value}"


def for_v1(resources: dict[str, Any]) -> list[Write]:
    """The writes for cgroup v1, in the order the kernel accepts them on a new cgroup."""
    writes: list[Write] = []
    memory = resources.get("memory") or {}
    if memory.get("limit"):
        writes.append(Write("memory", "memory.limit_in_bytes", str(memory["limit"]), "a memory limit"))
    if memory.get("swap"):
        # memsw may never be below limit_in_bytes, so it comes second
        value = str(memory["swap"])
        writes.append(Write("memory", "memory.memsw.limit_in_bytes", value, "a swap limit", optional=True))
    if memory.get("reservation"):
        value = str(memory["reservation"])
        writes.append(Write("memory", "memory.soft_limit_in_bytes", value, "a memory reservation"))
    if memory.get("swappiness") is not None:
        writes.append(Write("memory", "memory.swappiness", str(memory["swappiness"]), "a swappiness"))
    if memory.get("disableOOMKiller"):
        writes.append(Write("memory", "memory.oom_control", "1", "switching the OOM killer off"))
    cpu = resources.get("cpu") or {}
    if cpu.get("shares"):
        writes.append(Write("cpu", "cpu.shares", str(cpu["shares"]), "CPU shares"))
    if cpu.get("period"):
        writes.append(Write("cpu", "cpu.cfs_period_us", str(cpu["period"]), "a CPU limit"))
    if cpu.get("quota"):
        writes.append(Write("cpu", "cpu.cfs_quota_us", str(cpu["quota"]), "a CPU limit"))
    if cpu.get("cpus"):
        writes.append(Write("cpuset", "cpuset.cpus", str(cpu["cpus"]), "a set of CPUs"))
    if cpu.get("mems"):
        writes.append(Write("cpuset", "cpuset.mems", str(cpu["mems"]), "a set of memory nodes"))
    if pids := (resources.get("pids") or {}).get("limit"):
        writes.append(Write("pids", "pids.max", "max" if pids < 0 else str(pids), "a limit of processes"))
    return writes


def for_v2(resources: dict[str, Any]) -> list[Write]:
    """The writes for cgroup v2. `unified` entries of the spec come last, so that they win."""
    writes: list[Write] = []
    memory = resources.get("memory") or {}
    limit, swap = memory.get("limit"), memory.get("swap")
    if limit:
        writes.append(Write("memory", "memory.max", _max(limit), "a memory limit"))
    if swap:
        # the spec counts memory + swap (as v1 does), v2 counts swap alone
        value = "max" if swap < 0 else str(max(0, swap - max(0, limit or 0)))
        writes.append(Write("memory", "memory.swap.max", value, "a swap limit", optional=True))
    if memory.get("reservation"):
        writes.append(Write("memory", "memory.low", _max(memory["reservation"]), "a memory reservation"))
    cpu = resources.get("cpu") or {}
    if cpu.get("shares"):
        writes.append(Write("cpu", "cpu.weight", str(weight_of(cpu["shares"])), "CPU shares"))
    if cpu.get("quota") or cpu.get("period"):
        quota = _max(cpu.get("quota") or -1)
        writes.append(Write("cpu", "cpu.max", f"{quota} {cpu.get('period') or DEFAULT_PERIOD}", "a CPU limit"))
    if cpu.get("cpus"):
        writes.append(Write("cpuset", "cpuset.cpus", str(cpu["cpus"]), "a set of CPUs"))
    if cpu.get("mems"):
        writes.append(Write("cpuset", "cpuset.mems", str(cpu["mems"]), "a set of memory nodes"))
    if pids := (resources.get("pids") or {}).get("limit"):
        writes.append(Write("pids", "pids.max", _max(pids), "a limit of processes"))
    for file, value in (resources.get("unified") or {}).items():
        writes.append(Write(file.partition(".")[0], file, str(value), f"the setting {file}"))
    return writes


def weight_of(shares: int) -> int:
    """CPU shares (v1: 2..262144, 1024 is the norm) on v2's scale of weights (1..10000)."""
    return 1 + ((min(max(shares, 2), 262144) - 2) * 9999) // 262142


def _max(value: int) -> str:
    return "max" if value < 0 else str(value)
