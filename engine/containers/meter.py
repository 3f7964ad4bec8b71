"""What running containers use of the machine, read again and again."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from engine.containers import records
from engine.errors import NotFound
from engine.frozen import replace
from engine.linux import processes
from engine.models import Stats
from engine.runtime.cgroup_stats import Gauge
from engine.runtime.status import status
from engine.settings import Settings
from engine.state.database import Database

KEPT_OPEN = 60  # containers; each costs up to nine descriptors of the 1,024 that a process may have by default


class _Watched:
    """A running container whose cgroup is read again and again."""

    __slots__ = ("gauge", "last", "pid", "process", "received", "seen", "sent")

    def __init__(self, settings: Settings, container_id: str, pid: int, start_time: int) -> None:
        self.process = processes.open_process(pid, start_time)
        self.pid = pid
        self.gauge = Gauge(f"{settings.cgroup_parent}/{container_id}")
        self.received = self.sent = 0
        self.last: Stats | None = None
        self.seen = 0  # at which of the meter's changes it was read last

    def close(self) -> None:
        self.gauge.close()
        os.close(self.process)

    def read(self, container_id: str) -> Stats | None:
        """None if its cgroup is gone."""
        try:
            counters, changed = self.gauge.read()
        except OSError:  # ENODEV: it has ended
            return None
        if changed:
            # not kept open: an open net/dev holds the network namespace, and so its links, for as long
            self.received, self.sent = _traffic(self.pid)
        self.last = Stats(
            container_id=container_id,
            time=time.monotonic(),
            cpu_seconds=float(counters["cpu_seconds"]),
            memory=int(counters["memory"]),
            memory_limit=int(counters["memory_limit"]),
            pids=int(counters["pids"]),
            received=self.received,
            sent=self.sent,
            read=int(counters["read"]),
            written=int(counters["written"]),
            throttled_periods=int(counters["throttled_periods"]),
            oom_kills=int(counters["oom_kills"]),
        )
        return self.last


class Meter:
    """Reads what containers use, for a caller who asks every second: what is read stays open between two calls.

    Safe from several threads. `close` it when it is no longer needed.
    """

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings, self._database = settings, database
        self._watched: dict[str, _Watched] = {}  # the longest not asked for first
        self._all = Gauge(settings.cgroup_parent)  # of the cgroup that all of them are in
        self._changes = 0  # how often that was seen to have changed
        self._turn = threading.Lock()

    def read(self, containers: Iterable[str]) -> list[Stats]:
        """One reading for each of the containers that runs; the others are left out."""
        with self._turn:
            self._drop_ended()
            self._changes += not self._at_rest()
            readings = [reading for name in containers if (reading := self._one(name)) is not None]
            for surplus in list(self._watched)[: max(0, len(self._watched) - KEPT_OPEN)]:
                self._watched.pop(surplus).close()
            return readings

    def close(self) -> None:
        with self._turn:
            for watched in self._watched.values():
                watched.close()
            self._watched.clear()
            self._all.close()

    def _at_rest(self) -> bool:
        """Whether no container has used anything since the last call: what a cgroup uses counts for its parent too.

        Asked before the containers are read: what one does meanwhile, the next call sees.
        """
        try:
            at_rest = self._all.at_rest()
            if self._all.counts:
                return at_rest
        except OSError:  # ENODEV: the last container has ended, and another one may have begun
            pass
        self._all.close()  # the cgroup was not there, or this host does not count
        self._all = Gauge(self._settings.cgroup_parent)
        return False

    def _drop_ended(self) -> None:
        """A pidfd is readable when its process has ended (pidfd_open(2)): one call asks for all of them."""
        ended = select.poll()
        keys = {}
        for key, watched in self._watched.items():
            ended.register(watched.process, select.POLLIN)
            keys[watched.process] = key
        for process, _ in ended.poll(0):
            self._watched.pop(keys[process]).close()

    def _one(self, name: str) -> Stats | None:
        try:
            container_id = name if len(name) == 64 else records.find(self._database, name).id
        except NotFound:
            return None  # removed between the caller's look and ours
        watched = self._watched.pop(container_id, None) or self._watch(container_id)
        if watched is None:
            return None
        if watched.seen == self._changes and watched.last is not None:  # not: at rest since a call for others only
            reading: Stats | None = replace(watched.last, time=time.monotonic())
        else:
            reading = watched.read(container_id)
            watched.seen = self._changes
        if reading is None:
            watched.close()
        else:
            self._watched[container_id] = watched
        return reading

    def _watch(self, container_id: str) -> _Watched | None:
        now = status(self._settings, container_id)
        try:
            return _Watched(self._settings, container_id, now.pid, now.start_time) if now.pid else None
        except ProcessLookupError:
            return None  # ended between two reads


def _traffic(pid: int) -> tuple[int, int]:
    """Bytes received and sent by every link but loopback in a process's network namespace (proc(5), net/dev)."""
    received = sent = 0
    try:
        lines = Path(f"/proc/{pid}/net/dev").read_text().splitlines()[2:]
    except OSError:
        return 0, 0  # ended between two reads
    for line in lines:
        name, _, counters = line.partition(":")
        if name.strip() != "lo":
            fields = counters.split()
            received, sent = received + int(fields[0]), sent + int(fields[8])
    return received, sent
