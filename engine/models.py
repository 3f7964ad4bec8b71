"""The data that crosses the engine's seams: frozen, slotted, spelled in the words of the OCI specifications."""

from __future__ import annotations

from enum import StrEnum

from engine.frozen import dataclass, field

TYPE_CHECKING = False  # importing typing costs ten milliseconds
if TYPE_CHECKING:
    from collections.abc import Iterable


class State(StrEnum):
    """What a container is doing (Docker's words)."""

    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    RESTARTING = "restarting"
    EXITED = "exited"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Platform:
    """image-spec, image-index: `os/architecture[/variant]`."""

    os: str
    architecture: str
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


@dataclass(frozen=True, slots=True)
class Descriptor:
    """image-spec, descriptor. `urls` is set for foreign layers."""

    media_type: str
    digest: str
    size: int
    urls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """How to find out whether a container does its work: image config `Healthcheck`, docker-run(1) `--health-*`.

    `test`: CMD and words, CMD-SHELL and a line, NONE; empty: said elsewhere, or nowhere. The times are in nanoseconds,
    as image configs have them; 0 of them, and of `retries`, leaves it to the image, then to Docker's default.
    """

    test: tuple[str, ...] = ()
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """The execution part of an image-spec config. `None` differs from empty where Docker tells them apart."""

    user: str = ""
    env: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    working_dir: str = ""
    exposed_ports: tuple[str, ...] = ()  # "80/tcp"
    volumes: tuple[str, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    stop_signal: str = ""
    health: HealthCheck = HealthCheck()
    shell: tuple[str, ...] = ()  # Docker's `Shell`, for a CMD-SHELL; empty: /bin/sh -c


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    created: float
    created_by: str
    comment: str
    empty_layer: bool


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer as the store holds it. `snapshot` is the directory an overlay uses as lowerdir."""

    digest: str  # of the blob, as transferred
    diff_id: str
    size: int  # bytes of the blob
    unpacked_size: int  # bytes of file content
    snapshot: str  # absolute path


@dataclass(frozen=True, slots=True)
class Image:
    """An image in the store. `id` is the config's digest, as in Docker; layers run from lowest to topmost."""

    id: str
    manifest_digest: str
    references: tuple[str, ...]  # canonical names with tag, e.g. docker.io/library/redis:7; empty if dangling
    digests: tuple[str, ...]  # repository@sha256:...
    platform: Platform
    created: float  # seconds since the epoch; 0 if the image does not say
    size: int  # bytes unpacked, all layers
    config: ImageConfig
    layers: tuple[Layer, ...]
    history: tuple[HistoryEntry, ...] = ()
    used_by: tuple[str, ...] = ()  # ids of containers, newest first

    @property
    def short_id(self) -> str:
        return self.id.removeprefix("sha256:")[:12]


@dataclass(frozen=True, slots=True)
class Progress:
    """One step of a pull, for one layer (or for the image when `digest` is empty).

    `action`: resolving, resolved, waiting, downloading, verifying, unpacking, exists, done; of a load: loading, done.
    `current`/`total` are bytes of the blob; total 0 means unknown. With `resolved` come `image_digest`, which is what
    the reference leads to (the index, if there is one), and the `platform` that is taken of it.
    """

    reference: str
    digest: str
    action: str
    current: int = 0
    total: int = 0
    image_digest: str = ""
    platform: str = ""


@dataclass(frozen=True, slots=True)
class PortMapping:
    """Host ip:port -> container port/protocol. `host_port` 0 asks for an ephemeral one."""

    container_port: int
    host_port: int = 0
    host_ip: str = ""  # "" means all addresses, IPv4 and IPv6; shown as 0.0.0.0 and [::]
    protocol: str = "tcp"  # tcp or udp


@dataclass(frozen=True, slots=True)
class Mount:
    """`kind`: bind, volume, tmpfs. `source` is a host path or a volume name; empty for tmpfs and anonymous volumes."""

    kind: str
    target: str
    source: str = ""
    read_only: bool = False
    options: tuple[str, ...] = ()  # rprivate, nocopy, size=..., mode=...


@dataclass(frozen=True, slots=True)
class Resources:
    """Limits, in the units of the runtime-spec; 0 means no limit."""

    memory: int = 0  # bytes
    memory_swap: int = 0  # bytes, memory + swap; -1 unlimited
    cpus: float = 0.0
    pids: int = 0


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    name: str = "no"  # no, on-failure, always, unless-stopped
    maximum_retry_count: int = 0


@dataclass(frozen=True, slots=True)
class Ulimit:
    name: str  # nofile, nproc ... without RLIMIT_
    soft: int
    hard: int


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What `create` and `run` were asked for, before image defaults are applied (docker-run(1))."""

    image: str
    command: tuple[str, ...] = ()
    name: str = ""
    entrypoint: tuple[str, ...] | None = None
    env: tuple[str, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    user: str = ""
    working_dir: str = ""
    hostname: str = ""
    tty: bool = False
    interactive: bool = False  # keep stdin open
    detach: bool = False
    remove: bool = False
    network: str = "bridge"  # bridge, none, host
    ports: tuple[PortMapping, ...] = ()
    publish_all: bool = False
    mounts: tuple[Mount, ...] = ()
    resources: Resources = Resources()
    restart: RestartPolicy = RestartPolicy()
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    security_opt: tuple[str, ...] = ()
    privileged: bool = False
    read_only: bool = False
    ulimits: tuple[Ulimit, ...] = ()
    extra_hosts: tuple[str, ...] = ()  # name:ip
    dns: tuple[str, ...] = ()
    init: bool = False
    stop_signal: str = ""
    stop_timeout: float | None = None  # seconds
    platform: str = ""
    pull: str = "missing"  # missing, always, never
    shm_size: int = 64 << 20  # bytes
    userns: str = ""  # auto: users of its own, none of them the host's; "" or host: the host's
    health: HealthCheck = HealthCheck()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A container's place on a network. `netns` is the path of its network namespace, empty for `--network host`."""

    netns: str
    ip_address: str = ""
    prefix_length: int = 0
    gateway: str = ""
    mac_address: str = ""


@dataclass(frozen=True, slots=True)
class Container:
    """A container as it is now; `state` comes from the kernel, not from the database."""

    id: str
    name: str
    image: str  # as the user typed it, made familiar ("redis:7")
    image_id: str
    command: tuple[str, ...]  # entrypoint + cmd, as executed
    options: RunOptions
    created: float
    state: State
    pid: int = 0  # of init, in the host's pid namespace; 0 if not running
    started: float = 0.0
    finished: float = 0.0
    exit_code: int = 0
    oom_killed: bool = False
    error: str = ""  # why the last start failed
    restart_count: int = 0
    ports: tuple[PortMapping, ...] = ()  # in force now, with host ports chosen; as asked for if not running
    endpoint: Endpoint | None = None
    stop_signal: str = "SIGTERM"
    stop_timeout: float = 10.0
    health: str = ""  # starting, healthy, unhealthy; empty if nothing checks it, or it was never started
    failing_streak: int = 0  # health checks that have failed since the last that did not

    @property
    def running(self) -> bool:
        """Has processes: running, paused."""
        return self.state in (State.RUNNING, State.PAUSED)

    @property
    def short_id(self) -> str:
        return self.id[:12]


@dataclass(frozen=True, slots=True)
class HealthResult:
    """What came of one health check. `output` is the container's own word: make it safe before it is shown."""

    start: float  # seconds since the epoch
    end: float
    exit_code: int  # 0 healthy; -1: it could not be run, or took too long
    output: str  # stdout and stderr as they came, cut


@dataclass(frozen=True, slots=True)
class Stats:
    """One reading of a container's cgroup and links. Counters are since start; the reader takes differences."""

    container_id: str
    time: float  # seconds, CLOCK_MONOTONIC
    cpu_seconds: float
    memory: int  # bytes in use, without page cache that can be dropped
    memory_limit: int  # bytes; the host's memory if unlimited
    pids: int
    received: int = 0
    sent: int = 0
    read: int = 0
    written: int = 0
    throttled_periods: int = 0
    oom_kills: int = 0


@dataclass(frozen=True, slots=True)
class Process:
    """A process of a container. What it calls itself and its words are its own to choose: make them safe to show."""

    pid: int  # in the host's pid namespace
    inner_pid: int  # in the container's
    parent: int  # in the host's pid namespace
    state: str  # the kernel's letter: R, S, D, Z, T ...
    name: str
    command: tuple[str, ...]  # empty for a zombie
    uid: int
    user: str  # the container's name for `uid`, else the number
    cpu_seconds: float
    memory: int  # bytes resident
    threads: int
    started: float  # seconds since the epoch
    start_ticks: int  # clock ticks since boot: with `pid`, names this very process
    terminal: str = "?"


@dataclass(frozen=True, slots=True)
class Listener:
    """A socket that waits for others, in a container or on the host. `process` is the process's own word for itself."""

    address: str  # 0.0.0.0 and :: mean every address
    port: int
    protocol: str = "tcp"
    pid: int = 0  # in the host's pid namespace; 0 if no process is seen to hold it
    process: str = ""
    user: str = ""  # on the host: "you", or the user's name
    container: str = ""  # on the host: the id of the container this publishes a port of ...
    root: str = ""  # ... and the root of its engine


@dataclass(frozen=True, slots=True)
class Probe:
    """What came of knocking at a published port. `server` and `location` are the server's words: make them safe."""

    kind: str  # http, tls, tcp: it answers; refused, timeout, failed: it does not
    seconds: float = 0.0  # from knocking to the first byte of the answer, or until the connection stood
    status: int = 0  # of HTTP, over TLS too; 0 if it is something else
    server: str = ""
    location: str = ""  # where it redirects to; never followed
    detail: str = ""  # why it failed

    @property
    def answers(self) -> bool:
        return self.kind in ("http", "tls", "tcp")


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between a container's files and its image's (docker-diff(1))."""

    path: str  # absolute, in the container; bytes that are not UTF-8 as surrogates
    kind: str  # A added, C changed, D deleted
    size: int = 0  # bytes of file content now; of a deleted file: in the image
    is_directory: bool = False
    target: str = ""  # of a symbolic link


@dataclass(frozen=True, slots=True)
class FileContent:
    """The beginning of a file in a container."""

    path: str
    content: bytes
    size: int  # bytes of the whole file


@dataclass(frozen=True, slots=True)
class Event:
    """One change of state. `kind`: container, image, network, volume. `action`: Docker's words (create, start, die,
    stop, kill, pause, unpause, restart, rename, destroy, oom, pull, untag, delete, publish, unpublish ...)."""

    time: float
    kind: str
    action: str
    id: str
    name: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
    cursor: int = 0  # position in the stream just after this event


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line a container wrote. `text` is raw bytes without the newline; make it safe before it is shown."""

    time: float  # seconds since the epoch
    stream: str  # stdout, stderr
    text: bytes
    timestamp: str = ""  # RFC 3339 with nanoseconds, as recorded
    complete: bool = True  # False: no newline follows; the stream ended here, or the line is too long to be held whole


@dataclass(frozen=True, slots=True)
class LogQuery:
    tail: int | None = None  # last n lines; None: all
    since: float | None = None
    until: float | None = None
    follow: bool = False
    streams: frozenset[str] = frozenset(("stdout", "stderr"))


@dataclass(frozen=True, slots=True)
class Removed:
    """What `rmi` did: exactly one of the two is set."""

    untagged: str = ""
    deleted: str = ""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What `load` brought: an image under one of its names, or without any. `replaced`: the image that had the name."""

    image_id: str
    reference: str = ""  # as a user would type it
    replaced: str = ""


@dataclass(frozen=True, slots=True)
class Stored:
    """Something that takes room on the disk. `kind`: container, image, volume, leftovers (of broken-off pulls).

    `parts` are what it keeps, as (key, bytes): layers are shared, and a part is won when all that have it are gone.
    """

    kind: str
    id: str
    name: str
    size: int  # bytes, shared parts included
    created: float
    active: bool  # a running container, an image or a volume that a container uses, a pull that goes on
    parts: tuple[tuple[str, int], ...]
    users: tuple[str, ...] = ()  # ids of the containers that use it, running or not
    dangling: bool = False  # an image without a name, a volume without one
    labels: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.id}"


@dataclass(frozen=True, slots=True)
class Volume:
    """Files that outlive the containers that use them. An anonymous one was made without a name of the user's."""

    name: str
    created: float  # seconds since the epoch
    path: str  # of the files, on the host
    anonymous: bool = False
    users: tuple[str, ...] = ()  # ids of the containers that use it, running or not; newest first

    @property
    def labels(self) -> dict[str, str]:
        """Docker's own of an anonymous volume; there are no others."""
        return {"com.docker.volume.anonymous": ""} if self.anonymous else {}


@dataclass(frozen=True, slots=True)
class Stock:
    """All that a root keeps on the disk."""

    items: tuple[Stored, ...]

    def of(self, kind: str) -> list[Stored]:
        return [item for item in self.items if item.kind == kind]

    def size(self, kind: str = "") -> int:
        """Bytes of everything, or of everything of a kind; what is shared is counted once."""
        return sum(dict(part for item in self.items if not kind or item.kind == kind for part in item.parts).values())

    def gone(self, keys: Iterable[str]) -> list[Stored]:
        """What a prune of these would remove: nothing that is in use by something that stays."""
        chosen = set(keys)
        leaving = {item.id for item in self.of("container") if item.key in chosen and not item.active}
        return [
            item
            for item in self.items
            if item.key in chosen and (not item.active or (item.users and leaving.issuperset(item.users)))
        ]

    def won(self, keys: Iterable[str]) -> int:
        """Bytes that a prune of these would win."""
        gone = self.gone(keys)
        going = {item.key for item in gone}
        kept = {part for item in self.items if item.key not in going for part, _ in item.parts}
        parts = dict(part for item in gone for part in item.parts)
        return sum(size for part, size in parts.items() if part not in kept)


@dataclass(frozen=True, slots=True)
class Pruned:
    """What a prune has removed, and what it could not: `problems` are sentences."""

    containers: tuple[str, ...] = ()  # ids
    volumes: tuple[str, ...] = ()  # names
    images: tuple[Removed, ...] = ()
    won: int = 0  # bytes
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be, as a check of the whole root found it. All three are for people."""

    subject: str  # what it is about: "image redis:7", "container web", "cgroup pilothouse/..."
    problem: str  # what is wrong with it
    remedy: str = ""  # what was done, or would be; with `mended` false: what can be done
    mended: bool = False  # in order now, or (looking only) would be


@dataclass(frozen=True, slots=True)
class HostInfo:
    """For `info` and the dashboard's header. `warnings` are sentences."""

    containers: int
    running: int
    paused: int
    stopped: int
    images: int
    kernel: str
    operating_system: str
    architecture: str
    cpus: int
    memory: int
    cgroup_version: str  # "1" or "2"
    root: str
    version: str
    warnings: tuple[str, ...] = ()
