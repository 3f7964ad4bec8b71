"""The processes of a container: docker-top(1), and a signal to one of them."""

from __future__ import annotations

import os

from engine.containers import merged, own_users, users
from engine.containers.records import Record
from engine.errors import Conflict, InvalidInput, NotFound
from engine.images import store
from engine.linux import processes as kernel
from engine.models import Process
from engine.runtime import cgroups
from engine.runtime.status import status
from engine.settings import Settings
from engine.state.database import Database

LONGEST_COMMAND = 4096  # bytes read of a command line; a process may set its own to anything
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
_NO_TERMINAL = 0


def processes(settings: Settings, database: Database, record: Record) -> list[Process]:
    """Every process in the container's cgroup, oldest first. Raises Conflict if it does not run."""
    pids = _pids(settings, record)
    names = _user_names(settings, database, record)
    if record.options.userns:  # the host's numbers are others
        first = own_users.first(settings, record.id)
        names = {first + uid: name for uid, name in names.items()}
    boot = _boot_time()
    found = [process for pid in pids if (process := _read(pid, names, boot)) is not None]
    return sorted(found, key=lambda process: (process.start_ticks, process.pid))


def send_signal(settings: Settings, record: Record, pid: int, start_ticks: int, name: str) -> None:
    """Send a signal to one process of a container, never to another that was given its pid meanwhile.

    :param pid: in the host's pid namespace, with `start_ticks` as `processes` told them.
    Raises Conflict if the container does not run, NotFound if the process has ended, InvalidInput (signal).
    """
    from engine.containers.lifecycle import signal_number

    number = signal_number(name)
    gone = NotFound(f"process {pid} of container {record.name} has ended")
    if pid not in _pids(settings, record):
        raise gone
    try:
        pidfd = kernel.open_process(pid, start_ticks)
    except ProcessLookupError:
        raise gone from None
    try:
        kernel.send_signal(pidfd, number)
    except ProcessLookupError:
        raise gone from None
    except OSError as error:
        raise InvalidInput(f"cannot send {name} to process {pid}: {error.strerror}") from error
    finally:
        os.close(pidfd)


def _pids(settings: Settings, record: Record) -> list[int]:
    if not status(settings, record.id).running:
        raise Conflict(f"container {record.id} is not running", hint=f"`pilothouse start {record.name}` starts it")
    return cgroups.pids(f"{settings.cgroup_parent}/{record.id}")


def _read(pid: int, names: dict[int, str], boot: float) -> Process | None:
    """What proc_pid_stat(5) and its neighbours tell; None if it ended meanwhile."""
    try:
        stat = _contents(f"/proc/{pid}/stat", 4096)
        about = _status_fields(_contents(f"/proc/{pid}/status", 8192))
        command = _contents(f"/proc/{pid}/cmdline", LONGEST_COMMAND)
    except (FileNotFoundError, ProcessLookupError):
        return None
    name = os.fsdecode(stat[stat.index(b"(") + 1 : stat.rindex(b")")])
    fields = stat[stat.rindex(b")") + 2 :].split()
    uid = int(about["Uid"].split()[0])
    words = tuple(os.fsdecode(word) for word in command.rstrip(b"\0").split(b"\0")) if command.strip(b"\0") else ()
    return Process(
        pid=pid,
        inner_pid=int(about.get("NSpid", str(pid)).split()[-1]),
        parent=int(fields[1]),
        state=fields[0].decode(),
        name=name,
        command=words,
        uid=uid,
        user=names.get(uid, str(uid)),
        cpu_seconds=(int(fields[11]) + int(fields[12])) / TICKS,
        memory=int(fields[21]) * PAGE,
        threads=int(fields[17]),
        started=boot + int(fields[19]) / TICKS,
        start_ticks=int(fields[19]),
        terminal=_terminal(int(fields[4])),
    )


def _contents(path: str, limit: int) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, limit)
    finally:
        os.close(fd)


def _status_fields(text: bytes) -> dict[str, str]:
    """Only the first of each name counts: the process's own name comes first, escaped by the kernel."""
    pairs = (line.partition(":")[::2] for line in text.decode("utf-8", "replace").splitlines())
    return {name: value.strip() for name, value in reversed(list(pairs))}


def _terminal(device: int) -> str:
    """`pts/0`, or `?` without a controlling terminal (proc_pid_stat(5), tty_nr)."""
    if device == _NO_TERMINAL:
        return "?"
    major, minor = os.major(device), os.minor(device)
    if 136 <= major <= 143:  # Documentation/admin-guide/devices.txt: Unix98 pseudo-terminals
        return f"pts/{(major - 136) * 256 + minor}"
    return f"tty{minor}" if major == 4 else "?"


def _user_names(settings: Settings, database: Database, record: Record) -> dict[int, str]:
    """The accounts the container itself knows, those added since its start too."""
    image = store.image_of_container(settings, database, record.image_id)
    layers = [str(settings.container_dir(record.id) / "upper"), *store.lower_directories(image)]
    return users.names(merged.read_text(layers, "/etc/passwd", users.MAXIMUM_FILE) or "")


def _boot_time() -> float:
    """Seconds since the epoch at boot: proc_stat(5), `btime`."""
    with open("/proc/stat", "rb") as file:
        return next(float(line.split()[1]) for line in file if line.startswith(b"btime"))
