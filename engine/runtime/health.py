"""The health check of a running container: probes, one after the other, and what they tell of it.

A probe is an exec like any other (engine.runtime.control_room), asked for by a timer in place of a client. Imported by
the monitors of containers that have a health check, and by no others.
"""

from __future__ import annotations

import os
import time
from _signal import SIGKILL

from engine.linux import processes
from engine.runtime import cgroups, healthfile, protocol, restart

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from engine.runtime.monitor import Monitor

STARTING, HEALTHY, UNHEALTHY = "starting", "healthy", "unhealthy"
OUTPUT_BYTES = 4096  # of a probe that are kept (Docker)
NOT_RUN = -1  # in place of an exit code (Docker)
LEAST_PAUSE = 0.1  # seconds; a probe costs milliseconds of the host's own CPU time, whatever an image asks for
TICK = 1.0  # seconds: so exactly it is measured how long a probe has run, pauses of the container left out
GRACE = 0.05  # seconds; a probe that was killed went, as a rule, with its container, of which that is about to be told
PASSES = 20  # to kill a probe that forks; one that outruns them goes on within its container's limits

_TIMER = "health"
_KILLED = 128 + SIGKILL


class Probe:
    """One run of the test: a follower of its process, as a client is, that keeps the beginning of its output."""

    __slots__ = ("_ended", "_started", "_taken", "drained", "early", "is_late", "left", "since", "text")

    is_full = False

    def __init__(
        self, seconds: float, started: Callable[[int, int], None], ended: Callable[[int], None], *, early: bool
    ) -> None:
        """`early`: a failure does not count yet."""
        self.left = seconds  # that it may still run
        self.early = early
        self.is_late = False
        self.since = time.time()
        self.drained: Callable[[], None] | None = None
        self.text = ""  # why it could not be run
        self._taken = b""
        self._started, self._ended = started, ended

    @property
    def output(self) -> str:
        cut = "..." if len(self._taken) > OUTPUT_BYTES else ""
        return self.text + self._taken[:OUTPUT_BYTES].decode("utf-8", "replace") + cut

    def send(self, packet: bytes, *, is_output: bool = False) -> None:
        """What a client would be told."""
        letter = packet[:1]
        if letter in (protocol.STDOUT, protocol.STDERR):
            self._taken += packet[1 : OUTPUT_BYTES + 2 - len(self._taken)]
        elif letter == protocol.STARTED:
            pid, start_time, _ = protocol.values(packet)
            self._started(pid, start_time)
        elif letter == protocol.EXITED:
            (code,) = protocol.values(packet)
            self._ended(code)
        elif letter == protocol.FAILED:
            _, _, self.text, _ = protocol.values(packet)
            self._ended(NOT_RUN)

    def pause_reading(self) -> None:
        """It never sends anything."""

    def resume_reading(self) -> None:
        """It never sends anything."""


class Health:
    """Of one run of a container, from its start or adoption until `end`."""

    def __init__(self, monitor: Monitor, adopted: dict[str, Any] | None = None) -> None:
        """`adopted`: what an earlier monitor has written (healthfile.read)."""
        self._monitor = monitor
        self._check: dict[str, Any] = monitor.bundle.monitor["health"]
        self._cgroup: str = monitor.bundle.monitor["cgroup"]
        self._probe: Probe | None = None
        self._results: list[dict[str, Any]] = adopted["results"] if adopted else []
        if adopted and processes.is_alive(adopted["pid"], adopted["start_time"]):
            end_family(self._cgroup, adopted["pid"])  # of its end nobody would hear
        self._write()
        self._wait()

    def end(self) -> None:
        """The container is over: what becomes of its probe is no news."""
        self._monitor.loop.cancel(_TIMER)
        self._probe = None

    # one probe after the other --------------------------------------------------------------------

    def _wait(self) -> None:
        eager = self._is_early and self._monitor.state["health"] == STARTING
        pause = self._check["start_interval" if eager else "interval"]
        self._monitor.loop.after(max(pause, LEAST_PAUSE), _TIMER, self._begin)

    @property
    def _is_early(self) -> bool:
        init = self._monitor.init
        return init is not None and restart.seconds_since(init.start_time) < self._check["start_period"]

    def _begin(self) -> None:
        monitor = self._monitor
        if cgroups.frozen(self._cgroup):
            self._wait()
            return
        probe = Probe(self._check["timeout"], self._write, lambda code: self._ended(probe, code), early=self._is_early)
        self._probe = probe
        monitor.loop.after(min(TICK, probe.left), _TIMER, self._tick)
        process = {**monitor.bundle.config["process"], "args": self._check["args"], "terminal": False}
        monitor.room.execute(probe, process)

    def _tick(self) -> None:
        """It still runs. Once its time is over it is killed, again and again if need be."""
        probe = self._probe
        assert probe is not None
        if not cgroups.frozen(self._cgroup):
            probe.left -= min(TICK, self._check["timeout"])
            if probe.left <= 0:
                probe.is_late = True
                pid = self._monitor.room.interrupt(probe)
                if not pid:
                    return  # it did not execute yet, and has been judged
                end_family(self._cgroup, pid)
        self._monitor.loop.after(TICK if probe.is_late else min(TICK, probe.left), _TIMER, self._tick)

    def _ended(self, probe: Probe, code: int) -> None:
        if probe is not self._probe:
            return  # with its container
        self._monitor.loop.cancel(_TIMER)
        if code in (_KILLED, NOT_RUN) and not probe.is_late:
            self._monitor.loop.after(GRACE, _TIMER, lambda: self._judge(probe, code))
        else:
            self._judge(probe, code)

    def _judge(self, probe: Probe, code: int) -> None:
        self._probe = None
        output = probe.output
        if probe.is_late:
            code = NOT_RUN
            output = f"Health check exceeded timeout ({self._check['timeout']:g}s)" + (output and f": {output}")
        result = {"start": probe.since, "end": time.time(), "exit_code": code, "output": output}
        self._results = [*self._results[1 - healthfile.KEPT :], result]
        self._write()
        state = self._monitor.state
        status, streak = state["health"], state["failing_streak"]
        if code == 0:
            status, streak = HEALTHY, 0
        elif not (probe.early and status == STARTING):
            streak += 1
            if streak >= self._check["retries"]:
                status = UNHEALTHY
        if (status, streak) != (state["health"], state["failing_streak"]):
            self._monitor.record_health(status, streak)
        self._wait()

    def _write(self, pid: int = 0, start_time: int = 0) -> None:
        try:
            healthfile.write(self._monitor.bundle.container_dir, self._results, pid, start_time)
        except OSError as error:  # disk full: the status is told all the same
            os.write(2, f"cannot write the results of the health check: {error}\n".encode())


def end_family(cgroup: str, pid: int) -> None:
    """SIGKILL a process of the cgroup that leads a session, and with it that session and all its descendants."""
    family = {pid}
    killed: set[int] = set()
    for _ in range(PASSES):
        others = {each: processes.lineage(each) for each in cgroups.pids(cgroup) if each not in killed}
        found: dict[int, int] = {}
        while joining := [
            each for each, line in others.items() if each in family or line.parent in family or line.session in family
        ]:
            family.update(joining)
            found.update((each, others.pop(each).start_time) for each in joining)
        if not any(found.values()):
            return  # only zombies, and those that have a signal they cannot outrun
        for each, started in found.items():
            _kill(each, started)
        killed.update(found)


def _kill(pid: int, start_time: int) -> None:
    try:
        pidfd = processes.open_process(pid, start_time)
    except ProcessLookupError:
        return
    try:
        processes.send_signal(pidfd, SIGKILL)
    except ProcessLookupError:
        return
    finally:
        os.close(pidfd)
