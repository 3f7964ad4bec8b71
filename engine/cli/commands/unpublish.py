"""`pilothouse unpublish`: take published ports from a running container."""

from __future__ import annotations

from engine.cli.drive import drive, opened
from engine.cli.flags import RUNNING, Arguments, Command
from engine.cli.ports import parse_port
from engine.errors import Conflict, NotFound
from engine.models import PortMapping

COMMAND = Command(
    "unpublish",
    "CONTAINER [[IP:]HOST_PORT:]PRIVATE_PORT[/PROTO]...",
    "Take published ports from a running container, now and when it is started again (a private port alone: wherever"
    " it is published)",
    minimum=2,
    arguments=RUNNING,
)


def run(args: Arguments) -> int:
    name, *wanted = args.words
    with opened(args) as engine:
        container = drive(engine.container(name))
        if not container.running:
            raise Conflict(
                f"container {name} is not running", hint="a port is published, and taken away, while it runs"
            )
        going: list[PortMapping] = []
        for text in wanted:
            asked = parse_port(text)
            found = [mapping for mapping in container.ports if any(_fits(mapping, one) for one in asked)]
            if not found:
                raise NotFound(f"No published port '{text}' of {name}", hint=f"`pilothouse port {name}` lists them")
            going += found
        for mapping in dict.fromkeys(going):
            drive(engine.unpublish(container.id, mapping))
    return 0


def _fits(mapping: PortMapping, asked: PortMapping) -> bool:
    return (
        (mapping.container_port, mapping.protocol) == (asked.container_port, asked.protocol)
        and asked.host_port in (0, mapping.host_port)
        and asked.host_ip in ("", mapping.host_ip)
    )
