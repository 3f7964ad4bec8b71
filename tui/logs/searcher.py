"""A process that searches parts of a log for another one, so that its interpreter stays free."""

from __future__ import annotations

import json
import os
import socket
from array import array
from collections.abc import Sequence
from functools import partial

from engine.logs.records import STAMP_BYTES
from tui.logs.blocks import BlockSearch
from tui.logs.lineage import earlier_in
from tui.logs.needle import Block
from tui.logs.pattern import Pattern, Query
from tui.logs.pool import FRAME, HEAD, UNIT
from tui.logs.source import Extent, Segment

_BLOCK = 1 << 20  # bytes searched at once: what the processor's cache holds
_IDLE = 60.0  # seconds after which a process that nobody asks ends
_PIECE_TAGS = (b" stdout P ", b" stderr P ")
_RECORD = 17 << 10  # bytes a record has at most


class UnitSearch:
    """A pattern and the files of a log, to be searched unit by unit."""

    def __init__(self, pattern: Pattern, segments: Sequence[Segment]) -> None:
        self._pattern = pattern
        self._blocks = BlockSearch(pattern)
        self._extent = Extent(segments)
        self._memory = bytearray(_BLOCK)

    def search(self, begin: int, end: int) -> tuple[int, int, array[int]]:
        """(where the first line that begins in [begin, end) begins, and the first one after them; matches)."""
        low, high = self._line_from(begin), self._line_from(end)
        found: array[int] = array("I")
        at = low
        while at < high:
            segment = next((each for each in self._extent.segments if each.base <= at < each.end), None)
            if segment is None:
                break
            view = memoryview(self._memory)[: min(_BLOCK, high - at, segment.end - at)]
            read = os.preadv(segment.fd, [view], at - segment.base)
            view.release()
            whole = self._memory.rfind(b"\n", 0, read) + 1
            if not whole:
                break
            at = self._search_block(at, whole, low, found)
        return low, max(high, low), found

    def _search_block(self, at: int, size: int, low: int, found: array[int]) -> int:
        """Search the records in memory; returns where the next line begins."""
        offsets = self._blocks.search(self._memory, size, earlier_in(self._extent, at))
        after = at + size
        pieces = self._pieces(size)
        if pieces:
            apart: set[int] = set()
            joined: list[int] = []
            upto = -1
            for piece in pieces:
                if piece < upto:
                    continue
                line = next(iter(self._extent.lines_from(at + piece, 1)), None)
                if line is None:
                    continue
                upto = line.end - at
                apart.update(offset for offset in offsets if piece <= offset < upto)
                record = line.stamp + b" " + line.stream + b" F " + line.text
                before = partial(earlier_in(self._extent, line.position), line.stream)
                if self._pattern.accepts(record, before):
                    joined.append(piece)
            after = max(after, at + upto)
            offsets = array("I", sorted([*(offset for offset in offsets if offset not in apart), *joined]))
        if at == low:
            found.extend(offsets)
        else:
            found.extend(array("I", [at - low + offset for offset in offsets]))
        return after

    def _pieces(self, size: int) -> list[int]:
        """The records in memory whose lines go on after them."""
        memory, found = self._memory, []
        block = Block(memory, size)
        for tag in _PIECE_TAGS:
            for at, _ in block.places(tag):
                if at == STAMP_BYTES or memory[at - STAMP_BYTES - 1 : at - STAMP_BYTES] == b"\n":
                    found.append(at - STAMP_BYTES)
        return sorted(found)

    def _line_from(self, position: int) -> int:
        """Where the first line begins that begins at or after `position`."""
        extent = self._extent
        if position <= extent.start:
            return extent.start
        if position >= extent.end:
            return extent.end
        segment = next(each for each in extent.segments if position <= each.end and each.end > each.base)
        begin = max(position - 1 - _RECORD, segment.base)
        data = os.pread(segment.fd, position + _RECORD - begin, begin - segment.base)
        if position == segment.base:
            record = position
        else:
            newline = data.find(b"\n", position - 1 - begin)
            record = begin + newline + 1 if newline >= 0 else segment.end
        if record > segment.base:
            before = data.rfind(b"\n", 0, record - begin - 1) + 1
            whole = data[before + 38 : before + 39] != b"P"
        else:
            whole = segment is extent.segments[0]
        if whole or record >= extent.end:
            return record
        line = extent.line_at(record)
        if line == record:
            return record
        return next((each.end for each in extent.lines_from(line, 1)), record)


def main(descriptor: int) -> None:
    """Take tasks and units from this socket, give frames, until the other side is gone or has not asked for long."""
    # The interface wakes up often and shortly: it is never to wait for us to be through with our turn.
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    connection = socket.socket(fileno=descriptor)
    connection.settimeout(_IDLE)
    task: UnitSearch | None = None
    try:
        while True:
            # A task begins with a head that brings descriptors; everything else is a unit of the last one.
            head, descriptors, _, _ = socket.recv_fds(connection, HEAD.size, 253)
            if not head:
                return
            if descriptors:
                head += _exactly(connection, HEAD.size - len(head))
                task = _task(connection, HEAD.unpack(head)[0], descriptors)
                continue
            begin, end = UNIT.unpack(head + _exactly(connection, UNIT.size - len(head)))
            assert task is not None
            low, high, found = task.search(begin, end)
            connection.sendall(FRAME.pack(begin, end, low, high, len(found)) + found.tobytes())
    except (TimeoutError, ConnectionError):
        return


def _task(connection: socket.socket, length: int, descriptors: list[int]) -> UnitSearch:
    query, places = json.loads(_exactly(connection, length))
    segments = []
    for descriptor, (base, size) in zip(descriptors, places, strict=True):
        segment = Segment(descriptor, base)
        segment.size = min(size, segment.size)
        segments.append(segment)
    return UnitSearch(Pattern(Query(**query)), segments)


def _exactly(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = connection.recv(count - len(data))
        if not part:
            raise ConnectionResetError
        data += part
    return data
