"""What `run` and `create` take: from a typed line to RunOptions and back."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from engine.cli import environment, health
from engine.cli.flags import (
    CAPABILITIES,
    FILES,
    IMAGES,
    PROGRAM,
    Arguments,
    Command,
    Flag,
    HelpWanted,
    UsageError,
    check_count,
    parse,
    scan,
)
from engine.cli.mounts import absolute, parse_mount, parse_tmpfs, parse_volume, spell_mount
from engine.cli.ports import IsFree, parse_port, spell_port
from engine.cli.units import memory_size, spell_memory, swap_size
from engine.errors import InvalidInput
from engine.models import Mount, PortMapping, Resources, RestartPolicy, RunOptions, Ulimit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

SHM_SIZE = 64 << 20
RESTART_NAMES = ("no", "always", "on-failure", "unless-stopped")
LIMITS = "core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack".split()


def parse_cpus(text: str) -> float:
    """`1.5` or `3/2`."""
    top, slash, bottom = text.partition("/")
    try:
        value = float(top) / float(bottom) if slash else float(top)
        if not re.fullmatch(r"[-+0-9./eE]+", text):
            raise ValueError(text)
        return value
    except (ValueError, ZeroDivisionError):
        raise InvalidInput(f"failed to parse {text} as a rational number") from None


def parse_ulimit(text: str) -> Ulimit:
    """`nofile=1024` or `nofile=1024:4096`; -1 means unlimited."""
    name, equals, values = text.partition("=")
    if not equals:
        raise InvalidInput(f"invalid ulimit argument: {text}")
    if name not in LIMITS:
        raise InvalidInput(f"invalid ulimit type: {name}")
    soft, colon, hard = values.partition(":")
    try:
        bounds = int(soft), int(hard if colon else soft)
    except ValueError:
        raise InvalidInput(f"invalid ulimit argument: {text}") from None
    if min(bounds) < -1:
        raise InvalidInput(f"invalid ulimit argument: {text}")
    if bounds[1] != -1 and (bounds[0] == -1 or bounds[0] > bounds[1]):
        raise InvalidInput(f"ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}")
    return Ulimit(name, *bounds)


def parse_extra_host(text: str) -> str:
    """`name:ip` (or `name=ip`), as `name:ip`; `host-gateway` stands for the host's own address."""
    name, found, ip = text.partition("=") if "=" in text else text.partition(":")
    if not found or not name:
        raise InvalidInput(f'bad format for add-host: "{text}"')
    ip = ip[1:-1] if ip.startswith("[") and ip.endswith("]") else ip
    if ip != "host-gateway" and not _is_address(ip):
        raise InvalidInput(f'invalid IP address in add-host: "{ip}"')
    return f"{name}:{ip}"


def parse_address(text: str) -> str:
    """An IP address, as `--dns` takes it."""
    if not _is_address(text.strip()):
        raise InvalidInput(f"IP address is not correctly formatted: {text}")
    return text.strip()


def _is_address(text: str) -> bool:
    import socket

    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, text)
            return True
        except OSError:
            continue
    return False


CREATE_FLAGS = (
    Flag("add-host", parse_extra_host, "Add a custom host-to-IP mapping (host:ip)", many=True),
    Flag("cap-add", list, "Add Linux capabilities", complete=CAPABILITIES),
    Flag("cap-drop", list, "Drop Linux capabilities", complete=CAPABILITIES),
    Flag("cidfile", str, "Write the container ID to the file", complete=FILES),
    Flag("cpus", parse_cpus, "Number of CPUs", value="decimal"),
    Flag("dns", parse_address, "Set custom DNS servers", many=True),
    Flag("entrypoint", str, "Overwrite the default ENTRYPOINT of the image"),
    Flag("env", environment.check_variable, "Set environment variables", short="e", many=True),
    Flag("env-file", list, "Read in a file of environment variables", complete=FILES),
    *health.FLAGS,
    Flag("hostname", str, "Container host name", short="h"),
    Flag("init", bool, "Run an init inside the container that forwards signals and reaps processes"),
    Flag("interactive", bool, "Keep STDIN open even if not attached", short="i"),
    Flag("label", environment.check_label, "Set meta data on a container", short="l", many=True),
    Flag("label-file", list, "Read in a line delimited file of labels", complete=FILES),
    Flag("memory", memory_size, "Memory limit", short="m", value="bytes"),
    Flag(
        "memory-swap", swap_size, "Swap limit equal to memory plus swap: '-1' to enable unlimited swap", value="bytes"
    ),
    Flag("mount", parse_mount, "Attach a filesystem mount to the container", value="mount", many=True, into="mounts"),
    Flag("name", str, "Assign a name to the container"),
    Flag(
        "network",
        str,
        "Connect a container to a network: bridge, none or host",
        value="network",
        complete="bridge none host",
    ),
    Flag("net", str, "", hidden=True),
    health.OFF,
    Flag("pids-limit", int, "Tune container pids limit (set -1 for unlimited)"),
    Flag("platform", str, "Set platform if the registry has the image for several"),
    Flag("privileged", bool, "Give extended privileges to this container"),
    Flag("publish", list, "Publish a container's port(s) to the host", short="p"),
    Flag("publish-all", bool, "Publish all exposed ports to random ports", short="P"),
    Flag(
        "pull",
        str,
        'Pull image before running ("always", "missing", "never")',
        default="missing",
        complete="always missing never",
    ),
    Flag("quiet", bool, "Suppress the pull output", short="q"),
    Flag("read-only", bool, "Mount the container's root filesystem as read only"),
    Flag(
        "restart", str, "Restart policy to apply when a container exits", default="no", complete=" ".join(RESTART_NAMES)
    ),
    Flag("rm", bool, "Automatically remove the container when it exits"),
    Flag("security-opt", list, "Security Options"),
    Flag("shm-size", memory_size, "Size of /dev/shm", value="bytes"),
    Flag("stop-signal", str, "Signal to stop the container"),
    Flag("stop-timeout", int, "Timeout (in seconds) to stop a container"),
    Flag("tmpfs", parse_tmpfs, "Mount a tmpfs directory", many=True, into="mounts"),
    Flag("tty", bool, "Allocate a pseudo-TTY", short="t"),
    Flag("ulimit", parse_ulimit, "Ulimit options", value="ulimit", many=True),
    Flag("user", str, "Username or UID (format: <name|uid>[:<group|gid>])", short="u"),
    Flag("userns", str, "User namespace to use: host, or auto for users of its own", complete="auto host"),
    Flag("volume", parse_volume, "Bind mount a volume", short="v", many=True, complete=FILES, into="mounts"),
    Flag("workdir", str, "Working directory inside the container", short="w"),
)
RUN_FLAGS = (
    *CREATE_FLAGS,
    Flag("attach", list, "Attach to STDIN, STDOUT or STDERR", short="a"),
    Flag("detach", bool, "Run container in background and print container ID", short="d"),
    Flag("detach-keys", str, "Override the key sequence for detaching a container", default="ctrl-p,ctrl-q"),
    Flag("sig-proxy", bool, "Proxy received signals to the process", default=True),
)
USAGE = "[OPTIONS] IMAGE [COMMAND] [ARG...]"
RUN = Command(
    "run",
    USAGE,
    "Create and run a new container from an image",
    RUN_FLAGS,
    minimum=1,
    interspersed=False,
    arguments=IMAGES,
)
CREATE = Command(
    "create", USAGE, "Create a new container", CREATE_FLAGS, minimum=1, interspersed=False, arguments=IMAGES
)


# Flags of docker-run(1) that this engine has not, for telling them apart from typing mistakes.
_DOCKERS_ALONE = (
    "annotation blkio-weight blkio-weight-device cgroup-parent cgroupns cpu-period cpu-quota cpu-rt-period "
    "cpu-rt-runtime cpu-shares cpuset-cpus cpuset-mems device device-cgroup-rule device-read-bps device-read-iops "
    "device-write-bps device-write-iops dns-option dns-search domainname expose gpus group-add ip ip6 ipc isolation "
    "kernel-memory link link-local-ip log-driver log-opt mac-address memory-reservation memory-swappiness "
    "network-alias oom-score-adj pid runtime storage-opt sysctl uts volume-driver volumes-from"
).split()
_DOCKERS_SWITCHES = ("disable-content-trust", "oom-kill-disable")


def parse_run(argv: Sequence[str], *, is_free: IsFree | None = None, left_out: list[str] | None = None) -> RunOptions:
    """The options of a line such as `docker run -d -p 8080:80 nginx`; the program and `run` may be left out.

    For front ends that let a user paste a line. Variables (`-e NAME`), files and `./` paths are taken from this
    process. Raises InvalidInput in the words of the command line; flags of Docker's that this engine has not are
    named all at once, or, with `left_out`, put there as they were typed.
    """
    words = list(argv)
    if words and words[0].rpartition("/")[2] in ("docker", "podman", PROGRAM, "ph"):
        words = words[1:]
        words = words[1:] if words[:1] == ["container"] else words
    if words[:1] in (["run"], ["create"]):
        words = words[1:]
    others = [*(Flag(name, list) for name in _DOCKERS_ALONE), *(Flag(name, bool) for name in _DOCKERS_SWITCHES)]
    try:
        values, rest, given = scan([*RUN_FLAGS, *others], words, interspersed=False, command=RUN)
        missing = [flag for flag in others if flag.attribute in given]
        if left_out is None:
            if missing:
                raise InvalidInput(f"not supported yet: {', '.join(f'--{flag.name}' for flag in missing)}")
            return run_options(parse(RUN, words), is_free=is_free)
        for flag in missing:
            typed = values[flag.attribute] if flag.many else [""]
            left_out += [f"--{flag.name} {value}".strip() for value in typed]
        check_count(RUN, len(rest))
        return run_options(Arguments(RUN, values, rest, given), is_free=is_free)
    except HelpWanted:
        raise InvalidInput("--help asks for help; it is no option of a container") from None


def run_options(args: Arguments, *, is_free: IsFree | None = None) -> RunOptions:
    """What the flags of `run` or `create` ask for. Raises UsageError where they contradict each other."""
    try:
        return _run_options(args, is_free)
    except UsageError:
        raise
    except InvalidInput as error:
        raise UsageError(f"{PROGRAM}: {error.message}", args.command) from error


def _run_options(args: Arguments, is_free: IsFree | None) -> RunOptions:
    image, *command = args.words
    policy = parse_restart(args.restart)
    if args.rm and policy.name != "no":
        raise InvalidInput("conflicting options: cannot specify both --restart and --rm")
    if args.pull not in ("always", "missing", "never"):
        raise InvalidInput(f'invalid pull option: \'{args.pull}\': must be one of "always", "missing" or "never"')
    if args.workdir and not args.workdir.startswith("/"):
        raise InvalidInput(f"the working directory '{args.workdir}' is invalid, it needs to be an absolute path")
    if args.stop_timeout is not None and args.stop_timeout < -1:
        raise InvalidInput(f"invalid stop timeout: {args.stop_timeout}")
    network = args.network or args.net or "bridge"
    entrypoint = None
    if args.was_given("entrypoint"):
        entrypoint = (args.entrypoint,) if args.entrypoint else ()
    return RunOptions(
        image=image,
        command=tuple(command),
        name=args.name,
        entrypoint=entrypoint,
        env=environment.variables(args.env_file, args.env),
        labels=environment.labels(args.label_file, args.label),
        user=args.user,
        working_dir=args.workdir,
        hostname=args.hostname,
        tty=args.tty,
        interactive=args.interactive,
        detach=args.values.get("detach", False),
        remove=args.rm,
        network="bridge" if network == "default" else network,
        ports=_ports(args.publish, is_free),
        publish_all=args.publish_all,
        mounts=_mounts(args.mounts),
        resources=_resources(args),
        restart=policy,
        cap_add=tuple(args.cap_add),
        cap_drop=tuple(args.cap_drop),
        security_opt=tuple(_security_option(option) for option in args.security_opt),
        privileged=args.privileged,
        read_only=args.read_only,
        ulimits=tuple({limit.name: limit for limit in args.ulimit}.values()),
        extra_hosts=tuple(args.add_host),
        dns=tuple(args.dns),
        init=args.init,
        stop_signal=args.stop_signal,
        stop_timeout=None if args.stop_timeout is None else float(args.stop_timeout),
        platform=args.platform,
        pull=args.pull,
        shm_size=SHM_SIZE if args.shm_size is None else args.shm_size,
        userns="" if args.userns == "host" else args.userns,
        health=health.health_check(args),
    )


def parse_restart(text: str) -> RestartPolicy:
    """`no`, `always`, `unless-stopped`, `on-failure[:n]`."""
    name, colon, count = text.partition(":")
    if colon and not re.fullmatch(r"-?\d+", count, re.ASCII):
        raise InvalidInput("invalid restart policy format: maximum retry count must be an integer")
    if name not in RESTART_NAMES:
        raise InvalidInput(f"invalid restart policy '{name}'")
    if colon and name != "on-failure":
        raise InvalidInput(f"maximum retry count cannot be used with restart policy '{name}'")
    if colon and int(count) < 0:
        raise InvalidInput("maximum retry count cannot be negative")
    return RestartPolicy(name, int(count) if colon else 0)


def _ports(given: Iterable[str], is_free: IsFree | None) -> tuple[PortMapping, ...]:
    found: dict[PortMapping, None] = {}
    for text in given:
        found.update(dict.fromkeys(parse_port(text, is_free)))
    return tuple(found)


def _mounts(given: Iterable[Mount]) -> tuple[Mount, ...]:
    targets: set[str] = set()
    mounts = []
    for mount in given:
        if (target := os.path.normpath(mount.target)) in targets:
            raise InvalidInput(f"Duplicate mount point: {mount.target}")
        targets.add(target)
        mounts.append(mount)
    return tuple(mounts)


def _resources(args: Arguments) -> Resources:
    memory, swap, cpus = args.memory or 0, args.memory_swap or 0, args.cpus or 0.0
    if 0 < memory < 6 << 20:
        raise InvalidInput("Minimum memory limit allowed is 6MB")
    if swap > 0 and not memory:
        raise InvalidInput("You should always set the Memory limit when using Memoryswap limit, see usage")
    if 0 < swap < memory:
        raise InvalidInput("Minimum memoryswap limit should be larger than memory limit, see usage")
    available = os.cpu_count() or 1
    if cpus and not 0.01 <= cpus <= available:
        raise InvalidInput(
            f"Range of CPUs is from 0.01 to {available}.00, as there are only {available} CPUs available"
        )
    return Resources(memory, swap, cpus, max(args.pids_limit or 0, 0))


def _security_option(text: str) -> str:
    """`key=value` (or the old `key:value`); a seccomp profile's path is made absolute and must be readable."""
    key, found, value = text.partition("=") if "=" in text else text.partition(":")
    if key == "no-new-privileges":
        return f"{key}={value}" if found else key
    if not found:
        raise InvalidInput(f'Invalid --security-opt: "{text}"')
    if key == "seccomp" and value not in ("unconfined", "builtin"):
        path = absolute(value)
        try:
            with open(path, "rb"):
                pass
        except OSError as error:
            reason = f"open {value}: {(error.strerror or str(error)).lower()}"
            raise InvalidInput(f"opening seccomp profile ({value}) failed: {reason}") from error
        value = path
    return f"{key}={value}"


def command_line(options: RunOptions) -> str:
    """The `pilothouse run` line that asks for `options`, quoted for a shell. `parse_run` reads it back as the same."""
    import shlex

    end = ["--"] if options.image.startswith("-") else []
    return shlex.join([PROGRAM, "run", *_words(options), *end, options.image, *options.command])


def _words(options: RunOptions) -> list[str]:
    words = [flag for flag, on in _switches(options) if on]
    for flag, text in _singles(options):
        if text:
            # a value that looks like a flag is clearer glued to its own
            words += [f"{flag}={text}"] if text.startswith("-") and flag.startswith("--") else [flag, text]
    if options.entrypoint is not None:
        if len(options.entrypoint) > 1:
            raise InvalidInput("an entrypoint of several words has no form on the command line")
        words += [f"--entrypoint={''.join(options.entrypoint)}"]
    repeated: list[tuple[str, Iterable[str]]] = [
        ("-p", map(spell_port, options.ports)),
        ("-e", options.env),
        ("-l", (f"{key}={value}" for key, value in options.labels.items())),
        ("--cap-add", options.cap_add),
        ("--cap-drop", options.cap_drop),
        ("--security-opt", options.security_opt),
        ("--ulimit", (f"{limit.name}={limit.soft}:{limit.hard}" for limit in options.ulimits)),
        ("--add-host", options.extra_hosts),
        ("--dns", options.dns),
    ]
    for flag, texts in repeated:
        for text in texts:
            words += [flag, text]
    for mount in options.mounts:
        words += spell_mount(mount)
    return words


def _switches(options: RunOptions) -> list[tuple[str, bool]]:
    return [
        ("-d", options.detach),
        ("-it", options.interactive and options.tty),
        ("-i", options.interactive and not options.tty),
        ("-t", options.tty and not options.interactive),
        ("--rm", options.remove),
        ("-P", options.publish_all),
        ("--init", options.init),
        ("--privileged", options.privileged),
        ("--read-only", options.read_only),
        ("--no-healthcheck", options.health.test[:1] == ("NONE",)),
    ]


def _singles(options: RunOptions) -> list[tuple[str, str]]:
    limits = options.resources
    policy = options.restart
    retries = f":{policy.maximum_retry_count}" if policy.maximum_retry_count else ""
    swap = "-1" if limits.memory_swap == -1 else spell_memory(limits.memory_swap)
    grace = options.stop_timeout
    return [
        ("--name", options.name),
        ("--hostname", options.hostname),
        ("-u", options.user),
        ("-w", options.working_dir),
        ("--network", "" if options.network == "bridge" else options.network),
        ("--memory", spell_memory(limits.memory) if limits.memory else ""),
        ("--memory-swap", swap if limits.memory_swap else ""),
        ("--cpus", f"{limits.cpus:g}" if limits.cpus else ""),
        ("--pids-limit", str(limits.pids) if limits.pids else ""),
        ("--restart", "" if policy.name == "no" else policy.name + retries),
        ("--stop-signal", options.stop_signal),
        ("--stop-timeout", "" if grace is None else f"{grace:.0f}"),
        ("--platform", options.platform),
        ("--pull", "" if options.pull == "missing" else options.pull),
        ("--userns", options.userns),
        ("--shm-size", "" if options.shm_size == SHM_SIZE else spell_memory(options.shm_size)),
        *health.words(options.health),
    ]
