"""The control groups of a container: made, limited, entered, frozen, emptied, removed (cgroup v1 and v2).

A container's cgroup is one relative path (`pilothouse/ID`) below the mount of every hierarchy. Each controller is
used where it is found: under its own v1 mount or in the v2 tree, so pure v1, pure v2 and hybrids are one case.

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
from engine.runtime import cgroup_limits, devices

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SIGKILL = 9  # importing `signal` would bring `enum` into the monitor
_BESIDE = "-beside"
_ASIDE = "init"  # where engines in a container put, on v2, the processes that they find at the top
PATIENCE = 10.0  # seconds until a cgroup that does not empty or freeze is an error


class Mounts:
    """Where the hierarchies are. `v1`: controller (or `name=systemd`) -> directory; `v2`: directory or empty."""

    __slots__ = ("v1", "v2", "v2_controllers")

    def __init__(self, v1: dict[str, str], v2: str) -> None:
        self.v1, self.v2 = v1, v2
        self.v2_controllers: tuple[str, ...] = tuple(_read(f"{v2}/cgroup.controllers").split()) if v2 else ()

    @classmethod
    def of_host(cls) -> Mounts:
        """Reads /proc/self/mountinfo (proc(5)): optional fields end with a lone hyphen."""
        v1: dict[str, str] = {}
        v2 = ""
        for line in _read("/proc/self/mountinfo").splitlines():
            left, found, right = line.partition(" - ")
            if not found:
                continue
            kind, _, rest = right.partition(" ")
            directory = left.split(" ")[4].replace("\\040", " ")
            if kind == "cgroup2":
                v2 = v2 or directory
            elif kind == "cgroup":
                for option in rest.rpartition(" ")[2].split(","):
                    if option not in ("rw", "ro", "xattr", "noprefix", "clone_children", "favordynmods"):
                        v1.setdefault(option, directory)
        return cls(v1, v2)

    @property
    def version(self) -> str:
        """Docker's word for the host: "2" only if no resource controller is on v1."""
        return "2" if self.v2 and "memory" not in self.v1 and "cpu" not in self.v1 else "1"

    @property
    def uses_v2(self) -> bool:
        """A v2 tree without controllers beside v1 is joined only where systemd tracks its units in it."""
        return bool(self.v2) and (self.version == "2" or os.path.isdir("/run/systemd/system"))

    def directories(self, path: str) -> list[str]:
        """The cgroup's directory in every hierarchy, each once (v1 controllers may share a mount)."""
        roots = dict.fromkeys(self.v1.values())
        if self.uses_v2:
            roots[self.v2] = None
        return [f"{root}/{path}" for root in roots]

    @property
    def of_systemd(self) -> list[str]:
        """The roots of the hierarchies in which systemd keeps its units, and kills the processes of a session."""
        found = [directory for name, directory in self.v1.items() if name.startswith("name=")]
        return [*found, self.v2] if self.uses_v2 else found

    def directory(self, controller: str, path: str) -> str | None:
        """Where one controller of the cgroup is, or None if the kernel or this host lacks the controller."""
        if controller in self.v1:
            return f"{self.v1[controller]}/{path}"
        if self.uses_v2 and (controller in self.v2_controllers or controller == "cgroup"):
            return f"{self.v2}/{path}"
        return None


class Cgroup:
    """A container's cgroup that exists. `unified` is its v2 directory, empty if v2 is not used."""

    __slots__ = ("directories", "mounts", "path", "unified")

    def __init__(self, path: str, mounts: Mounts) -> None:
        self.path, self.mounts = path, mounts
        self.directories = mounts.directories(path)
        self.unified = f"{mounts.v2}/{path}" if mounts.uses_v2 else ""


_host: Mounts | None = None


def host_mounts() -> Mounts:
    """The machine's hierarchies, looked up once per process."""
    global _host
    if _host is None:
        _host = Mounts.of_host()
    return _host


# creating and removing ----------------------------------------------------------------------------


def create(path: str, resources: dict[str, Any], mounts: Mounts | None = None) -> Cgroup:
    """Make the cgroup in every hierarchy and set the limits of a runtime-spec `linux.resources`.

    A cgroup of that path that an earlier start left behind, without processes, is replaced, so that its counters start
    at nought. On failure nothing stays.

    Raises: Unsupported if a limit is asked for whose controller is missing, InvalidInput if the kernel refuses a
    value, RuntimeFailure (stage "cgroup") if a directory cannot be made.
    """
    mounts = mounts or host_mounts()
    cgroup = Cgroup(_checked(path), mounts)
    _remove_all([directory for directory in cgroup.directories if os.path.isdir(directory)])
    if mounts.uses_v2:
        _delegate(mounts, path)
    try:
        for directory in cgroup.directories:
            _make(directory)
        if "cpuset" in mounts.v1:
            _inherit_cpuset(mounts.v1["cpuset"], path)
        _limit(cgroup, resources)
    except BaseException:
        remove(path, mounts)
        raise
    return cgroup


def find(path: str, mounts: Mounts | None = None) -> Cgroup:
    """The cgroup of a container that was started before, by this process or by another."""
    return Cgroup(_checked(path), mounts or host_mounts())


def remove(path: str, mounts: Mounts | None = None) -> None:
    """Remove the cgroup with everything below it, and its parent if that is empty now.

    Idempotent; processes still in it are killed. Raises: RuntimeFailure if it does not empty within `PATIENCE` seconds.
    """
    mounts = mounts or host_mounts()
    directories = [directory for directory in mounts.directories(_checked(path)) if os.path.isdir(directory)]
    if not directories:
        remove_beside(os.path.dirname(path), mounts)
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
        remove_beside(parent, mounts)


def beside(parent: str, mounts: Mounts | None = None) -> list[str]:
    """Where the processes go that serve containers, so that they outlive the session of their starter.

    On a systemd host a logout, or the end of a unit, kills what is in its cgroup: containers are in one of their own,
    and so must be who serves them. It is `<parent>-beside`, and only in the hierarchies of systemd. The files that a
    process with one thread writes "0" to, in directories that may have to be made.
    """
    mounts = mounts or host_mounts()
    return [
        f"{root}/{_checked(parent)}{_BESIDE}/{'cgroup.procs' if root == mounts.v2 else 'tasks'}"
        for root in mounts.of_systemd
    ]


def join_beside(parent: str, others: tuple[int, ...] = (), mounts: Mounts | None = None) -> None:
    """Move the calling process, which must have one thread, and `others` out of the session of their starter.

    Where that is not allowed (a nested engine without the right to) they stay where they are.
    """
    for file in beside(parent, mounts):
        for _ in range(100):
            try:
                os.makedirs(os.path.dirname(file), exist_ok=True)
                for pid in (0, *others):
                    _write(file, str(pid))
            except OSError as error:
                if error.errno in (errno.ENOENT, errno.ENODEV, errno.EEXIST):
                    continue  # another one has just left it, and removed it
            break


def remove_beside(parent: str, mounts: Mounts | None = None) -> None:
    """Remove the cgroup of `join_beside` if nobody is left in it."""
    for file in beside(parent, mounts) if parent else ():
        directory = os.path.dirname(file)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                os.rmdir(directory)
            except FileNotFoundError:
                pass  # nobody ever was in it, or another one was faster
            except OSError:
                if not _read(f"{directory}/cgroup.procs"):
                    time.sleep(0.001)  # who was killed leaves it a little after that was told
                    continue
            break


def leave_beside(parent: str, mounts: Mounts | None = None) -> None:
    """The calling process is about to end: go up, so that the cgroup can go too if this was the last one in it."""
    for file in beside(parent, mounts):
        top, name = os.path.dirname(os.path.dirname(file)), os.path.basename(file)
        for up in (top, f"{top}/{_ASIDE}"):
            try:
                _write(f"{up}/{name}", "0")
                break
            except OSError:
                continue  # it stays for the next one
    remove_beside(parent, mounts)


def _make(directory: str) -> None:
    for _ in range(100):
        try:
            os.makedirs(directory, exist_ok=True)
            return
        except FileNotFoundError:
            continue  # another engine removed the empty parent between the two steps
        except OSError as error:
            raise _failure("create", directory, error) from error
    raise RuntimeFailure(f"cannot create cgroup {directory}: its parent keeps vanishing", stage="cgroup")


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
                    raise _failure("remove", directory, error) from error
                done = False
    return done


def _delegate(mounts: Mounts, path: str) -> None:
    """v2: a controller works in a cgroup only if every ancestor passes it on (cgroup-v2.rst, "Top-down constraint").

    In a container the top is a cgroup that holds processes, those of the container: as Docker and Podman do there, they
    are moved into one beside ours. Where that fails nothing is passed on (passing on "cpu" over the heads of processes
    makes a threaded domain, and no process can enter what is below); a limit that is asked for has no file then.
    """
    names = ("cpu", "cpuset", "io", "memory", "pids", "hugetlb") if _vacate(mounts.v2) else ()
    wanted = [name for name in names if name in mounts.v2_controllers]
    directory = mounts.v2
    for part in path.split("/"):
        enabled = _read(f"{directory}/cgroup.subtree_control").split()
        for controller in wanted:
            if controller not in enabled:
                try:
                    _write(f"{directory}/cgroup.subtree_control", f"+{controller}")
                except OSError:
                    continue
        directory = f"{directory}/{part}"
        if part != path.rpartition("/")[2]:
            _make(directory)


def _vacate(top: str) -> bool:
    """v2: may controllers be passed on below `top`? The kernel's own root may always, any other without processes."""
    if not os.path.exists(f"{top}/cgroup.type"):
        return True
    for _ in range(100):  # they fork, and `exec` brings more
        if not (found := _read(f"{top}/cgroup.procs").split()):
            return True
        if "0" in found:  # one of another pid namespace, whom we cannot name
            return False
        try:
            os.makedirs(f"{top}/{_ASIDE}", exist_ok=True)
            for pid in found:
                _write(f"{top}/{_ASIDE}/cgroup.procs", pid)
        except OSError as error:
            if error.errno != errno.ESRCH:
                return False
    return False


def _inherit_cpuset(root: str, path: str) -> None:
    """v1: a new cpuset is empty and takes no process until it has CPUs and memory nodes; copy the parent's."""
    directory = root
    for part in path.split("/"):
        parent, directory = directory, f"{directory}/{part}"
        for file in ("cpuset.cpus", "cpuset.mems"):
            if not _read(f"{directory}/{file}").strip() and (value := _read(f"{parent}/{file}").strip()):
                _write(f"{directory}/{file}", value)


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
            _write(file, write.value)
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
                _write(f"{directory}/{file}", str(pid))
            except OSError as error:
                divided = error.errno == errno.EBUSY and directory == cgroup.unified
                if not divided or not (below := _part_of(cgroup.path, init)):
                    raise
                _write(f"{directory}/{below}/{file}", str(pid))
        except OSError as error:
            raise _failure("enter", directory, error) from error


def _part_of(path: str, pid: int) -> str:
    """Where below the v2 cgroup `path` a process is; empty if it is not below it."""
    for line in _read(f"/proc/{pid}/cgroup").splitlines() if pid else ():
        if line.startswith(f"0::/{path}/"):
            return line.removeprefix(f"0::/{path}/")
    return ""


def pids(path: str, mounts: Mounts | None = None) -> list[int]:
    """Every process in the cgroup and below it, in no order; empty if the cgroup is gone."""
    directory = _main(path, mounts or host_mounts())
    found: set[int] = set()
    for below, _, _ in os.walk(directory):
        found.update(int(pid) for pid in _read(f"{below}/cgroup.procs").split())
    return sorted(found)


def kill(path: str, mounts: Mounts | None = None) -> None:
    """SIGKILL every process of the cgroup, however fast it forks. Returns when all were signalled."""
    mounts = mounts or host_mounts()
    cgroup = find(path, mounts)
    if cgroup.unified and os.path.exists(f"{cgroup.unified}/cgroup.kill"):
        _write(f"{cgroup.unified}/cgroup.kill", "1")
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
    _write(f"{directory}/{file}", "THAWED" if file == "freezer.state" else "0")


def frozen(path: str, mounts: Mounts | None = None) -> bool:
    """Was the cgroup frozen (paused)? False if it is gone."""
    directory, file = _freezer(path, mounts or host_mounts())
    return _read(f"{directory}/{file}").strip() in ("FROZEN", "FREEZING", "1")


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
            _write(f"{directory}/{file}", "1")
            changed = select.poll()
            changed.register(events, select.POLLPRI)  # cgroup-v2.rst: a change of cgroup.events is a POLLPRI
            while "frozen 1" not in events.read():
                if not changed.poll(max(0, int((deadline - time.monotonic()) * 1000))):
                    return False
                events.seek(0)
        return True
    while True:
        # v1 tells nobody when it is done, and a task that forks while it freezes wants the write again
        _write(f"{directory}/{file}", "FROZEN")
        if _read(f"{directory}/{file}").strip() == "FROZEN":
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


def _checked(path: str) -> str:
    parts = path.split("/")
    if not path or any(part in ("", ".", "..") for part in parts):
        raise InvalidInput(f"{path!r} is not a cgroup path: it must be relative, without empty parts or dots")
    return path


def _is_zombie(pid: int) -> bool:
    status = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return not status or status[0] in ("Z", "X")


def _table(path: str) -> dict[str, int]:
    """A flat keyed file: one `name number` a line."""
    pairs = (line.split() for line in _read(path).splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].lstrip("-").isdigit()}


def _read(path: str) -> str:
    """The file's text; empty if it is not there or vanishes (a cgroup that is being removed gives ENODEV)."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return ""


def _write(path: str, value: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, value.encode())
    finally:
        os.close(fd)


def _failure(verb: str, directory: str, error: OSError) -> RuntimeFailure:
    hint = "run as root" if error.errno in (errno.EACCES, errno.EPERM) else ""
    if error.errno == errno.EROFS:
        hint = "the cgroup tree is mounted read-only here"
    return RuntimeFailure(f"cannot {verb} cgroup {directory}: {error.strerror}", stage="cgroup", hint=hint)
