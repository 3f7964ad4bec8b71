"""The data that crosses the engine's seams: frozen, slotted, spelled in the words of the OCI specifications."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


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
    used_by: tuple[str, ...] = ()  # ids of containers; filled by Engine.images()


@dataclass(frozen=True, slots=True)
class Progress:
    """One step of a pull, for one layer (or for the image when `digest` is empty).

    `action`: resolving, waiting, downloading, verifying, unpacking, exists, done.
    `current`/`total` are bytes of the blob; total 0 means unknown.
    """

    reference: str
    digest: str
    action: str
    current: int = 0
    total: int = 0


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

    @property
    def running(self) -> bool:
        """Has processes: running, paused."""
        return self.state in (State.RUNNING, State.PAUSED)

    @property
    def short_id(self) -> str:
        return self.id[:12]


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
class Event:
    """One change of state. `kind`: container, image, network. `action`: Docker's words (create, start, die, stop, kill,
    pause, unpause, restart, rename, destroy, oom, pull, untag, delete, publish, unpublish ...)."""

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
