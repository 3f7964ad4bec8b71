"""Reading a container's log: what is there, by `LogQuery`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from operator import attrgetter

from engine.errors import StoreError
from engine.logs import files as log_files
from engine.logs.files import files
from engine.logs.follower import Follower
from engine.logs.place import place
from engine.logs.records import Decoder
from engine.models import LogLine, LogQuery

__all__ = ["Follower", "files", "read", "texts"]


def read(directory: str, query: LogQuery) -> Iterator[LogLine]:
    """The lines that are there now, oldest first; nothing if there is no log. `query.follow` is not looked at.

    As in Docker, `tail` counts from the end of the log before `since` and `until` are applied.
    Raises StoreError when a file cannot be read.
    """
    for decoder, data in _blocks(directory, query):
        yield from decoder.feed(data) if data else decoder.finish()


def texts(directory: str, query: LogQuery) -> Iterator[tuple[str, bytes]]:
    """The same as bytes: (stream, lines with their newlines), as many at once as can be. Raises as `read`."""
    for decoder, data in _blocks(directory, query):
        if plain := decoder.plain(data):
            yield plain
        else:
            lines = decoder.feed(data) if data else decoder.finish()
            for stream, group in groupby(lines, attrgetter("stream")):
                yield stream, b"".join([line.text + b"\n" for line in group])


def _blocks(directory: str, query: LogQuery) -> Iterator[tuple[Decoder, bytes]]:
    """What decodes and whole records, a block at a time; at last no records, for lines that were never ended."""
    try:
        descriptors = log_files.open_files(directory)
        try:
            index, offset, decoder = place(descriptors, query)
            for fd in descriptors[index:]:
                for _, data in log_files.forward(fd, offset):
                    yield decoder, data
                    if decoder.over:
                        return
                offset = 0
            yield decoder, b""
        finally:
            log_files.close_all(descriptors)
    except OSError as error:
        raise StoreError(f"cannot read the log in {directory}: {error.strerror or error}") from error
