"""Where in a log a query begins."""

from __future__ import annotations

from engine.logs import files as log_files
from engine.logs.records import Decoder, stamp
from engine.models import LogQuery


def place(descriptors: list[int], query: LogQuery) -> tuple[int, int, Decoder]:
    """Where reading for `query` begins: index of the file, offset in it, and what decodes from there."""
    begin = stamp(query.since) if query.since is not None else b""
    end = stamp(query.until) if query.until is not None else b""
    index, offset, skip = 0, 0, 0
    if query.tail is not None:
        index, offset, skip = log_files.tail(descriptors, query.tail, query.streams)
    if begin:
        later = log_files.since(descriptors, begin)
        if later > (index, offset) and not skip:
            index, offset = later
    return index, offset, Decoder(query.streams, since=begin, until=end, skip=skip)
