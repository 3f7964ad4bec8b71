"""`pilothouse logs`: what a container wrote, and writes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from engine.cli.drive import drive, iterate, opened
from engine.cli.flags import CONTAINERS, Arguments, Command, Flag
from engine.cli.units import moment
from engine.models import LogQuery

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.models import LogLine

COMMAND = Command(
    "logs",
    "[OPTIONS] CONTAINER",
    "Fetch the logs of a container",
    (
        Flag("details", bool, "", hidden=True),
        Flag("follow", bool, "Follow log output", short="f"),
        Flag("since", moment, "Show logs since timestamp (2024-01-02T13:23:37Z) or relative (42m)", value="string"),
        Flag("tail", str, "Number of lines to show from the end of the logs", short="n", default="all"),
        Flag("timestamps", bool, "Show timestamps", short="t"),
        Flag("until", moment, "Show logs before a timestamp or relative (42m)", value="string"),
    ),
    minimum=1,
    maximum=1,
    arguments=CONTAINERS,
)
BUFFER = 64 << 10  # bytes collected before they are written, when nobody waits for each line


def run(args: Arguments) -> int:
    query = LogQuery(tail=_tail(args.tail), since=args.since, until=args.until, follow=args.follow)
    show = {"stdout": _Writer(1, eager=args.follow), "stderr": _Writer(2, eager=args.follow)}
    shared = os.fstat(1)[:3] == os.fstat(2)[:3]  # both to one place: their order counts
    with opened(args) as engine:
        container = drive(engine.container(args.words[0]))
        texts: Iterator[tuple[str, bytes]]
        if args.follow or args.timestamps or any(writer.safe for writer in show.values()):
            lines = iterate(engine.logs(container.id, query))
            texts = ((line.stream, show[line.stream].text(line, args.timestamps)) for line in lines)
        else:
            texts = iterate(engine.log_text(container.id, query))
        last = ""
        for stream, text in texts:
            if shared and stream != last:
                if last:
                    show[last].flush()
                last = stream
            show[stream].write(text)
        for writer in show.values():
            writer.flush()
    return 0


class _Writer:
    """Lines to stdout or stderr; made safe if that is a terminal, where colours stay."""

    def __init__(self, descriptor: int, *, eager: bool) -> None:
        self.descriptor, self.eager = descriptor, eager
        self.safe: Callable[[bytes], str] | None = None
        self.waiting: list[bytes] = []
        self.size = 0
        if os.isatty(descriptor):
            from engine.logs.sanitise import for_terminal

            self.safe = for_terminal

    def text(self, line: LogLine, timestamps: bool) -> bytes:
        text = line.text if self.safe is None else self.safe(line.text).encode("utf-8", "backslashreplace")
        return (line.timestamp.encode() + b" " if timestamps else b"") + text + b"\n"

    def write(self, text: bytes) -> None:
        self.waiting.append(text)
        self.size += len(text)
        if self.eager or self.size >= BUFFER:
            self.flush()

    def flush(self) -> None:
        if self.waiting:
            from engine.cli.foreground import write_all

            write_all(self.descriptor, b"".join(self.waiting))
            self.waiting.clear()
            self.size = 0


def _tail(text: str) -> int | None:
    """A number of lines; anything that is none, and a negative one, mean all of them, as with Docker."""
    return int(text) if text.isascii() and text.isdigit() else None
