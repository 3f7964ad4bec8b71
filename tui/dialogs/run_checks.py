"""What is wrong with a run form, field by field, before the engine is asked to run it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import EngineError, InvalidInput, StoreError
from engine.models import Container, Image
from tui import format as short
from tui import run_line
from tui.run_line import PortRow
from tui.sanitize import plain

if TYPE_CHECKING:
    from engine.engine import Engine
    from tui.state.world import World


@dataclass(frozen=True, slots=True)
class Verdict:
    """`neutral`: neither good nor bad, only to be known. `mends` says what F2 would do."""

    good: bool
    words: str
    neutral: bool = False
    mends: str = ""


@dataclass(frozen=True, slots=True)
class Sight:
    """What the form is judged by. `replaced` is the container in whose place the new one shall run."""

    engine: Engine
    world: World
    image: Image | None
    replaced: Container | None = None


async def check(sight: Sight, fields: run_line.Fields) -> dict[str, Verdict]:
    """A verdict for every field there is something to say about: "image", "ports.0", "memory"…"""
    image = sight.image
    verdicts = {"image": _image(fields.image, image)}
    if fields.name:
        verdicts["name"] = _name(sight, fields.name)
    if image is not None and not any((fields.command, fields.entrypoint, image.config.cmd, image.config.entrypoint)):
        verdicts["command"] = Verdict(False, "the image names none")
    verdicts |= await _ports(sight, fields.ports)
    for group, judge in _GROUPS.items():
        for place, text in enumerate(getattr(fields, group)):
            if text:
                verdicts[f"{group}.{place}"] = _judged(judge, text)
    for name, judge in _SINGLE.items():
        if text := getattr(fields, name):
            verdicts[name] = _judged(judge, text)
    if all(verdict.good for verdict in verdicts.values()):
        try:
            run_line.options_of(fields)
        except InvalidInput as error:
            field = "command" if str(error).startswith("command") else "options"
            verdicts[field] = Verdict(False, _said(error))
    return verdicts


async def fix(sight: Sight, fields: run_line.Fields, key: str) -> run_line.Fields | None:
    """The form with a better value in that field; None if only the user can know one.

    Raises StoreError if a directory that is missing cannot be made.
    """
    name, _, number = key.partition(".")
    if name == "name" and fields.name:
        taken = {container.name for container in sight.world.containers.values()}
        stem = fields.name.rstrip("0123456789").rstrip("-") or fields.name
        return replace(fields, name=next(f"{stem}-{n}" for n in range(2, 10_000) if f"{stem}-{n}" not in taken))
    if name == "ports":
        row = await _free(sight, fields.ports, int(number))
        return replace(fields, ports=_put(fields.ports, int(number), row)) if row else None
    if name == "volumes":
        _make_directory(fields.volumes[int(number)])
        return fields
    return None


def _put(values: tuple[PortRow, ...], place: int, value: PortRow) -> tuple[PortRow, ...]:
    return (*values[:place], value, *values[place + 1 :])


def _said(error: EngineError) -> str:
    return plain(str(error).removeprefix("pilothouse: "))


def _judged(judge: Callable[[str], Verdict], text: str) -> Verdict:
    try:
        return judge(text)
    except InvalidInput as error:
        return Verdict(False, _said(error))


def _image(text: str, image: Image | None) -> Verdict:
    from engine.reference import parse

    if not text:
        return Verdict(False, "needed")
    if image is not None:
        age = f" · {short.span(time.time() - image.created)} old" if image.created else ""
        return Verdict(True, f"here, {short.size(image.size)}{age}")
    try:
        if run_line.is_run_line(text):
            run_line.fields_of(text)  # a line that was not taken cannot be read
        parse(text)
    except InvalidInput as error:
        return Verdict(False, _said(error))
    return Verdict(True, "not here: will be pulled", neutral=True)


def _name(sight: Sight, name: str) -> Verdict:
    from engine.containers.names import validate

    try:
        validate(name)
    except InvalidInput:  # Docker's sentence is longer than the room beside the field
        if not name[0].isascii() or not name[0].isalnum():
            return Verdict(False, "letter or digit first")
        return Verdict(False, "letters, digits, _ . -" if name[1:] else "two characters or more")
    holder = next((container for container in sight.world.containers.values() if container.name == name), None)
    if holder is None:
        return Verdict(True, "free")
    if sight.replaced is not None and holder.id == sight.replaced.id:
        return Verdict(True, "takes its place", neutral=True)
    return Verdict(False, f"taken by {holder.short_id} ({holder.state})", mends="use another name")


def _env(text: str) -> Verdict:
    name, equals, _ = text.partition("=")
    if not name or " " in name:
        return Verdict(False, "write NAME=value")
    if not equals and name not in os.environ:
        return Verdict(False, f"{plain(name)} is not set here; write {plain(name)}=value")
    return Verdict(True, "" if equals else "taken from here", neutral=True)


def _volume(text: str) -> Verdict:
    from engine.cli.mounts import parse_volume

    mount = parse_volume(text)
    if mount.kind != "bind":
        return Verdict(True, "volume" if mount.source else "volume without a name")
    path = Path(mount.source)
    if path.is_dir():
        return Verdict(True, "dir")
    if path.exists():
        return Verdict(True, "file")
    return Verdict(False, "no such directory", mends="make it")


def _make_directory(text: str) -> None:
    from engine.cli.mounts import parse_volume

    path = Path(parse_volume(text).source)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot make {path}: {error.strerror}") from error


def _memory(text: str) -> Verdict:
    from engine.cli.units import memory_size

    size = memory_size(text)
    return Verdict(True, f"{short.size(size)}") if size >= 6 << 20 else Verdict(False, "at least 6m")


def _cpus(text: str) -> Verdict:
    from engine.cli.options import parse_cpus

    count = os.cpu_count() or 1
    return (
        Verdict(True, "") if 0.01 <= parse_cpus(text) <= count else Verdict(False, f"0.01 to {count}: it has {count}")
    )


def _workdir(text: str) -> Verdict:
    return Verdict(True, "") if text.startswith("/") else Verdict(False, "must begin with /")


def _restart(text: str) -> Verdict:
    from engine.cli.options import parse_restart

    parse_restart(text)
    return Verdict(True, "")


_GROUPS: dict[str, Callable[[str], Verdict]] = {"env": _env, "volumes": _volume}
_SINGLE: dict[str, Callable[[str], Verdict]] = {
    "memory": _memory,
    "cpus": _cpus,
    "workdir": _workdir,
    "restart": _restart,
}


async def _ports(sight: Sight, rows: tuple[PortRow, ...]) -> dict[str, Verdict]:
    from engine.cli.ports import parse_port

    verdicts: dict[str, Verdict] = {}
    seen: set[tuple[int, str]] = set()
    for place, row in enumerate(rows):
        key = f"ports.{place}"
        if not row.word:
            if row.container:
                verdicts[key] = Verdict(True, "f2 publishes it", neutral=True, mends="publish it")
            continue
        if not row.container and ":" not in row.host:
            verdicts[key] = Verdict(False, "to which port inside?")
            continue
        try:
            mappings = parse_port(row.word)
        except InvalidInput as error:
            verdicts[key] = Verdict(False, _said(error))
            continue
        verdicts[key] = Verdict(True, "free" if all(mapping.host_port for mapping in mappings) else "a free one")
        for mapping in mappings:
            place_taken = (mapping.host_port, mapping.protocol)
            if mapping.host_port and place_taken in seen:
                verdicts[key] = Verdict(False, f"{mapping.host_port} is there twice", mends="use a free one")
            seen.add(place_taken)
            if mapping.host_port and not _own(sight.replaced, *place_taken):
                holder = await sight.engine.port_holder(mapping.host_ip, *place_taken)
                if holder:
                    words = f"taken by {plain(holder).removeprefix('container ')}"  # short: 24 cells at 80 columns
                    instead = await _free(sight, rows, place)
                    verdicts[key] = Verdict(False, words, mends=f"use {instead.host}" if instead else "use a free one")
    return verdicts


def _own(replaced: Container | None, port: int, protocol: str) -> bool:
    """Whether the port is held by the container whose place is to be taken."""
    return replaced is not None and any(
        (mapping.host_port, mapping.protocol) == (port, protocol) for mapping in replaced.ports
    )


async def _free(sight: Sight, rows: tuple[PortRow, ...], place: int) -> PortRow | None:
    """The row with a free host port: the next after a taken one, else one like the container's."""
    from engine.cli.ports import parse_port, spell_port

    row = rows[place]
    used: set[int] = set()
    for other in (*rows[:place], *rows[place + 1 :]):
        try:
            used |= {mapping.host_port for mapping in parse_port(other.word)} if other.word else set()
        except InvalidInput:
            continue
    try:
        (mapping,) = parse_port(row.word or row.container)
    except (InvalidInput, ValueError):
        return None
    wanted = run_line.usual_host(mapping.host_port + 1 if mapping.host_port else mapping.container_port)
    while True:
        port = await sight.engine.free_port(wanted, mapping.protocol)
        if port not in used:
            break
        wanted = port + 1
    host, _, container = spell_port(replace(mapping, host_port=port)).rpartition(":")
    return PortRow(host, container)
