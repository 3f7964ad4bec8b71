"""Between the fields of the run form and run options: the form is the command line in pieces.

The fields hold words as the command line takes them, so one parser (engine.cli.options) judges both, and a pasted
`docker run` line falls into the fields again.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace

from engine.cli.mounts import spell_mount
from engine.cli.options import command_line, parse_run
from engine.cli.ports import spell_port
from engine.cli.units import spell_memory
from engine.errors import InvalidInput
from engine.models import PortMapping, RestartPolicy, RunOptions

_PASTED = ("docker", "podman", "pilothouse", "ph", "sudo", "$")
ANY = "any"  # in the place of a host port: one that is free


@dataclass(frozen=True, slots=True)
class PortRow:
    """One line of the ports. Without a host port it is a port of the image that is not published."""

    host: str = ""  # port, address:port, "any"
    container: str = ""  # port, port/udp

    @property
    def word(self) -> str:
        """The argument of `-p`; "" if nothing is to be published."""
        host, container = self.host, self.container
        if not host:
            return ""
        if not container:
            return host  # a whole `8080:80` was typed
        if host.endswith(ANY):
            host = host.removesuffix(ANY)
        return f"{host}:{container}" if host else container


@dataclass(frozen=True, slots=True)
class Fields:
    """What stands in the form. `command` and `options` are words separated as in a shell."""

    image: str = ""
    name: str = ""
    command: str = ""
    ports: tuple[PortRow, ...] = ()
    env: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    memory: str = ""
    cpus: str = ""
    user: str = ""
    workdir: str = ""
    hostname: str = ""
    restart: str = ""
    entrypoint: str = ""
    options: str = ""  # any other flag
    detach: bool = True
    remove: bool = False
    pull: str = "missing"


FLAGS = {
    "memory": "--memory",
    "cpus": "--cpus",
    "user": "--user",
    "workdir": "--workdir",
    "hostname": "--hostname",
    "restart": "--restart",
    "entrypoint": "--entrypoint",
}


def usual_host(port: int) -> int:
    """The host port that people expect for a container's: 8080 for 80, 8443 for 443, else the same."""
    return port if port >= 1024 else port + 8000


def words(text: str, what: str) -> list[str]:
    """Split as a shell would. Raises InvalidInput for an open quote."""
    try:
        return shlex.split(text)
    except ValueError as error:
        raise InvalidInput(f"{what}: {str(error).lower()}") from error


def options_of(fields: Fields) -> RunOptions:
    """Run options for the form. Raises InvalidInput in the words of the command line."""
    line = ["run", "-d" if fields.detach else "-it"]
    if fields.remove:
        line.append("--rm")
    if fields.pull != "missing":
        line.append(f"--pull={fields.pull}")
    if fields.name:
        line += ["--name", fields.name]
    for flag, values in (
        ("-p", [row.word for row in fields.ports]),
        ("-e", fields.env),
        ("-v", fields.volumes),
    ):
        for word in values:
            line += [flag, word] if word else []
    for name, flag in FLAGS.items():
        if value := getattr(fields, name):
            line.append(f"{flag}={value}")
    line += words(fields.options, "options")
    if not fields.image:
        raise InvalidInput("an image is needed")
    return parse_run([*line, "--", fields.image, *words(fields.command, "command")])


def line_of(fields: Fields) -> str:
    """The equal command line, as far as the fields can be read."""
    try:
        return command_line(options_of(fields))
    except InvalidInput:
        return ""


def is_run_line(text: str) -> bool:
    """Whether this begins as a `docker run …` line does, rather than being an image."""
    first, *rest = text.split()[:4] or [""]
    return first in _PASTED and "run" in rest


def fields_of(text: str) -> tuple[Fields, list[str]]:
    """A pasted line in pieces, and the flags of Docker's in it that this engine has not.

    Raises InvalidInput for what cannot be read.
    """
    pasted = words(text.replace("\\\n", " "), "pasted line")
    while pasted and pasted[0] in ("sudo", "$"):
        pasted = pasted[1:]
    left_out: list[str] = []
    return fields_from(parse_run(pasted, left_out=left_out)), left_out


def fields_from(options: RunOptions) -> Fields:
    """Run options in pieces; `options` takes what has no field. Raises InvalidInput for what has no command line.

    One that was to have a terminal and not to run in the background is attached to; all others are detached.
    """
    attached = options.tty and not options.detach
    volumes = [mount for mount in options.mounts if spell_mount(mount)[0] == "-v"]
    limits, policy = options.resources, options.restart
    entrypoint = options.entrypoint
    rest = replace(
        options,
        name="",
        ports=(),
        env=(),
        mounts=tuple(mount for mount in options.mounts if mount not in volumes),
        command=(),
        remove=False,
        detach=False,
        interactive=options.interactive and not attached,
        tty=options.tty and not attached,
        user="",
        working_dir="",
        hostname="",
        pull="missing",
        entrypoint=None if entrypoint and len(entrypoint) == 1 else entrypoint,
        resources=replace(limits, memory=0, cpus=0.0),
        restart=RestartPolicy(),
    )
    others = shlex.split(command_line(replace(rest, image="x")))[2:-1]
    retries = f":{policy.maximum_retry_count}" if policy.maximum_retry_count else ""
    return Fields(
        image=options.image,
        name=options.name,
        command=shlex.join(options.command),
        ports=tuple(map(_port_row, options.ports)),
        env=options.env,
        volumes=tuple(spell_mount(mount)[1] for mount in volumes),
        memory=spell_memory(limits.memory) if limits.memory else "",
        cpus=f"{limits.cpus:g}" if limits.cpus else "",
        user=options.user,
        workdir=options.working_dir,
        hostname=options.hostname,
        restart="" if policy.name == "no" else policy.name + retries,
        entrypoint=entrypoint[0] if entrypoint and len(entrypoint) == 1 else "",
        options=shlex.join(others),
        detach=not attached,
        remove=options.remove,
        pull=options.pull,
    )


def _port_row(mapping: PortMapping) -> PortRow:
    host, _, container = spell_port(mapping).rpartition(":")
    if not mapping.host_port:
        host = f"{host}{ANY}" if host else ANY
    return PortRow(host, container)
