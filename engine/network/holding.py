"""Starting and ending the port holders of a container."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from engine.runtime import cgroup_beside

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket

    from engine.settings import Settings

MARK = "engine.network.holder"
_SCRIPT = f"import sys; sys.path.insert(0, sys.argv[1]); from {MARK} import main; main(sys.argv[2:])"
_PACKAGES = str(Path(__file__).absolute().parents[2])
_FIRST_SOCKET = 3
_SECONDS_TO_END = 5.0

_children: set[int] = set()  # holders that this process started and has not reaped


def start(
    settings: Settings, container_id: str, address: str, sockets: Sequence[tuple[_socket.socket, str, int]]
) -> None:
    """Hand bound sockets, with the protocol and the container's port of each, to a new holder. Does not wait for it.

    posix_spawn, because the caller may have threads, and because its file actions alone make the sockets inheritable:
    a process started elsewhere at the same time gets none of them. The holder goes to work when it is on record: if
    this process is killed before, so is the holder's. Raises OSError.
    """
    reap()
    wait, go = os.pipe()  # close-on-exec, as all that Python opens
    try:
        pid = _spawn(settings, container_id, address, sockets, wait)
        _children.add(pid)
        with open(_record(settings, container_id), "a", encoding="ascii") as file:
            file.write(f"{pid} {_start_time(pid)}\n")
        os.write(go, b"\n")
    finally:
        os.close(wait)
        os.close(go)


def _spawn(
    settings: Settings,
    container_id: str,
    address: str,
    sockets: Sequence[tuple[_socket.socket, str, int]],
    wait: int,
) -> int:
    actions: list[tuple[int, ...]] = [(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_RDWR, 0) for fd in (0, 1, 2)]  # type: ignore[misc]
    given = [*(socket.fileno() for socket, _, _ in sockets), wait]
    base = max(*given, _FIRST_SOCKET + len(given)) + 1
    # first out of each other's way, then to where the holder looks for them
    for place, descriptor in enumerate(given):
        actions.append((os.POSIX_SPAWN_DUP2, descriptor, base + place))
    for place in range(len(given)):
        actions.append((os.POSIX_SPAWN_DUP2, base + place, _FIRST_SOCKET + place))
        actions.append((os.POSIX_SPAWN_CLOSE, base + place))
    words = [f"{protocol}:{port}" for _, protocol, port in sockets]
    argv = [sys.executable, "-I", "-S", "-c", _SCRIPT, _PACKAGES, str(settings.root), container_id, address, *words]
    return os.posix_spawn(
        sys.executable,
        argv,
        {"BESIDE": ":".join(cgroup_beside.files(settings.cgroup_parent))},
        file_actions=actions,
        setsid=True,
        setsigmask=[],
        setsigdef=[signal.SIGINT, signal.SIGPIPE, signal.SIGTERM],
    )


def stop(settings: Settings, container_id: str) -> None:
    """End the container's holders and wait until their ports are free. None there: nothing done. Raises OSError."""
    for pid, started in _recorded(settings, container_id):
        try:
            watch = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            if _start_time(pid) != started:
                continue  # another process by now
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(watch, signal.SIGKILL)
            select.select([watch], [], [], _SECONDS_TO_END)
        finally:
            os.close(watch)
    _record(settings, container_id).unlink(missing_ok=True)
    reap()
    cgroup_beside.remove(settings.cgroup_parent)


def alive(settings: Settings, container_id: str) -> bool:
    """Whether every holder the container should have is there."""
    recorded = _recorded(settings, container_id)
    return bool(recorded) and all(_start_time(pid) == started for pid, started in recorded)


def reap() -> None:
    """Collect ended holders of this process. A dashboard stays for days; a zombie each would add up."""
    for pid in list(_children):
        try:
            gone, _ = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            gone = pid
        if gone:
            _children.discard(pid)


def _record(settings: Settings, container_id: str) -> Path:
    return settings.run_dir(container_id) / "holders"


def _recorded(settings: Settings, container_id: str) -> list[tuple[int, int]]:
    try:
        with open(_record(settings, container_id), encoding="ascii") as file:
            lines = [line.split() for line in file]
    except FileNotFoundError:
        return []
    return [(int(words[0]), int(words[1])) for words in lines if len(words) == 2]


def _start_time(pid: int) -> int:
    """Clock ticks since boot, 0 if the process has ended. Source: proc(5), /proc/pid/stat."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return 0 if fields[0] in "ZX" else int(fields[19])
