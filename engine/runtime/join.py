"""A further process in a running container: the children of an exec, from the monitor to the user's program.

Two forks: the first enters the cgroup and the namespaces (a pid namespace only takes one's children), the second is
made the monitor's own child and executes.
"""

from __future__ import annotations

import _socket
import os

from engine.linux import namespaces, paths, privileges, terminals
from engine.runtime import cgroups, identity, init, protocol, remap
from engine.runtime.failure import Channel, close_all_but

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from engine.runtime.start import Process


def fork(
    config: dict[str, Any],
    cgroup: str,
    main: Process,
    process: dict[str, Any],
    seccomp: bytes,
    stdio: tuple[int, int, int] | None,
) -> tuple[int, _socket.socket]:
    """Start the first child: its pid, and the connection on which it and the second one report.

    `main` is the container's own process, whose namespaces are entered.
    """
    ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC)
    child = namespaces.fork()
    if child == 0:
        _run(config, cgroup, main, process, seccomp, stdio, Channel(theirs))
    theirs.close()
    return child, ours


def _run(
    config: dict[str, Any],
    cgroup: str,
    main: Process,
    process: dict[str, Any],
    seccomp: bytes,
    stdio: tuple[int, int, int] | None,
    channel: Channel,
) -> NoReturn:
    try:
        # Nothing of the host may be open in a process that the container can see (CVE-2016-9962, CVE-2024-21626).
        close_all_but((*(stdio or ()), main.pidfd, channel.connection.fileno()))
        _enter(config, cgroup, main, process, channel)
        child = namespaces.fork(namespaces.CLONE_PARENT)
        if child:
            channel.send(protocol.frame(protocol.CHILD, child))
            os._exit(0)
        users = main.pidfd if remap.is_wanted(config) else -1
        _execute(process, seccomp, stdio, channel, users, remap.outside(config, process["user"].get("uid", 0)))
    except BaseException as error:  # reported, whatever it is: this process must not return into the monitor's code
        channel.fail(error)
    os._exit(1)


def _enter(config: dict[str, Any], cgroup: str, main: Process, process: dict[str, Any], channel: Channel) -> None:
    channel.stage = "set the OOM score"
    if process.get("oomScoreAdj") is not None:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write(str(process["oomScoreAdj"]))
    channel.stage = "set rlimits"
    identity.set_limits(process.get("rlimits") or ())
    process["last_capability"] = privileges.last_capability()
    channel.stage = "enter the cgroup"
    cgroups.join(cgroup, init=main.pid)
    channel.stage = "enter the namespaces"
    flags = 0
    for namespace in config.get("linux", {}).get("namespaces", []):
        if namespace["type"] != "user":  # the last to be entered: what comes before it needs the host's rights
            flags |= namespaces.flag(namespace["type"])
    namespaces.enter(main.pidfd, flags)


def _execute(
    process: dict[str, Any],
    seccomp: bytes,
    stdio: tuple[int, int, int] | None,
    channel: Channel,
    users: int,
    uid: int,
) -> None:
    """`users`: a pidfd of a process in the user namespace, or -1; `uid`: what the host calls the process's user."""
    os.setsid()
    privileges.leave_session_keyring("_ses")
    if stdio is None:
        channel.stage = "open the terminal"
        root = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        devpts = paths.open_in_root(root, "/dev/pts", os.O_PATH | os.O_DIRECTORY, resolve=paths.RESOLVE_NO_SYMLINKS)
        master, slave = terminals.open_pair(devpts)
        size = process.get("consoleSize") or {}
        if size:
            terminals.set_size(master, size.get("width", 0), size.get("height", 0))
        channel.send(protocol.STARTED, master)
        terminals.make_controlling(slave)
        stdio = (slave, slave, slave)
    users = init.take_stdio(stdio, uid, channel, users)
    init.execute(process, seccomp, process["last_capability"], channel, users=users)
