"""`pilothouse demo`: three example containers from an image of this machine's own files, and the dashboard on them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from engine.cli.drive import drive, opened, settings_of
from engine.cli.flags import Command, Flag
from engine.errors import Conflict, NotFound
from engine.models import PortMapping, RunOptions

if TYPE_CHECKING:
    from engine.cli.flags import Arguments
    from engine.engine import Engine

IMAGE = "localhost/pilothouse-demo:latest"
LABEL = "pilothouse.demo"
FIRST_PORT = 8080
PROGRAMS = ("web", "logger", "job")

COMMAND = Command(
    "demo",
    "[OPTIONS]",
    "Start three example containers, without a network, and open the dashboard on them",
    (
        Flag("clean", bool, "Remove every trace of the demo"),
        Flag("no-dash", bool, "Start the containers and leave the dashboard closed"),
    ),
    maximum=0,
)


def run(args: Arguments) -> int:
    """Set the demo up, or take it down with `--clean`."""
    with opened(args, starter="the demo") as engine:
        if args.clean:
            return _clean(engine)
        for line in start(engine):
            print(line)
    if args.no_dash or not sys.stdout.isatty():
        return 0
    from tui.app import run as dashboard

    return dashboard(settings_of(args))


def start(engine: Engine) -> list[str]:
    """The image and the containers, each only if it is not there yet; a line about each."""
    told = []
    try:
        drive(engine.image(IMAGE))
    except NotFound:
        here = Path(__file__).resolve().parent.parent / "demo"
        programs = {f"/demo/{name}.py": (here / f"{name}.py").read_bytes() for name in PROGRAMS}
        config = {
            "Entrypoint": ["python", "-u"],
            "Cmd": ["/demo/web.py"],
            "WorkingDir": "/demo",
            "ExposedPorts": {"80/tcp": {}},
            "Labels": {LABEL: "image"},
        }
        drive(engine.add_host_image(IMAGE, files=programs, config=config))
        told.append(f"made image {IMAGE} from this machine's Python")
    running = {container.name: container for container in drive(engine.containers())}
    for name in PROGRAMS:
        if container := running.get(f"demo-{name}"):
            if not container.running:
                drive(engine.start(container.id))
            told.append(f"container demo-{name} is there already")
            continue
        ports = (PortMapping(80, drive(engine.free_port(FIRST_PORT))),) if name == "web" else ()
        options = RunOptions(
            IMAGE, (f"/demo/{name}.py",), name=f"demo-{name}", ports=ports, labels={LABEL: name}, detach=True
        )
        container = drive(engine.run(options))
        where = f", see http://localhost:{container.ports[0].host_port}/" if container.ports else ""
        told.append(f"started container demo-{name}{where}")
    return told


def _clean(engine: Engine) -> int:
    """Remove what has the demo's label, and the root itself if nothing else is in it."""
    for container in drive(engine.containers()):
        if LABEL in container.options.labels:
            drive(engine.remove(container.id, force=True, volumes=True))
            print(f"removed container {container.name}")
    try:
        drive(engine.remove_image(IMAGE))
        print(f"removed image {IMAGE}")
    except NotFound:
        print("there is no demo image")
    except Conflict as error:
        print(f"kept image {IMAGE}: {error.message}")
    if drive(engine.remove_if_empty()):
        print(f"removed {engine.settings.root}, which held nothing else")
    return 0
