"""Process 1 of a container: what the child of a start does from its first instruction to its exec.

Nothing here waits for anyone but the kernel. No return: exec, or a failure told over the channel.
"""

from __future__ import annotations

import fcntl
import os
import stat

from engine.linux import libc, namespaces, paths, privileges, processes, terminals
from engine.runtime import cgroups, command, identity, protocol, reaper, remap
from engine.runtime.failure import close_all_but
from engine.runtime.rootfs import Rootfs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from engine.runtime.bundle import Bundle
    from engine.runtime.failure import Channel

# Made by the clone of the start; a path to join, the cgroup and the user namespace are entered by the child itself.
OF_CLONE = ("mount", "pid", "ipc", "uts", "network")


def clone_flags(config: dict[str, Any]) -> int:
    """The namespaces that the start's clone makes new: those the bundle lists without a path."""
    flags = 0
    for namespace in config.get("linux", {}).get("namespaces", []):
        if namespace["type"] in OF_CLONE and not namespace.get("path"):
            flags |= namespaces.flag(namespace["type"])
    return flags


def run(bundle: Bundle, stdio: tuple[int, int, int] | None, channel: Channel, users: int = -1) -> NoReturn:
    """The whole life of the child. `stdio`: descriptors for 0, 1, 2; None for a terminal of the container's own.

    `users`: its user namespace; -1 for the host's.
    """
    try:
        close_all_but((*(stdio or ()), users, channel.connection.fileno()))
        _become_init(bundle, stdio, channel, users)
    except BaseException as error:  # reported, whatever it is: this process must not return into the monitor's code
        channel.fail(error)
    os._exit(1)


def _become_init(bundle: Bundle, stdio: tuple[int, int, int] | None, channel: Channel, users: int) -> None:
    config = bundle.config
    process = config["process"]
    os.setsid()
    os.umask(0)
    _tune(process, channel)
    _enter_cgroup(bundle, channel)
    _join_namespaces(config, channel)
    rootfs = Rootfs(bundle, channel, users)
    if users >= 0:
        channel.stage = "act as the container's root"
        privileges.act_on_files_as(remap.outside(config, 0), remap.outside(config, 0, "gidMappings"))
    rootfs.build()
    _name_host(config, channel)
    _set_kernel_parameters(rootfs.descriptor, config.get("linux", {}).get("sysctl") or {}, channel)
    rootfs.restrict()
    if users >= 0:
        privileges.act_on_files_as_before()
    last_capability = privileges.last_capability()
    rootfs.enter()
    if rootfs.console:
        master, slave = rootfs.console
        channel.send(protocol.STARTED, master)
        os.close(master)
        terminals.make_controlling(slave)
        stdio = (slave, slave, slave)
    assert stdio is not None
    users = take_stdio(stdio, remap.outside(config, process["user"].get("uid", 0)), channel, users)
    with_reaper = bundle.monitor.get("init")
    before = reaper.fork if with_reaper else None
    execute(process, bundle.seccomp, last_capability, channel, before=before, users=users)


def take_stdio(stdio: tuple[int, int, int], uid: int, channel: Channel, kept: int = -1) -> int:
    """Make them 0, 1 and 2, owned by the user so that /dev/stdout can be opened by name; close the rest but `kept`.

    Returns what number `kept` has now; -1 if there is none.

    The null device is taken from inside the container: an open file of the host's could be given another mode or owner.
    """
    channel.stage = "set up stdio"
    for number, fd in enumerate(stdio):
        os.dup2(fd, number, inheritable=True)
    if kept >= 0:
        high = fcntl.fcntl(kept, fcntl.F_DUPFD_CLOEXEC, 10)
    channel.move_to(3)
    if kept >= 0:
        os.dup2(high, 4, inheritable=False)
    processes.close_all(4 if kept < 0 else 5)
    for number in range(3):
        status = os.fstat(number)
        if _is_null(status):
            inner = _inner_null()
            os.dup2(inner, number, inheritable=True)
            os.close(inner)
        elif uid and status.st_uid != uid:
            os.fchown(number, uid, -1)
    return 4 if kept >= 0 else -1


def _is_null(status: os.stat_result) -> bool:
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == os.makedev(1, 3)


def _inner_null() -> int:
    """The container's null device; where it has put something else in that place, a pipe that nobody writes to."""
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    try:
        opened = os.open("/dev/null", flags)
        if _is_null(os.fstat(opened)):
            return opened
        os.close(opened)
    except OSError:
        pass  # it has none
    read, write = os.pipe()
    os.close(write)
    return read


def execute(
    process: dict[str, Any],
    seccomp: bytes,
    last_capability: int,
    channel: Channel,
    *,
    before: Any = None,
    users: int = -1,
) -> None:
    """From a process inside the container to the user's program. Shared with exec.

    `users`: the user namespace to enter, or a pidfd of a process in it; -1 for none.

    The order matters: without no_new_privs the filter needs CAP_SYS_ADMIN, so it comes before the capabilities go.
    """
    channel.stage = "enter the working directory"
    _enter_directory(process["cwd"])
    channel.stage = "find the command"
    environment = identity.environment(process)
    if users >= 0:
        channel.stage = "enter the user namespace"
        namespaces.enter(users, namespaces.CLONE_NEWUSER)
        os.close(users)
        os.setgroups([])
        os.setresgid(0, 0, 0)  # until now it was nobody there
        os.setresuid(0, 0, 0)
    channel.stage = "find the command"
    path = command.find(process["args"][0], environment)
    channel.stage = "drop privileges"
    identity.set_security_labels(process)
    if process.get("noNewPrivileges"):
        privileges.forbid_new_privileges()
    elif seccomp:
        privileges.install_seccomp_filter(seccomp)
    identity.take_on(process, last_capability)
    os.umask(process["user"].get("umask", 0o022))
    if seccomp and process.get("noNewPrivileges"):
        channel.stage = "install seccomp"
        privileges.install_seccomp_filter(seccomp)
    if before is not None:
        before(channel)
    channel.stage = "exec"
    channel.await_go()
    identity.reset_signals()
    command.execute(path, process["args"], environment)


def _tune(process: dict[str, Any], channel: Channel) -> None:
    """What is set through the host's /proc and with the starter's privileges."""
    channel.stage = "set the OOM score"
    score = process.get("oomScoreAdj")
    if score is not None:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write(str(score))
    channel.stage = "set rlimits"
    identity.set_limits(process.get("rlimits") or ())
    channel.stage = "join a session keyring"
    privileges.leave_session_keyring("_ses")


def _enter_cgroup(bundle: Bundle, channel: Channel) -> None:
    channel.stage = "enter the cgroup"
    cgroups.join(bundle.monitor["cgroup"])
    if any(namespace["type"] == "cgroup" for namespace in bundle.config.get("linux", {}).get("namespaces", [])):
        namespaces.unshare(namespaces.CLONE_NEWCGROUP)


def _join_namespaces(config: dict[str, Any], channel: Channel) -> None:
    for namespace in config.get("linux", {}).get("namespaces", []):
        if namespace.get("path"):
            channel.stage = f"join the {namespace['type']} namespace"
            namespaces.enter_path(namespace["path"], namespace["type"])


def _name_host(config: dict[str, Any], channel: Channel) -> None:
    channel.stage = "set the hostname"
    for key, function in (("hostname", "sethostname"), ("domainname", "setdomainname")):
        if config.get(key):
            name = config[key].encode()
            libc.call(function, name, len(name))


def _set_kernel_parameters(root: int, parameters: dict[str, str], channel: Channel) -> None:
    """sysctl(8) names; only what a namespace of the container's own holds is listed by whoever made the bundle."""
    for name, value in parameters.items():
        channel.stage = f"set sysctl {name}"
        path = "/proc/sys/" + name.replace(".", "/")
        fd = paths.open_in_root(root, path, os.O_WRONLY, resolve=paths.RESOLVE_NO_SYMLINKS)
        identity.insist_on_proc(fd, path)
        os.write(fd, str(value).encode())
        os.close(fd)


def _enter_directory(path: str) -> None:
    """Never by a magic link: WORKDIR=/proc/self/fd/N would lead out of the container (CVE-2024-21626)."""
    root = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    directory = paths.open_in_root(root, path, os.O_PATH | os.O_DIRECTORY)
    os.fchdir(directory)
    os.close(directory)
    os.close(root)
    if not os.getcwd().startswith("/"):
        raise OSError(2, "the working directory is not inside the container", path)
