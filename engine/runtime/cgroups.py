"""The control groups of a container: made, limited, entered, frozen, emptied, removed (cgroup v1 and v2).

A container's cgroup is one relative path (`pilothouse/ID`) below the mount of every hierarchy.

`join` is for the process that becomes the container; `add` moves another process and is far dearer: the kernel waits
for an RCU grace period (5-15 ms), which a single-threaded process that moves itself through v1's `tasks` is spared.
On v2 the same is had by clone3(CLONE_INTO_CGROUP) with `Cgroup.unified` opened.

Imported by the monitor: no heavy imports here.
"""

from __future__ import annotations

import errno
import os
import select
import time

from engine.errors import InvalidInput, RuntimeFailure, Unsupported
from engine.runtime import cgroup_beside, cgroup_limits, devices
from engine.runtime.cgroup_mounts import (
    PATIENCE,
    Mounts,
    checked,
    failure,
    host_mounts,
    make_directory,
    read_file,
    write_file,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SIGKILL = 9  # importing `signal` would bring `enum` into the monitor


class Cgroup:
    """A container's cgroup that exists. `unified` is its v2 directory, empty if v2 is not used."""

    __slots__ = ("directories", "mounts", "path", "unified")

    def __init__(self, path: str, mounts: Mounts) -> None:
        self.path, self.mounts = path, mounts
        self.directories = mounts.directories(path)
        self.unified = f"{mounts.v2}/{path}" if mounts.uses_v2 else ""


# creating and removing ----------------------------------------------------------------------------


def create(path: str, resources: dict[str, Any], mounts: Mounts | None = None) -> Cgroup:
    """Make the cgroup in every hierarchy and set the limits of a runtime-spec `linux.resources`.

    A cgroup of that path that an earlier start left behind, without processes, is replaced, so that its counters start
    at nought. On failure nothing stays.

    Raises: Unsupported if a limit is asked for whose controller is missing, InvalidInput if the kernel refuses a
    value, RuntimeFailure (stage "cgroup") if a directory cannot be made.
    """
    mounts = mounts or host_mounts()
    cgroup = Cgroup(checked(path), mounts)
    _remove_all([directory for directory in cgroup.directories if os.path.isdir(directory)])
    if mounts.uses_v2:
        from engine.runtime import cgroup_delegation  # late: on v1 nobody needs it

        cgroup_delegation.delegate(mounts, path)
    try:
        for directory in cgroup.directories:
            make_directory(directory)
        if "cpuset" in mounts.v1:
            _inherit_cpuset(mounts.v1["cpuset"], path)
        _limit(cgroup, resources)
    except BaseException:
        remove(path, mounts)
        raise
    return cgroup


def find(path: str, mounts: Mounts | None = None) -> Cgroup:
    """The cgroup of a container that was started before, by this process or by another."""
    return Cgroup(checked(path), mounts or host_mounts())


def remove(path: str, mounts: Mounts | None = None) -> None:
    """Remove the cgroup with everything below it, and its parent if that is empty now.

    Idempotent; processes still in it are killed. Raises: RuntimeFailure if it does not empty within `PATIENCE` seconds.
    """
    mounts = mounts or host_mounts()
    directories = [directory for directory in mounts.directories(checked(path)) if os.path.isdir(directory)]
    if not directories:
        cgroup_beside.remove(os.path.dirname(path), mounts)
        return
    if not _remove_all(directories):
        kill(path, mounts)
        deadline = time.monotonic() + PATIENCE
        # v1 has no event for "the last task is gone": a task leaves a little after its parent could wait for it
        while not _remove_all(directories):
            if time.monotonic() > deadline:
                raise RuntimeFailure(f"cgroup {path} cannot be removed: it still has processes", stage="cgroup")
            time.sleep(0.002)
    parent = os.path.dirname(path)
    if parent:
        for directory in mounts.directories(parent):
            try:
                os.rmdir(directory)
            except OSError:
                continue  # other containers live there
        cgroup_beside.remove(parent, mounts)


def _remove_all(directories: list[str]) -> bool:
    """True if all are gone; False if some processes or a race stand in the way."""
    done = True
    for top in directories:
        for directory, _, _ in os.walk(top, topdown=False):
            try:
                os.rmdir(directory)
            except FileNotFoundError:
                continue
            except OSError as error:
                if error.errno not in (errno.EBUSY, errno.ENOTEMPTY):
                    raise failure("remove", directory, error) from error
                done = False
    return done


def _inherit_cpuset(root: str, path: str) -> None:
    """v1: a new cpuset is empty and takes no process until it has CPUs and memory nodes; copy the parent's."""
    directory = root
    for part in path.split("/"):
        parent, directory = directory, f"{directory}/{part}"
        for file in ("cpuset.cpus", "cpuset.mems"):
            if not read_file(f"{directory}/{file}").strip() and (value := read_file(f"{parent}/{file}").strip()):
                write_file(f"{directory}/{file}", value)


def _limit(cgroup: Cgroup, resources: dict[str, Any]) -> None:
    mounts = cgroup.mounts
    wanted = [write for write in cgroup_limits.for_v1(resources) if write.controller in mounts.v1]
    wanted += [write for write in cgroup_limits.for_v2(resources) if write.controller not in mounts.v1]
    for write in wanted:
        directory = mounts.directory(write.controller, cgroup.path)
        file = f"{directory}/{write.file}"
        if directory is None or not os.path.exists(file):
            if write.optional:
                continue
            raise Unsupported(
                f"{write.what} was asked for, but this host has no cgroup controller {write.controller}",
                hint=f"leave the limit out, or enable the {write.controller} controller (see /proc/cgroups)",
            )
        try:
            write_file(file, write.value)
        except OSError as error:
            raise InvalidInput(f"the kernel refuses {write.what}: {write.value} in {file}: {error.strerror}") from error
    if rules := resources.get("devices"):
        if "devices" in mounts.v1:
            devices.restrict_v1(f"{mounts.v1['devices']}/{cgroup.path}", rules)
        elif cgroup.unified:
            devices.restrict_v2(cgroup.unified, rules)
        else:
            raise Unsupported("this host has no cgroup that can restrict devices", hint="mount cgroup v2")


# processes ----------------------------------------------------------------------------------------


def join(path: str, mounts: Mounts | None = None, *, init: int = 0) -> None:
    """Move the calling process, which must have one thread, into the cgroup. Cheap on v1; see the module's text.

    `init` is a process of the container: where that has divided its cgroup (as systemd and Docker do in a privileged
    one), v2 takes no process at the top any more ("no internal process constraint"), and it goes where that one is.
    """
    _enter(find(path, mounts), 0, "tasks", init)


def add(cgroup: Cgroup | str, pid: int) -> None:
    """Move another process, all its threads, into the cgroup. Raises: RuntimeFailure (stage "cgroup")."""
    _enter(find(cgroup) if isinstance(cgroup, str) else cgroup, pid, "cgroup.procs")


def _enter(cgroup: Cgroup, pid: int, v1_file: str, init: int = 0) -> None:
    for directory in cgroup.directories:
        file = "cgroup.procs" if directory == cgroup.unified else v1_file
        try:
            try:
                write_file(f"{directory}/{file}", str(pid))
            except OSError as error:
                divided = error.errno == errno.EBUSY and directory == cgroup.unified
                if not divided or not (below := _part_of(cgroup.path, init)):
                    raise
                write_file(f"{directory}/{below}/{file}", str(pid))
        except OSError as error:
            raise failure("enter", directory, error) from error


def _part_of(path: str, pid: int) -> str:
    """Where below the v2 cgroup `path` a process is; empty if it is not below it."""
    for line in read_file(f"/proc/{pid}/cgroup").splitlines() if pid else ():
        if line.startswith(f"0::/{path}/"):
            return line.removeprefix(f"0::/{path}/")
    return ""


def pids(path: str, mounts: Mounts | None = None) -> list[int]:
    """Every process in the cgroup and below it, in no order; empty if the cgroup is gone."""
    directory = _main(path, mounts or host_mounts())
    found: set[int] = set()
    for below, _, _ in os.walk(directory):
        found.update(int(pid) for pid in read_file(f"{below}/cgroup.procs").split())
    return sorted(found)


def kill(path: str, mounts: Mounts | None = None) -> None:
    """SIGKILL every process of the cgroup, however fast it forks. Returns when all were signalled."""
    mounts = mounts or host_mounts()
    cgroup = find(path, mounts)
    if cgroup.unified and os.path.exists(f"{cgroup.unified}/cgroup.kill"):
        write_file(f"{cgroup.unified}/cgroup.kill", "1")
        return
    own = os.getpid()
    deadline = time.monotonic() + PATIENCE
    freezable = mounts.directory("freezer", path) is not None
    while alive := [pid for pid in pids(path, mounts) if pid != own]:
        # frozen, a fork bomb cannot outrun the loop; SIGKILL acts on the thaw (freezer-subsystem.rst)
        if freezable:
            _freeze(path, mounts, wait=0.05)
        for pid in pids(path, mounts) or alive:
            if pid != own:
                try:
                    os.kill(pid, _SIGKILL)
                except ProcessLookupError:
                    continue
        if freezable:
            thaw(path, mounts)
        if all(_is_zombie(pid) for pid in pids(path, mounts) if pid != own):
            return
        if time.monotonic() > deadline:
            raise RuntimeFailure(f"processes of cgroup {path} do not die", stage="cgroup")
        time.sleep(0.001)


def freeze(path: str, mounts: Mounts | None = None) -> None:
    """Stop every process of the cgroup where it is; returns when all have stopped.

    Raises: Unsupported without a freezer, RuntimeFailure if the processes do not freeze within `PATIENCE` seconds.
    """
    mounts = mounts or host_mounts()
    if not _freeze(path, mounts, wait=PATIENCE):
        thaw(path, mounts)
        raise RuntimeFailure(f"the processes of cgroup {path} cannot be frozen", stage="cgroup")


def thaw(path: str, mounts: Mounts | None = None) -> None:
    """Let frozen processes go on; nothing happens to those that run. Raises: Unsupported without a freezer."""
    directory, file = _freezer(path, mounts or host_mounts())
    write_file(f"{directory}/{file}", "THAWED" if file == "freezer.state" else "0")


def frozen(path: str, mounts: Mounts | None = None) -> bool:
    """Was the cgroup frozen (paused)? False if it is gone."""
    directory, file = _freezer(path, mounts or host_mounts())
    return read_file(f"{directory}/{file}").strip() in ("FROZEN", "FREEZING", "1")


def _freezer(path: str, mounts: Mounts) -> tuple[str, str]:
    if directory := mounts.directory("freezer", path):
        return directory, "freezer.state"
    if directory := mounts.directory("cgroup", path):
        return directory, "cgroup.freeze"
    raise Unsupported("containers cannot be paused: this host has no freezer cgroup", hint="mount cgroup v2")


def _freeze(path: str, mounts: Mounts, wait: float) -> bool:
    directory, file = _freezer(path, mounts)
    deadline = time.monotonic() + wait
    if file == "cgroup.freeze":
        with open(f"{directory}/cgroup.events") as events:
            write_file(f"{directory}/{file}", "1")
            changed = select.poll()
            changed.register(events, select.POLLPRI)  # cgroup-v2.rst: a change of cgroup.events is a POLLPRI
            while "frozen 1" not in events.read():
                if not changed.poll(max(0, int((deadline - time.monotonic()) * 1000))):
                    return False
                events.seek(0)
        return True
    while True:
        # v1 tells nobody when it is done, and a task that forks while it freezes wants the write again
        write_file(f"{directory}/{file}", "FROZEN")
        if read_file(f"{directory}/{file}").strip() == "FROZEN":
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(0.001)


# reading ------------------------------------------------------------------------------------------


def oom_kills(path: str, mounts: Mounts | None = None) -> int:
    """How many processes of the cgroup the kernel has killed for want of memory since it was made."""
    mounts = mounts or host_mounts()
    directory = mounts.directory("memory", path)
    if directory is None:
        return 0
    return _table(f"{directory}/{'memory.oom_control' if 'memory' in mounts.v1 else 'memory.events'}").get(
        "oom_kill", 0
    )


def host_memory() -> int:
    """Bytes of memory the machine has."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _main(path: str, mounts: Mounts) -> str:
    """One hierarchy that holds every process of the cgroup."""
    for controller in ("pids", "freezer", "memory", "cgroup"):
        if directory := mounts.directory(controller, path):
            return directory
    return mounts.directories(path)[0]


def _is_zombie(pid: int) -> bool:
    status = read_file(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return not status or status[0] in ("Z", "X")


def _table(path: str) -> dict[str, int]:
    """A flat keyed file: one `name number` a line."""
    pairs = (line.split() for line in read_file(path).splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].lstrip("-").isdigit()}
