"""Bundles made by hand, on a root filesystem of this machine's own programs: the runtime without any other room."""

from __future__ import annotations

import json
import os
import secrets
import select
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from engine.errors import Conflict
from engine.linux import processes
from engine.runtime import cgroups, control, launch
from engine.runtime.attachment import Attachment
from engine.runtime.capabilities import DEFAULT
from engine.runtime.monitor import NOT_TOLD, UNKNOWN_EXIT
from engine.runtime.status import Status, read_state, status
from engine.settings import Settings

PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SHIELDED = ["nosuid", "noexec", "nodev"]


@dataclass(frozen=True)
class Result:
    code: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        return self.stdout.decode()


class Containers:
    """Makes bundles and runs them; at the end all are gone, with their monitors."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.ids: list[str] = []
        self.image = settings.root / "image"
        for directory in ("usr", "etc", "tmp", "proc", "sys", "dev", "root"):
            (self.image / directory).mkdir(parents=True)
        for link in ("bin", "sbin", "lib", "lib64"):
            if Path("/", link).is_symlink():
                (self.image / link).symlink_to(f"usr/{link}")
        (self.image / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")

    def make(
        self,
        args: list[str],
        *,
        process: dict[str, Any] | None = None,
        linux: dict[str, Any] | None = None,
        mounts: list[dict[str, Any]] | None = None,
        config: dict[str, Any] | None = None,
        **monitor: Any,
    ) -> str:
        """The bundle of a new container; `process`, `linux`, `config` and `monitor` replace what is usual."""
        container_id = secrets.token_hex(32)
        self.ids.append(container_id)
        directory = self.settings.container_dir(container_id)
        for name in ("upper", "work", "rootfs", "log"):
            (directory / name).mkdir(parents=True)
        usual = {"terminal": False, "user": {"uid": 0, "gid": 0}, "args": args, "env": [PATH], "cwd": "/"}
        usual["capabilities"] = {kind: list(DEFAULT) for kind in ("bounding", "effective", "permitted")}
        document = {
            "ociVersion": "1.0.2",
            "hostname": "boxy",
            "root": {"path": "rootfs", "readonly": False},
            "process": usual | (process or {}),
            "mounts": [*system_mounts(), bind("/usr", "/usr", "ro"), *(mounts or [])],
            "linux": {
                "namespaces": [{"type": kind} for kind in ("pid", "mount", "ipc", "uts", "cgroup", "network")],
                "resources": {},
                "maskedPaths": ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"],
                "readonlyPaths": ["/proc/bus", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
                **(linux or {}),
            },
            **(config or {}),
        }
        beside = {
            "id": container_id,
            "name": "boxy",
            "image": "handmade",
            "lower": [str(self.image)],
            "upper": str(directory / "upper"),
            "work": str(directory / "work"),
            "terminal": document["process"]["terminal"],
            "stdin_open": False,
            "stdin_once": False,
            "log": {"directory": str(directory / "log")},
            "restart": {"name": "no", "maximum_retry_count": 0},
            "remove": False,
            "init": False,
            "cgroup": f"{self.settings.cgroup_parent}/{container_id}",
            "stop_signal": "SIGTERM",
            "exit_command": [],
            "journal": str(self.settings.journal),
            **monitor,
        }
        (directory / "config.json").write_text(json.dumps(document))
        (directory / "monitor.json").write_text(json.dumps(beside))
        return container_id

    def attached(self, container_id: str, *, stdin: bool = False) -> Attachment:
        return launch.start_attached(self.settings, container_id, stdin=stdin)

    def started(self, args: list[str], **changes: Any) -> str:
        """A container in the background."""
        container_id = self.make(args, **changes)
        launch.start(self.settings, container_id)
        return container_id

    def run(self, args: list[str], *, input: bytes | None = None, **changes: Any) -> Result:
        """Run a container in the foreground to its end."""
        if input is not None:
            changes["stdin_open"] = True
        attachment = self.attached(self.make(args, **changes), stdin=input is not None)
        if input is not None:
            assert attachment.send(input) == len(input)
            attachment.close_stdin()
        return finish(attachment)

    def sh(self, script: str, **changes: Any) -> Result:
        return self.run(["sh", "-c", script], **changes)

    def status(self, container_id: str) -> Status:
        return status(self.settings, container_id)

    def state(self, container_id: str) -> dict[str, Any]:
        return read_state(os.fspath(self.settings.container_dir(container_id)))

    def log(self, container_id: str) -> list[str]:
        """The texts in the container's log."""
        path = self.settings.container_dir(container_id) / "log" / "container.log"
        return [line.split(" ", 3)[3] for line in path.read_text().splitlines()]

    def kill_monitor(self, container_id: str) -> None:
        """As `kill -9` does; returns when it is gone."""
        told = self.state(container_id)
        pidfd = processes.open_process(told["monitor_pid"], told["monitor_start_time"])
        processes.send_signal(pidfd, 9)
        select.select([pidfd], [], [])
        os.close(pidfd)

    def close(self) -> None:
        for container_id in self.ids:
            if self.status(container_id).paused:
                control.unpause(self.settings, container_id)
            if self.status(container_id).live:
                with suppress(Conflict):  # it may end by itself at this moment
                    control.kill(self.settings, container_id, 9, by_user=True)
                control.wait_for_exit(self.settings, container_id, None)
            told = self.state(container_id)
            if processes.is_alive(told["monitor_pid"], told["monitor_start_time"]):
                pidfd = processes.open_process(told["monitor_pid"], told["monitor_start_time"])
                select.select([pidfd], [], [], 10)
                os.close(pidfd)
            assert cgroups.pids(f"{self.settings.cgroup_parent}/{container_id}") == []


@pytest.fixture
def containers(settings: Settings) -> Iterator[Containers]:
    made = Containers(settings)
    yield made
    made.close()


def bind(source: str, destination: str, *options: str) -> dict[str, Any]:
    return {"destination": destination, "type": "bind", "source": source, "options": ["rbind", *options]}


def system_mounts() -> list[dict[str, Any]]:
    pts = ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]
    listed = [
        ("/proc", "proc", SHIELDED),
        ("/dev", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
        ("/dev/pts", "devpts", pts),
        ("/sys", "sysfs", [*SHIELDED, "ro"]),
        ("/sys/fs/cgroup", "cgroup", [*SHIELDED, "ro"]),
        ("/dev/mqueue", "mqueue", SHIELDED),
        ("/dev/shm", "tmpfs", [*SHIELDED, "mode=1777", "size=65536k"]),
    ]
    return [{"destination": path, "type": kind, "source": kind, "options": options} for path, kind, options in listed]


def frames(attachment: Attachment, seconds: float = 10) -> list[tuple[str, bytes]]:
    """The next frames; fails if none come."""
    assert select.select([attachment], [], [], seconds)[0], "nothing came"
    return attachment.receive()


def finish(attachment: Attachment, seconds: float = 20) -> Result:
    """Everything until the exit, which is acknowledged."""
    output = {"stdout": b"", "stderr": b"", "exit": b""}
    deadline = time.monotonic() + seconds
    while attachment.exit_code is None:
        for stream, data in frames(attachment, deadline - time.monotonic()):
            output[stream] += data
    attachment.acknowledge()
    attachment.close()
    return Result(int(output["exit"]), output["stdout"], output["stderr"])


def read_until(attachment: Attachment, wanted: bytes, seconds: float = 10) -> bytes:
    """What comes, up to and with `wanted`."""
    seen = b""
    deadline = time.monotonic() + seconds
    while wanted not in seen:
        seen += b"".join(data for _, data in frames(attachment, deadline - time.monotonic()))
    return seen


def is_exit_of_orphan(settings: Settings, container_id: str, code: int) -> bool:
    """Is that how a container ended whose first monitor was killed, as far as the kernel tells (Linux 6.15 does)?"""
    told = read_state(os.fspath(settings.container_dir(container_id)))
    if told["exit_code"] == code:
        return not told["error"]
    release = tuple(map(int, os.uname().release.split("-")[0].split(".")[:2]))
    return release < (6, 15) and (told["exit_code"], told["error"]) == (UNKNOWN_EXIT, NOT_TOLD)


def eventually(condition: Callable[[], Any], seconds: float = 10) -> None:
    """For what the kernel or another process does in its own time and tells nobody."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)
