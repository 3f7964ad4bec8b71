"""Image config and run options, made into a runtime-spec `config.json` by Docker's rules.

The runtime executes exactly what is said here, so another runtime (runc, crun) could take the same bundle.
Sources: runtime-spec config.md, config-linux.md; docker-run(1).
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable, Sequence

from engine.containers import health, security
from engine.containers.users import ResolvedUser
from engine.containers.volumes import ResolvedMount
from engine.errors import InvalidInput
from engine.models import Endpoint, ImageConfig, Resources, RunOptions, Ulimit
from engine.runtime import capabilities
from engine.runtime.devices import DEFAULT_NODES
from engine.settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CPU_PERIOD = 100_000  # microseconds; Docker's and the kernel's default
USERS = 1 << 16  # of a container with users of its own
MINIMUM_MEMORY = 6 << 20  # bytes; below this a container does not start (Docker)
RLIM_INFINITY = (1 << 64) - 1

MASKED_PATHS = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
)
READONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")

RLIMITS = "as core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack".split()


NETWORKS = ("bridge", "none", "host")


def command_of(options: RunOptions, image: ImageConfig) -> tuple[str, ...]:
    """What is executed: entrypoint and command, the user's or the image's.

    An entrypoint of the user's drops the image's command as well; `--entrypoint ""` drops the image's entrypoint.
    Raises: InvalidInput ("No command specified").
    """
    entrypoint, command = options.entrypoint, options.command
    if not entrypoint:
        command = command or image.cmd or ()
        if entrypoint is None:
            entrypoint = image.entrypoint
    if entrypoint in (None, ("",)):
        entrypoint = ()
    result = (*entrypoint, *command)
    if not result:
        raise InvalidInput("No command specified", hint="the image names no command: add one after the image")
    _refuse_nul(result, "the command")
    return result


def environment_of(options: RunOptions, image: ImageConfig, hostname: str, home: str) -> list[str]:
    """PATH, HOSTNAME, TERM with a terminal, then the user's and the image's variables, HOME if nobody set it.

    A variable of the user's without `=` is taken away (`-e NAME` when the caller has no NAME).
    """
    variables = {"PATH": DEFAULT_PATH, "HOSTNAME": hostname}
    if options.tty:
        variables["TERM"] = "xterm"
    users = {entry.partition("=")[0] for entry in options.env}
    wanted = [*options.env, *(entry for entry in image.env if entry.partition("=")[0] not in users)]
    _refuse_nul(wanted, "the environment")
    for entry in wanted:
        name, found, value = entry.partition("=")
        if found:
            variables[name] = value
        else:
            variables.pop(name, None)
    variables.setdefault("HOME", home)
    return [f"{name}={value}" for name, value in variables.items()]


def working_directory_of(options: RunOptions, image: ImageConfig) -> str:
    """Absolute and clean. Raises: InvalidInput in Docker's words for a relative one."""
    directory = options.working_dir or image.working_dir or "/"
    if not directory.startswith("/") or "\0" in directory:
        raise InvalidInput(f"the working directory '{directory}' is invalid, it needs to be an absolute path")
    return "/" + posixpath.normpath(directory).lstrip("/")


def check(options: RunOptions, image: ImageConfig) -> None:
    """Refuse, before anything is made, what no container could be started from. Raises InvalidInput."""
    working_directory_of(options, image)
    check_resources(options.resources)
    health.check(options.health)
    if options.cap_add or options.cap_drop or options.security_opt:
        granted = capabilities.chosen(options.cap_add, options.cap_drop, privileged=options.privileged)
        security.seccomp_filter(security.parse(options.security_opt), granted, privileged=options.privileged)
    for ulimit in options.ulimits:
        _rlimit(ulimit)
    if options.userns:
        _check_userns(options)
    if options.network not in NETWORKS:
        raise InvalidInput(f"network {options.network} not found", hint="networks are bridge, none and host")


def runtime_spec(
    settings: Settings,
    container_id: str,
    options: RunOptions,
    image: ImageConfig,
    endpoint: Endpoint | None,
    *,
    hostname: str,
    user: ResolvedUser,
    mounts: Sequence[ResolvedMount] = (),
    files: Sequence[tuple[str, str]] = (),
    first_user: int = 0,
) -> dict[str, Any]:
    """The `config.json` of one container.

    :param endpoint: its network namespace; None for `--network host`.
    :param mounts: as `volumes.resolve` gives them.
    :param files: (host path, path in the container) of the engine's own files: hosts, hostname, resolv.conf.
    :param first_user: with `--userns auto`: what the host calls the container's user 0.
    :raises InvalidInput: an option that makes no sense, in Docker's words.
    """
    safety = security.parse(options.security_opt)
    granted = capabilities.chosen(options.cap_add, options.cap_drop, privileged=options.privileged)
    seccomp = security.seccomp_filter(safety, granted, privileged=options.privileged)
    open_paths = options.privileged or safety.system_paths_unconfined
    linux: dict[str, Any] = {
        "cgroupsPath": f"/{cgroup_path(settings, container_id)}",
        "resources": _resources(options.resources, options.privileged),
        "namespaces": _namespaces(endpoint),
        "sysctl": {} if endpoint is None else _network_sysctls(),
        "maskedPaths": [] if open_paths else list(MASKED_PATHS),
        "readonlyPaths": [] if open_paths else list(READONLY_PATHS),
    }
    if options.userns == "auto":
        linux["namespaces"].append({"type": "user"})
        linux |= _mappings(first_user)
    if options.privileged:
        linux["devices"] = host_devices()
    if seccomp is not None:
        linux["seccomp"] = seccomp
    if propagation := _root_propagation(mounts):
        linux["rootfsPropagation"] = propagation
    process: dict[str, Any] = {
        "terminal": options.tty,
        "user": {"uid": user.uid, "gid": user.gid, "additionalGids": list(user.additional_gids)},
        "args": list(command_of(options, image)),
        "env": environment_of(options, image, hostname, user.home),
        "cwd": working_directory_of(options, image),
        "capabilities": process_capabilities(granted, user.uid),
        "noNewPrivileges": safety.no_new_privileges,
        "oomScoreAdj": 0,
    }
    if options.ulimits:
        process["rlimits"] = [_rlimit(ulimit) for ulimit in options.ulimits]
    if safety.apparmor and safety.apparmor != "unconfined":
        process["apparmorProfile"] = safety.apparmor
    return {
        "ociVersion": "1.0.2",
        "process": process,
        "root": {"path": str(settings.container_dir(container_id) / "rootfs"), "readonly": options.read_only},
        "hostname": hostname,
        "mounts": [
            *_system_mounts(options, mounts, first_user),
            *_user_mounts(mounts, idmap=bool(options.userns)),
            *_file_mounts(options, mounts, files),
        ],
        "linux": linux,
        "annotations": {},
    }


def resting_spec(options: RunOptions, mounts: Sequence[ResolvedMount], first_user: int) -> dict[str, Any]:
    """Of `runtime_spec` what concerns the files of a container that does not run: a tmpfs it has none."""
    on_disk = [mount for mount in mounts if mount.kind != "tmpfs"]
    linux = {"namespaces": [{"type": "user"}], **_mappings(first_user)} if options.userns == "auto" else {}
    return {
        "root": {"readonly": options.read_only},
        "mounts": _user_mounts(on_disk, idmap=bool(options.userns)),
        "linux": linux,
    }


def monitor_settings(
    settings: Settings,
    container_id: str,
    options: RunOptions,
    *,
    name: str,
    image: str,
    labels: dict[str, str],
    lower: Sequence[str],
    stop_signal: str,
    exit_command: Sequence[str],
    log: dict[str, Any] | None = None,
    health: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """What the monitor needs and config.json has no place for.

    :param lower: snapshot directories, topmost first.
    :param log: "max_size" (bytes) and "max_files"; the log writer's defaults if left out.
    :param health: as `health.probe` gives it; None for no health check.
    """
    directory = settings.container_dir(container_id)
    return {
        "id": container_id,
        "name": name,
        "image": image,
        "labels": dict(labels),
        "lower": list(lower),
        "upper": str(directory / "upper"),
        "work": str(directory / "work"),
        "terminal": options.tty,
        "stdin_open": options.interactive,
        # Docker: input ends with the first client unless the container was made in the background
        "stdin_once": options.interactive and not options.detach,
        "log": {"directory": str(directory / "log"), **(log or {})},
        "restart": {"name": options.restart.name, "maximum_retry_count": options.restart.maximum_retry_count},
        "remove": options.remove,
        "init": options.init,
        "cgroup": cgroup_path(settings, container_id),
        "stop_signal": stop_signal,
        "exit_command": list(exit_command),
        "journal": str(settings.journal),
        "health": health,
    }


def cgroup_path(settings: Settings, container_id: str) -> str:
    """The container's cgroup below every hierarchy's mount."""
    return f"{settings.cgroup_parent}/{container_id}"


def process_capabilities(granted: Iterable[str], uid: int) -> dict[str, list[str]]:
    """Nothing is inheritable or ambient (CVE-2022-24769), and a user other than root has none in effect."""
    names = list(granted)
    return {
        "bounding": names,
        "effective": names if uid == 0 else [],
        "permitted": names if uid == 0 else [],
        "inheritable": [],
        "ambient": [],
    }


def host_devices(directory: str = "/dev") -> list[dict[str, Any]]:
    """Every device node of the host, as `--privileged` gives them; not those the container has of its own."""
    own = {path for path, *_ in DEFAULT_NODES}
    found: list[dict[str, Any]] = []
    pending = [directory]
    while pending:
        try:
            entries = sorted(os.scandir(pending.pop()), key=lambda entry: entry.name)
        except OSError:
            continue  # a directory of a driver that is just going away
        for entry in entries:
            inside = f"/dev{entry.path.removeprefix(directory)}"
            if inside in own or inside in ("/dev/console", "/dev/ptmx") or entry.is_symlink():
                continue
            if entry.is_dir():
                if inside not in ("/dev/pts", "/dev/shm", "/dev/fd", "/dev/mqueue", "/dev/.lxc"):
                    pending.append(entry.path)
                continue
            device = _device(entry, inside)
            if device:
                found.append(device)
    return found


def _device(entry: os.DirEntry[str], path: str) -> dict[str, Any] | None:
    import stat

    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return None  # unplugged meanwhile
    kind = "c" if stat.S_ISCHR(status.st_mode) else "b" if stat.S_ISBLK(status.st_mode) else ""
    if not kind:
        return None
    return {
        "path": path,
        "type": kind,
        "major": os.major(status.st_rdev),
        "minor": os.minor(status.st_rdev),
        "fileMode": stat.S_IMODE(status.st_mode),
        "uid": status.st_uid,
        "gid": status.st_gid,
    }


def check_resources(resources: Resources, cpus: int | None = None) -> None:
    """Raises: InvalidInput in Docker's words for limits that cannot be meant."""
    if 0 < resources.memory < MINIMUM_MEMORY:
        raise InvalidInput("Minimum memory limit allowed is 6MB")
    if resources.memory_swap > 0 and not resources.memory:
        raise InvalidInput("You should always set the Memory limit when using Memoryswap limit, see usage")
    if 0 < resources.memory_swap < resources.memory:
        raise InvalidInput("Minimum memoryswap limit should be larger than memory limit, see usage")
    available = cpus or os.cpu_count() or 1
    if resources.cpus < 0 or resources.cpus > available or 0 < resources.cpus < 0.01:
        raise InvalidInput(
            f"Range of CPUs is from 0.01 to {available:.2f}, as there are only {available} CPUs available"
        )


def _resources(resources: Resources, privileged: bool) -> dict[str, Any]:
    check_resources(resources)
    result: dict[str, Any] = {"devices": [{"allow": True, "access": "rwm"}] if privileged else _device_rules()}
    if resources.memory or resources.memory_swap:
        memory: dict[str, Any] = {}
        if resources.memory:
            # Docker: as much swap as memory unless something else is said
            memory = {"limit": resources.memory, "swap": resources.memory_swap or 2 * resources.memory}
        result["memory"] = memory
    if resources.cpus:
        result["cpu"] = {"quota": round(resources.cpus * CPU_PERIOD), "period": CPU_PERIOD}
    if resources.pids > 0:
        result["pids"] = {"limit": resources.pids}
    return result


def _device_rules() -> list[dict[str, Any]]:
    nodes = [*((kind, major, minor) for _, kind, major, minor, _ in DEFAULT_NODES), ("c", 5, 1)]  # and the console
    return [
        {"allow": False, "access": "rwm"},
        *(
            {"allow": True, "type": kind, "major": major, "minor": minor, "access": "rwm"}
            for kind, major, minor in nodes
        ),
    ]


def _check_userns(options: RunOptions) -> None:
    if options.userns not in ("auto", "host"):
        raise InvalidInput(f"--userns: invalid USER mode: {options.userns}", hint="it is host or auto")
    if options.privileged:
        raise InvalidInput(
            "privileged mode is incompatible with user namespaces.  You must run the container in the host namespace"
            " when running privileged mode"
        )
    if options.network == "host":
        raise InvalidInput("cannot share the host's network namespace when user namespaces are enabled")


def _namespaces(endpoint: Endpoint | None) -> list[dict[str, str]]:
    kinds = [{"type": kind} for kind in ("mount", "uts", "pid", "ipc", "cgroup")]
    if endpoint is not None:
        kinds.append({"type": "network", "path": endpoint.netns})
    return kinds


def _mappings(first_user: int) -> dict[str, Any]:
    mapping = [{"containerID": 0, "hostID": first_user, "size": USERS}]
    return {"uidMappings": mapping, "gidMappings": mapping}


def _network_sysctls() -> dict[str, str]:
    # Docker: any user may bind low ports and ping inside a network of its own
    return {"net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ping_group_range": "0 2147483647"}


def _rlimit(ulimit: Ulimit) -> dict[str, Any]:
    if ulimit.name not in RLIMITS:
        raise InvalidInput(f"invalid ulimit type: {ulimit.name}")
    soft, hard = (RLIM_INFINITY if value < 0 else value for value in (ulimit.soft, ulimit.hard))
    if soft > hard:
        raise InvalidInput(f"ulimit soft limit must be less than or equal to hard limit: {ulimit.soft} > {ulimit.hard}")
    return {"type": f"RLIMIT_{ulimit.name.upper()}", "soft": soft, "hard": hard}


def _system_mounts(options: RunOptions, mounts: Sequence[ResolvedMount], first_user: int) -> list[dict[str, Any]]:
    """/proc, /sys, /dev and what belongs there; what the user mounts at the same place takes its place."""
    writable = [] if options.privileged else ["ro"]
    shielded = ["nosuid", "noexec", "nodev"]
    standard = [
        _mount("/proc", "proc", "proc", shielded),
        _mount("/dev", "tmpfs", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
        _mount(
            "/dev/pts",
            "devpts",
            "devpts",
            ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", f"gid={first_user + 5}"],
        ),
        _mount("/sys", "sysfs", "sysfs", [*shielded, *writable]),
        _mount("/sys/fs/cgroup", "cgroup", "cgroup", [*writable, *shielded]),
        _mount("/dev/mqueue", "mqueue", "mqueue", shielded),
        _mount("/dev/shm", "tmpfs", "shm", [*shielded, "mode=1777", f"size={options.shm_size}"]),
    ]
    taken = {mount.destination for mount in mounts}
    return [
        mount
        for mount in standard
        if mount["destination"] not in taken and not ("/dev" in taken and mount["destination"].startswith("/dev/"))
    ]


def _user_mounts(mounts: Sequence[ResolvedMount], *, idmap: bool) -> list[dict[str, Any]]:
    """Parents before what is mounted inside them. `idmap`: volumes belong to the container's users."""
    ordered = sorted(mounts, key=lambda mount: mount.destination.count("/"))
    return [
        _mount(
            mount.destination,
            mount.type,
            mount.source,
            [*mount.options, *(["idmap"] if idmap and mount.kind == "volume" else [])],
        )
        for mount in ordered
    ]


def _file_mounts(
    options: RunOptions, mounts: Sequence[ResolvedMount], files: Sequence[tuple[str, str]]
) -> list[dict[str, Any]]:
    taken = {mount.destination for mount in mounts}
    flags = ["rbind", *(["ro"] if options.read_only else []), "rprivate", *(["idmap"] if options.userns else [])]
    return [_mount(target, "bind", source, flags) for source, target in files if target not in taken]


def _mount(destination: str, kind: str, source: str, options: list[str]) -> dict[str, Any]:
    return {"destination": destination, "type": kind, "source": source, "options": list(options)}


def _root_propagation(mounts: Sequence[ResolvedMount]) -> str:
    """A shared or slave bind mount needs a root that does not cut it off (mount_namespaces(7))."""
    flags = {flag for mount in mounts for flag in mount.options}
    if flags & {"shared", "rshared"}:
        return "shared"
    return "rslave" if flags & {"slave", "rslave"} else ""


def _refuse_nul(texts: Iterable[str], what: str) -> None:
    if any("\0" in text for text in texts):
        raise InvalidInput(f"{what} has a NUL character, which no program can be given")
