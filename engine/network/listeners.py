"""Who listens where: sockets with the processes that hold them (proc_pid_fd(5)). No packet is sent.

The names of processes are their own to choose: make them safe before they are shown.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from engine.errors import Conflict
from engine.models import Listener
from engine.network.holding import MARK
from engine.network.sockets import Socket, listening
from engine.runtime import cgroups
from engine.runtime.status import status

if TYPE_CHECKING:
    from engine.settings import Settings


def of_container(settings: Settings, container_id: str) -> tuple[Listener, ...]:
    """What the container's processes listen on, by port. Raises Conflict if it does not run.

    In a network namespace of its own a socket counts even if no process is seen to hold it; on the host's network only
    the container's own do.
    """
    now = status(settings, container_id)
    if not now.running:
        raise Conflict(f"container {container_id[:12]} is not running")
    found = listening(now.pid)
    pids = cgroups.pids(f"{settings.cgroup_parent}/{container_id}")
    holders = owners({socket.inode for socket in found}, pids)
    own = _namespace(now.pid) != _namespace("self")
    return _joined(
        Listener(socket.address, socket.port, socket.protocol, holders.get(socket.inode, 0), _name(holders, socket))
        for socket in found
        if own or socket.inode in holders
    )


def of_host() -> tuple[Listener, ...]:
    """What listens on this host, by port: any process, and the port holders of containers."""
    found = listening()
    with os.scandir("/proc") as entries:
        pids = sorted(int(entry.name) for entry in entries if entry.name.isdigit())
    holders = owners({socket.inode for socket in found}, pids)
    listeners = []
    for socket in found:
        pid = holders.get(socket.inode, 0)
        container, root = held_for(pid) if pid else ("", "")
        listeners.append(
            Listener(
                socket.address,
                socket.port,
                socket.protocol,
                pid,
                _name(holders, socket),
                user=whose(socket.uid),
                container=container,
                root=root,
            )
        )
    return _joined(listeners)


def owners(inodes: set[str], pids: Iterable[int]) -> dict[str, int]:
    """inode: the first of `pids` that holds that socket. Stops as soon as all are found."""
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    found: dict[str, int] = {}
    for pid in pids:
        if not wanted:
            break
        try:
            with os.scandir(f"/proc/{pid}/fd") as entries:
                for entry in entries:
                    inode = wanted.pop(os.readlink(entry.path), None)
                    if inode is not None:
                        found[inode] = pid
        except OSError:
            continue  # ended meanwhile, or another user's
    return found


def name_of(pid: int) -> str:
    """The name a process gave itself, at most 15 bytes; "" if it has ended."""
    try:
        with open(f"/proc/{pid}/comm", "rb") as file:
            return os.fsdecode(file.read(64)).removesuffix("\n")
    except OSError:
        return ""


def held_for(pid: int) -> tuple[str, str]:
    """The container whose published ports this process holds, and the root of its engine; two "" if it is none."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = os.fsdecode(file.read(8192)).split("\0")
    except OSError:
        return "", ""
    return (words[7], words[6]) if len(words) > 7 and MARK in words[4] else ("", "")


def whose(uid: int) -> str:
    """ "you", or the name of another user."""
    if uid == os.getuid():
        return "you"
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _name(holders: dict[str, int], socket: Socket) -> str:
    return name_of(holders[socket.inode]) if socket.inode in holders else ""


def _namespace(pid: int | str) -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/net")
    except OSError:
        return ""


def _joined(listeners: Iterable[Listener]) -> tuple[Listener, ...]:
    """By port; sockets that share one place (SO_REUSEPORT) count once."""
    places: dict[tuple[int, str, str], Listener] = {}
    for listener in listeners:
        places.setdefault((listener.port, listener.protocol, listener.address), listener)
    return tuple(places[place] for place in sorted(places))
