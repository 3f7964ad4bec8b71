"""`pilothouse events`: what happens to containers and images, as it happens."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

from engine.cli.drive import drive, iterate, opened
from engine.cli.filters import group, has_labels, parse_filter
from engine.cli.flags import Arguments, Command, Flag
from engine.cli.goeval import render
from engine.cli.gotemplate import parse
from engine.cli.rows import Row, fixed_row
from engine.cli.terminal import put
from engine.cli.units import moment

if TYPE_CHECKING:
    from engine.models import Event

COMMAND = Command(
    "events",
    "[OPTIONS]",
    "Follow what the engine does",
    (
        Flag("filter", parse_filter, "Show only what fits: KEY=VALUE", short="f", many=True, value="filter"),
        Flag("format", str, "Format output: 'json' or a Go template"),
        Flag("since", moment, "Show all events created since timestamp", value="string"),
        Flag("until", moment, "Stream events until this timestamp", value="string"),
    ),
    maximum=0,
)
FILTERS = frozenset("container event image label network type scope volume".split())


class _Over(Exception):
    """The moment of `--until` has come."""


def run(args: Arguments) -> int:
    wanted = group(args.filter, FILTERS)
    template = "{{json .}}" if args.format == "json" else args.format.replace("\\t", "\t").replace("\\n", "\n")
    nodes = parse(template) if template else None
    with opened(args) as engine, _until(args.until):
        end = drive(engine.event_cursor()) if args.until is not None and args.until <= time.time() else None
        since = 0 if args.since is not None else None
        if end is not None and (since is None or end == 0):
            return 0
        for event in iterate(engine.events(since=since)):
            in_time = event.time >= (args.since or 0) and (args.until is None or event.time <= args.until)
            if in_time and _fits(event, wanted):
                put(render(nodes, _row(event)) + "\n" if nodes else _line(event))
                sys.stdout.flush()
            if end is not None and event.cursor >= end:
                break
    return 0


@contextmanager
def _until(end: float | None) -> Iterator[None]:
    """End the block at a moment that is still to come, whatever it waits for."""
    if end is None or end <= time.time():
        yield
        return

    def over(number: int, frame: FrameType | None) -> None:
        raise _Over

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, end - time.time())
    try:
        yield
    except _Over:
        return
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _fits(event: Event, wanted: dict[str, list[str]]) -> bool:
    tests = {
        "type": lambda values: event.kind in values,
        "event": lambda values: event.action in values or event.action.partition(": ")[0] in values,
        "container": lambda values: event.kind == "container" and _named(event, values),
        "image": lambda values: (
            event.attributes.get("image") in values or (event.kind == "image" and _named(event, values))
        ),
        "network": lambda values: event.kind == "network" and _named(event, values),
        "volume": lambda values: event.kind == "volume" and _named(event, values),
        "label": lambda values: has_labels(event.attributes, values),
        "scope": lambda values: "local" in values,
    }
    return all(tests[key](values) for key, values in wanted.items())


def _of_image(event: Event, values: list[str]) -> bool:
    return event.attributes.get("image") in values or (event.kind == "image" and _named(event, values))


def _named(event: Event, values: list[str]) -> bool:
    return any(event.name == value or (value and event.id.startswith(value)) for value in values)


def _stamp(moment: float) -> str:
    """Local RFC 3339 time with nanoseconds."""
    zone = time.strftime("%z", time.localtime(moment))
    nanoseconds = round(moment % 1 * 1e9) % 10**9
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.localtime(moment))}.{nanoseconds:09d}{zone[:3]}:{zone[3:]}"


def _attributes(event: Event) -> dict[str, str]:
    return {**event.attributes, **({"name": event.name} if event.name else {})}


def _line(event: Event) -> str:
    attributes = ", ".join(f"{key}={value}" for key, value in sorted(_attributes(event).items()))
    return f"{_stamp(event.time)} {event.kind} {event.action} {event.id}{f' ({attributes})' if attributes else ''}\n"


def _row(event: Event) -> Row:
    actor: dict[str, Any] = {"ID": event.id, "Attributes": _attributes(event)}
    values = {
        "Action": event.action,
        "Actor": actor,
        "From": event.attributes.get("image", ""),
        "ID": event.id,
        "Status": event.action,
        "Type": event.kind,
        "scope": "local",
        "time": int(event.time),
        "timeNano": int(event.time * 1e9),
        "Time": int(event.time),
        "TimeNano": int(event.time * 1e9),
        "Scope": "local",
    }
    return fixed_row(values)
