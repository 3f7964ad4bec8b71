"""`pilothouse publish`: lead a port of this host to a running container, and to what is started of it later."""

from __future__ import annotations

from engine.cli.drive import drive, opened
from engine.cli.flags import RUNNING, Arguments, Command
from engine.cli.ports import host_addresses, parse_port

COMMAND = Command(
    "publish",
    "CONTAINER [[IP:]HOST_PORT:]PRIVATE_PORT[/PROTO]...",
    "Publish ports of a running container to the host, now and when it is started again",
    minimum=2,
    arguments=RUNNING,
)


def run(args: Arguments) -> int:
    name, *wanted = args.words
    with opened(args) as engine:
        mappings = [
            mapping
            for text in wanted
            for mapping in parse_port(text, lambda *port: not drive(engine.port_holder(*port)))
        ]
        for mapping in mappings:
            made = drive(engine.publish(name, mapping))
            for address in host_addresses(made):
                print(f"{made.container_port}/{made.protocol} -> {address}:{made.host_port}")
    return 0
