"""Which process has a port of this host, in words: asked when a port turns out to be taken."""

from __future__ import annotations

import os

from engine.network import listeners
from engine.network.sockets import listening


def occupant(port: int, protocol: str) -> str:
    """ "nginx (pid 123, you)", or "" if no process of this host is seen to have the port.

    Another engine's port holder is told by its container.
    """
    found = {socket.inode: socket.uid for socket in listening() if (socket.port, socket.protocol) == (port, protocol)}
    if not found:
        return ""
    with os.scandir("/proc") as entries:
        pids = [int(entry.name) for entry in entries if entry.name.isdigit()]
    for inode, pid in listeners.owners(set(found), pids).items():
        return _description(pid, found[inode])
    return ""


def _description(pid: int, uid: int) -> str:
    container, root = listeners.held_for(pid)
    if container:
        return f"container {container[:12]} of the engine in {root}"
    name = "".join(letter if letter.isprintable() else "?" for letter in listeners.name_of(pid))
    return f"{name} (pid {pid}, {listeners.whose(uid)})" if name else ""
