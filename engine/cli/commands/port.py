"""`pilothouse port`: where a container's ports are published."""

from __future__ import annotations

from engine.cli.drive import drive, opened
from engine.cli.flags import RUNNING, Arguments, Command
from engine.cli.ports import host_addresses, parse_container_port
from engine.errors import NotFound

COMMAND = Command(
    "port",
    "CONTAINER [PRIVATE_PORT[/PROTO]]",
    "List port mappings or a specific mapping of a container",
    minimum=1,
    maximum=2,
    arguments=RUNNING,
)


def run(args: Arguments) -> int:
    name, *wanted = args.words
    with opened(args) as engine:
        container = drive(engine.container(name))
    mappings = sorted(container.ports, key=lambda one: (one.container_port, one.protocol)) if container.running else []
    if not wanted:
        for mapping in mappings:
            for address in host_addresses(mapping):
                print(f"{mapping.container_port}/{mapping.protocol} -> {address}:{mapping.host_port}")
        return 0
    port = parse_container_port(wanted[0])
    found = [one for one in mappings if (one.container_port, one.protocol) == port]
    if not found:
        raise NotFound(f"No public port '{port[0]}/{port[1]}' published for {name}")
    for mapping in found:
        for address in host_addresses(mapping):
            print(f"{address}:{mapping.host_port}")
    return 0
