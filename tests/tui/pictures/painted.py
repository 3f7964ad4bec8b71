"""A stand-in for the engine that holds still: for pictures only.

Everything else in these tests runs on the real engine. A picture must be the same to the byte every time, so its ids,
ages, readings and log lines are written down here.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

from engine.engine import Engine
from engine.errors import NotFound, Unauthorized
from engine.models import (
    Change,
    Container,
    Endpoint,
    Event,
    HistoryEntry,
    HostInfo,
    Image,
    ImageConfig,
    Layer,
    Listener,
    LogLine,
    Platform,
    PortMapping,
    Probe,
    Process,
    Progress,
    RunOptions,
    State,
    Stats,
    Stock,
    Stored,
)
from engine.settings import Settings
from tui.state.pulls import Pull

NOW = 1_795_528_983.0  # 2026-11-24 14:03:03 UTC
HOUR = 3600.0
MB = 1 << 20


def _id(letter: str) -> str:
    return (letter * 64)[:64]


def _image(letter: str, name: str, size: int, age: float, used_by: tuple[str, ...], *ports: str) -> Image:
    layers = tuple(
        Layer(f"sha256:{_id(letter)}", f"sha256:{_id(letter)}", part // 3, part, "/snapshots/x")
        for part in (size * 3 // 4, size // 4)
    )
    return Image(
        id=f"sha256:{_id(letter)}",
        manifest_digest=f"sha256:{_id(letter)}",
        references=(name,) if name else (),
        digests=(),
        platform=Platform("linux", "amd64"),
        created=NOW - age,
        size=size,
        config=ImageConfig(cmd=("serve",), exposed_ports=ports),
        layers=layers,
        history=tuple(HistoryEntry(NOW - age, f"RUN step {n}", "", False) for n in (1, 2)),
        used_by=used_by,
    )


IMAGES = [
    _image("a", "docker.io/library/nginx:alpine", 48 * MB, 72 * HOUR, (_id("1"),), "80/tcp", "443/tcp"),
    _image("b", "docker.io/library/node:22-slim", 226 * MB, 72 * HOUR, (_id("2"),), "3000/tcp"),
    _image("c", "docker.io/library/redis:7-alpine", 41 * MB, 200 * HOUR, (_id("3"),), "6379/tcp"),
    _image("d", "", 114 * MB, 1500 * HOUR, ()),
]


def _container(letter: str, name: str, image: Image, state: State, *ports: PortMapping, **more: Any) -> Container:
    familiar = image.references[0].removeprefix("docker.io/library/")
    running = state is State.RUNNING
    return Container(
        id=_id(letter),
        name=name,
        image=familiar,
        image_id=image.id,
        command=("serve",),
        options=RunOptions(familiar, name=name, ports=ports, detach=True),
        created=NOW - 5 * HOUR,
        state=state,
        pid=4711 if running else 0,
        started=NOW - 2 * HOUR,
        ports=ports,
        endpoint=Endpoint("/run/netns", f"172.20.0.{ord(letter) - 46}", 16, "172.20.0.1") if running else None,
        **more,
    )


CONTAINERS = [
    _container("1", "web", IMAGES[0], State.RUNNING, PortMapping(80, 8080)),
    _container("2", "api", IMAGES[1], State.RUNNING, PortMapping(3000, 3000)),
    _container("3", "redis", IMAGES[2], State.PAUSED, PortMapping(6379, 6379)),
    _container("4", "migrate", IMAGES[1], State.EXITED, finished=NOW - 840, exit_code=1),
    _container("5", "worker", IMAGES[1], State.EXITED, finished=NOW - 60, exit_code=137, oom_killed=True),
]

LOG = (
    "GET / HTTP/1.1 200 612",
    "\x1b[32mINFO\x1b[0m GET /app.css HTTP/1.1 200 4102",
    "\x1b[33mWARN\x1b[0m upstream timed out while connecting to api:3000",
    "\x1b[31mERROR\x1b[0m GET /api/health HTTP/1.1 504 167",
    '{"level":"info","message":"ready","took":12}',
    "GET /favicon.ico HTTP/1.1 404 153",
)


def write_logs(settings: Settings) -> None:
    """The files the log viewer reads, in the form of the engine's log writer."""
    for container in CONTAINERS:
        folder = Path(settings.container_dir(container.id)) / "log"
        folder.mkdir(parents=True)
        lines = [f"2026-11-24T14:02:{place + 10}.000000000Z stdout F {text}\n" for place, text in enumerate(LOG)]
        (folder / "container.log").write_text("".join(lines))


class PaintedEngine(Engine):
    """Answers what the dashboard asks, always the same."""

    def __init__(self, settings: Settings, containers: list[Container] | None = None) -> None:
        super().__init__(settings)
        self._containers = CONTAINERS if containers is None else containers
        self._images = IMAGES if self._containers else []

    async def __aenter__(self) -> PaintedEngine:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def containers(self) -> list[Container]:
        return self._containers

    async def container(self, name: str) -> Container:
        for container in self._containers:
            if name in (container.id, container.name):
                return container
        raise NotFound(f"No such container: {name}")

    async def started_by(self, container: str) -> str:
        return "you"

    async def images(self) -> list[Image]:
        return self._images

    async def info(self) -> HostInfo:
        return HostInfo(
            containers=5, running=2, paused=1, stopped=2, images=4, kernel="6.1", operating_system="Debian 12",
            architecture="x86_64", cpus=8, memory=16 << 30, cgroup_version="2", root="/var/lib/pilothouse", version="1",
        )  # fmt: skip

    async def event_cursor(self) -> int:
        return 0

    async def events(self, *, since: int | None = None) -> AsyncIterator[Event]:
        await asyncio.Event().wait()
        yield Event(0.0, "", "", "")

    async def keep_network(self) -> None:
        await asyncio.Event().wait()

    async def stats(self, containers: Iterable[str]) -> list[Stats]:
        return []

    async def logs(self, container: str, query: Any = None) -> AsyncIterator[LogLine]:
        for line in ():
            yield line

    async def port_holder(self, host_ip: str, port: int, protocol: str = "tcp") -> str:
        return ""

    async def free_port(self, start: int, protocol: str = "tcp") -> int:
        return start

    async def listeners(self, container: str) -> tuple[Listener, ...]:
        return (Listener("0.0.0.0", 80, pid=4711, process="nginx"), Listener("127.0.0.1", 9113, process="exporter"))

    async def host_listeners(self) -> tuple[Listener, ...]:
        return (
            Listener("0.0.0.0", 22, pid=1, process="sshd", user="root"),
            Listener("0.0.0.0", 8080, container=_id("1"), root=str(self.settings.root)),
        )

    async def past_events(self, container: str) -> list[Event]:
        return [
            Event(NOW - 5 * HOUR, "container", "create", container, "web", {"image": "nginx:alpine"}),
            Event(NOW - 2 * HOUR, "container", "start", container, "web", {"image": "nginx:alpine"}),
        ]

    async def last_addresses(self) -> dict[str, str]:
        return {}

    async def top(self, container: str) -> list[Process]:
        def process(pid: int, parent: int, name: str, *words: str) -> Process:
            return Process(
                4710 + pid, pid, 4710 + parent, "S", name, (name, *words), 0, "root", 1.5 * pid, (8 - pid) * MB, 1,
                NOW - 2 * HOUR, start_ticks=100 * pid,
            )  # fmt: skip

        return [process(1, 0, "nginx", "-g", "daemon off;"), process(2, 1, "nginx"), process(3, 1, "sh", "-c", "top")]

    async def changes(self, container: str) -> list[Change]:
        return [
            Change("/etc", "C", is_directory=True),
            Change("/etc/nginx.conf", "C", 1200),
            Change("/var/cache", "A", is_directory=True),
            Change("/var/cache/page.html", "A", 612),
            Change("/var/old.log", "D", 4096),
        ]

    async def layer_files(self, reference_or_id: str, layer: int) -> list[Change]:
        return [
            Change("/usr/lib", "A", is_directory=True),
            Change("/usr/lib/libssl.so.3", "A", 9 * MB),
            Change("/usr/lib/libc.so.6", "A", 2 * MB),
            Change("/usr/bin/nginx", "A", MB),
            Change("/etc/motd", "D", 286),
        ]

    async def stock(self) -> Stock:
        def stored(kind: str, letter: str, name: str, size: int, **more: Any) -> Stored:
            return Stored(kind, _id(letter), name, size, NOW - HOUR, False, ((letter, size),), **more)

        return Stock(
            (
                stored("container", "4", "migrate", 2 * MB),
                stored("image", "d", _id("d"), 114 * MB, dangling=True),
                stored("image", "c", "redis:7-alpine", 41 * MB),
                stored("volume", "e", "pgdata", 1100 * MB),
            )
        )

    async def attach(self, container: str) -> Any:
        return PaintedAttachment()

    async def probe(self, mapping: PortMapping, **_: object) -> Probe:
        return Probe("http", 0.003, 200 if mapping.container_port == 80 else 404, "painted")

    async def inspect_container(self, container: str) -> dict[str, Any]:
        return {
            "Id": container,
            "Name": "painted",
            "Config": {"Env": ["PATH=/usr/bin:/bin", "TZ=UTC", "GREETING=hello there"], "Cmd": ["serve"]},
            "State": {"Status": "running", "Pid": 4711},
        }

    async def size(self, container: str) -> tuple[int, int]:
        return 0, 48 * MB


class PaintedAttachment:
    """A program on a terminal that has drawn one screen and waits."""

    tty = True
    pid = 0
    exit_code: int | None = None
    SCREEN = (
        b"\x1b[1;32mtop\x1b[0m - 14:03:03 up 2:00, load average: 0.12\r\n"
        b"\x1b[7m  PID USER   %CPU COMMAND              \x1b[0m\r\n"
        b"    1 root    0.3 nginx -g daemon off;\r\n"
        b"    2 root    0.0 \x1b[33mnginx: worker\x1b[0m\r\n"
    )

    def __init__(self) -> None:
        self._readable, self._writable = os.pipe()
        os.write(self._writable, b"x")

    def fileno(self) -> int:
        return self._readable

    def receive(self) -> list[tuple[str, bytes]]:
        os.read(self._readable, 1)
        return [("stdout", self.SCREEN)]

    def send(self, content: bytes) -> int:
        return len(content)

    def resize(self, columns: int, rows: int) -> None:
        pass

    def close(self) -> None:
        os.close(self._readable)
        os.close(self._writable)


def pull() -> Pull:
    """Half-way: a layer that was here, one that is done, two that come, one that waits."""
    found = Pull("postgres:17-alpine", started=time.monotonic() - 8)
    begin = time.monotonic()
    steps = (
        ("a", "exists", 3, 3), ("b", "downloading", 0, 78), ("c", "done", 9, 9), ("e", "waiting", 0, 1),
        ("b", "downloading", 55, 78),
    )  # fmt: skip
    for place, (letter, action, current, total) in enumerate(steps):
        progress = Progress(found.reference, f"sha256:{_id(letter)}", action, current * MB, total * MB)
        found.advance(progress, begin + place * 0.5)
    return found


def failed_pull() -> Pull:
    error = Unauthorized(
        "ghcr.io answered 401 Unauthorized for acme/api:dev", hint="log in with `pilothouse login ghcr.io`"
    )
    return Pull("ghcr.io/acme/api:dev", outcome="failed", error=error, started=1.0, ended=1.2)


def readings(container: Container) -> list[Stats]:
    """A minute of it, with a wave in it, up to now."""
    now = time.monotonic()
    used = 0.0
    found = []
    for second in range(60):
        used += 0.02 + 0.001 * (second % 10)
        found.append(Stats(container.id, now - 60 + second, used, (30 + second % 7) * MB, 256 * MB, 5))
    return found
