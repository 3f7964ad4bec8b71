"""What a control group has used, read again and again (cgroup v1 and v2).

Opening a file of cgroupfs costs ten times what reading it does, so a `Gauge` keeps its files open. A cgroup whose
processes have not run since the last look has not changed either: then two reads are all.
"""

from __future__ import annotations

import os
import time

from engine.runtime.cgroup_mounts import Mounts, host_mounts
from engine.runtime.cgroups import host_memory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

    Counters = dict[str, float]

UNLIMITED = 1 << 60  # v1 reports "no limit" as LONG_MAX rounded down to a page
STALE = 10.0  # seconds after which everything is read also of a cgroup that has been idle: writeback is charged late


class Gauge:
    """Counters of one cgroup. `read` raises OSError when the cgroup is gone (ENODEV)."""

    def __init__(self, path: str, mounts: Mounts | None = None) -> None:
        mounts = mounts or host_mounts()
        self._mounts = mounts
        self._files: dict[str, int] = {}
        memory = mounts.directory("memory", path) or ""
        cpu = mounts.directory("cpu", path) or mounts.directory("cgroup", path) or ""
        tasks = mounts.directory("pids", path) or ""
        self._v1_memory, self._v1_cpu = "memory" in mounts.v1, "cpuacct" in mounts.v1
        self._v1_io = "blkio" in mounts.v1
        self._cpu_stat = f"{cpu}/cpu.stat"
        self._usage = f"{mounts.v1['cpuacct']}/{path}/cpuacct.usage" if self._v1_cpu else self._cpu_stat
        names = (
            ("memory.usage_in_bytes", "memory.limit_in_bytes", "memory.oom_control")
            if self._v1_memory
            else ("memory.current", "memory.max", "memory.events")
        )
        self._memory, self._limit, self._oom = (f"{memory}/{name}" for name in names)
        self._statistics = f"{memory}/memory.stat"
        self._inactive = b"total_inactive_file" if self._v1_memory else b"inactive_file"
        self._pids = f"{tasks}/pids.current"
        self._io = (
            f"{mounts.v1['blkio']}/{path}/blkio.throttle.io_service_bytes_recursive"
            if self._v1_io
            else f"{mounts.directory('io', path) or ''}/io.stat"
        )
        self._before = b"", b""
        self._counters: Counters = {}
        self._whole = -STALE  # when everything was read last
        self._host = host_memory()

    def __enter__(self) -> Gauge:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        for fd in self._files.values():
            if fd >= 0:
                os.close(fd)
        self._files.clear()

    def at_rest(self) -> bool:
        """Whether nothing can have changed since the last call of this, or of `read`: by two reads, whatever there is.

        Raises as `read`.
        """
        now = time.monotonic()
        both = self._text(self._usage), self._text(self._memory)
        if both == self._before and now - self._whole < STALE:
            return True
        self._before, self._whole = both, now
        return False

    @property
    def counts(self) -> bool:
        """Whether the time on a processor was counted at the last look: not if the cgroup was not there."""
        return bool(self._before[0])

    def read(self) -> tuple[Counters, bool]:
        """The counters (see `read_stats`), and whether anything may have changed since the last call."""
        if self.at_rest():
            return self._counters, False
        usage, memory = self._before
        counters = usage if self._usage == self._cpu_stat else self._text(self._cpu_stat)
        used, limit = _number(memory), _number(self._text(self._limit))
        cache = _field(self._text(self._statistics), self._inactive)
        read, written = self._block_io()
        self._counters = {
            "cpu_seconds": _number(usage) / 1e9 if self._v1_cpu else _field(counters, b"usage_usec") / 1e6,
            "memory": max(0, used - cache),
            "memory_limit": limit if 0 < limit < min(UNLIMITED, self._host) else self._host,
            "pids": _number(self._text(self._pids)),
            "read": read,
            "written": written,
            "throttled_periods": _field(counters, b"nr_throttled"),
            "oom_kills": _field(self._text(self._oom), b"oom_kill"),
        }
        return self._counters, True

    def _block_io(self) -> tuple[int, int]:
        read = written = 0
        text = self._text(self._io)
        if self._v1_io:
            for line in text.splitlines():  # "8:0 Read 4096"
                fields = line.split()
                if len(fields) == 3:
                    read += int(fields[2]) if fields[1] == b"Read" else 0
                    written += int(fields[2]) if fields[1] == b"Write" else 0
            return read, written
        for word in text.split():  # "8:0 rbytes=4096 wbytes=0 ..."
            key, _, value = word.partition(b"=")
            read += int(value) if key == b"rbytes" else 0
            written += int(value) if key == b"wbytes" else 0
        return read, written

    def _text(self, path: str) -> bytes:
        """The file's text; empty if this host has no such file."""
        fd = self._files.get(path)
        if fd is None:
            try:
                fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                fd = -1
            self._files[path] = fd
        if fd < 0:
            return b""
        return os.pread(fd, 1 << 14, 0)


def read_stats(path: str, mounts: Mounts | None = None) -> Counters:
    """Raw counters of one cgroup: `cpu_seconds`, `memory` (bytes, without inactive page cache, as `docker stats`),
    `memory_limit` (bytes; the host's memory if there is no limit), `pids`, `read` and `written` (bytes of block I/O),
    `throttled_periods`, `oom_kills`. What the host does not count is 0."""
    with Gauge(path, mounts) as gauge:
        return gauge.read()[0]


def _number(text: bytes) -> int:
    text = text.strip()
    return UNLIMITED if text == b"max" else int(text) if text else 0


def _field(table: bytes, name: bytes) -> int:
    """A number of a flat keyed file: one `name number` a line."""
    at = table.find(name + b" ")
    while at > 0 and table[at - 1] != 10:  # the end of a longer name
        at = table.find(name + b" ", at + 1)
    if at < 0:
        return 0
    end = table.find(b"\n", at)
    return int(table[at + len(name) : end if end >= 0 else None])
