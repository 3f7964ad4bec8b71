"""`pilothouse info`: what the engine has, and what it runs on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.cli.drive import drive, opened
from engine.cli.flags import Arguments, Command, Flag
from engine.cli.goeval import render
from engine.cli.gotemplate import TemplateError, parse
from engine.cli.terminal import put, say
from engine.cli.units import binary_size

if TYPE_CHECKING:
    from engine.models import HostInfo

COMMAND = Command(
    "info",
    "[OPTIONS]",
    "Show what the engine knows of itself and of the host",
    (Flag("format", str, "Format output: 'json' or a Go template", short="f"),),
    maximum=0,
)


def run(args: Arguments) -> int:
    with opened(args) as engine:
        info = drive(engine.info())
    if args.format:
        nodes = parse("{{json .}}" if args.format == "json" else args.format)
        try:
            put(render(nodes, _document(info)) + "\n")
        except TemplateError as error:
            raise TemplateError(f"template parsing error: {error.message}") from error
        return 0
    put(
        f"Containers: {info.containers}\n Running: {info.running}\n Paused: {info.paused}\n Stopped: {info.stopped}\n"
        f"Images: {info.images}\nServer Version: {info.version}\nStorage Driver: overlay2\nCgroup Driver: cgroupfs\n"
        f"Cgroup Version: {info.cgroup_version}\nKernel Version: {info.kernel}\n"
        f"Operating System: {info.operating_system}\nOSType: linux\nArchitecture: {info.architecture}\n"
        f"CPUs: {info.cpus}\nTotal Memory: {binary_size(info.memory)}\nPilothouse Root Dir: {info.root}\n"
    )
    for warning in info.warnings:
        say(f"WARNING: {warning}")
    return 0


def _document(info: HostInfo) -> dict[str, Any]:
    """The fields under Docker's names."""
    return {
        "Containers": info.containers,
        "ContainersRunning": info.running,
        "ContainersPaused": info.paused,
        "ContainersStopped": info.stopped,
        "Images": info.images,
        "Driver": "overlay2",
        "CgroupDriver": "cgroupfs",
        "CgroupVersion": info.cgroup_version,
        "KernelVersion": info.kernel,
        "OperatingSystem": info.operating_system,
        "OSType": "linux",
        "Architecture": info.architecture,
        "NCPU": info.cpus,
        "MemTotal": info.memory,
        "DockerRootDir": info.root,
        "ServerVersion": info.version,
        "Warnings": list(info.warnings),
    }
