"""The files of one container's log: their order, and places in them found without reading them whole."""

from __future__ import annotations

import os
from collections.abc import Container, Iterator

from engine.logs.records import MAX_LINE, STAMP_BYTES, is_record
from engine.runtime.logfile import FILE_NAME, PIECE_BYTES

BLOCK = 256 << 10
_BACK_BLOCK = 64 << 10
_NEAR = 64 << 10  # bytes within which a search goes on line by line
_PIECES_BACK = 2 * MAX_LINE // PIECE_BYTES  # records looked through for the beginning of a long line


def files(directory: str) -> list[str]:
    """Absolute paths of the log files, oldest first; [] if there is none."""
    return [os.path.join(directory, name) for name in _names(directory)]


def open_files(directory: str) -> list[int]:
    """Descriptors of the log files, oldest first, as they were at one instant; the caller closes them.

    A rotation renames one file after the other, so listing and opening are repeated until nothing moved meanwhile.
    """
    while True:
        names = _names(directory)
        opened: list[int] = []
        try:
            for name in names:
                opened.append(os.open(os.path.join(directory, name), os.O_RDONLY | os.O_CLOEXEC))
            still = [os.stat(os.path.join(directory, name)) for name in names]
            if names == _names(directory) and all(map(os.path.samestat, map(os.fstat, opened), still)):
                return opened
        except FileNotFoundError:
            pass  # moved meanwhile: again
        except BaseException:
            close_all(opened)
            raise
        close_all(opened)


def close_all(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def forward(fd: int, start: int, end: int | None = None) -> Iterator[tuple[int, bytes]]:
    """(offset after it, whole records) from `start` on, a block at a time, up to `end` or the last newline."""
    at = start
    while end is None or at < end:
        data = os.pread(fd, BLOCK if end is None else min(BLOCK, end - at), at)
        whole = data.rfind(b"\n") + 1
        if not whole:
            if len(data) < BLOCK:
                return
            whole = len(data)  # no record is so long: step over what is none
        at += whole
        yield at, data if whole == len(data) else data[:whole]


def backward(fd: int, size: int) -> Iterator[tuple[int, bytes]]:
    """(offset, record without newline) from the last whole record to the first."""
    position, carry = size, b""
    while position > 0:
        step = min(_BACK_BLOCK, position)
        position -= step
        data = os.pread(fd, step, position) + carry
        first = data.find(b"\n") + 1 if position else 0  # before it lies the end of a record that begins further up
        carry = data[:first]
        if position and not first:
            carry = data
            continue
        at = position + data.rfind(b"\n") + 1
        for record in reversed(data[first : at - position].split(b"\n")[:-1]):
            at -= len(record) + 1
            yield at, record


def tail(descriptors: list[int], lines: int, streams: Container[str]) -> tuple[int, int, int]:
    """Where the last `lines` lines begin: (index of the file, offset, lines to skip from there).

    Lines are skipped where the first pieces of a long line lie before the ends of others.
    """
    if not descriptors:
        return 0, 0, 0
    if lines <= 0:
        return len(descriptors) - 1, os.fstat(descriptors[-1]).st_size, 0
    index, offset, skip, counted, looked_back, earlier = 0, 0, 0, 0, 0, 0
    seen: set[bytes] = set()
    unopened: set[bytes] = set()  # streams whose oldest counted line may have pieces further up
    for at_index, at, record in _records_backward(descriptors):
        stream = record[31:37]
        if not is_record(record) or stream.decode() not in streams:
            continue
        ends = record[38:39] == b"F" or stream not in seen  # the newest piece of a line without end counts as its end
        seen.add(stream)
        if counted < lines:
            if ends:
                counted += 1
                unopened.add(stream)
            index, offset = at_index, at
            continue
        if ends:
            earlier += 1
            unopened.discard(stream)
        elif stream in unopened:
            index, offset, skip = at_index, at, earlier
        looked_back += 1
        if not unopened or looked_back > _PIECES_BACK:
            return index, offset, skip
    return index, offset, skip


def since(descriptors: list[int], when: bytes) -> tuple[int, int]:
    """Where records stamped `when` or later begin: (index of the file, offset at or a little before them).

    Searches by halves, so it relies on a clock that was not set back by much.
    """
    for index in range(len(descriptors) - 1, -1, -1):
        size = os.fstat(descriptors[index]).st_size
        first = _stamp_after(descriptors[index], 0, size)
        if index and (first is None or first[1] >= when):
            continue
        low, high = 0, size
        while high - low > _NEAR:
            middle = (low + high) // 2
            found = _stamp_after(descriptors[index], middle, high)
            if found is not None and found[1] < when:
                low = found[0]
            else:
                high = middle
        return index, low
    return 0, 0


def _stamp_after(fd: int, at: int, end: int) -> tuple[int, bytes] | None:
    """(offset, stamp) of the first whole record that begins at or after `at`; `at` 0 is the beginning of a record."""
    for after, data in forward(fd, at, end):
        begin = after - len(data)
        position = data.find(b"\n") + 1 if begin == at and at else 0
        while position < len(data):
            newline = data.find(b"\n", position)
            if is_record(data[position : position + STAMP_BYTES + 20]):
                return begin + position, data[position : position + STAMP_BYTES]
            position = newline + 1
    return None


def _records_backward(descriptors: list[int]) -> Iterator[tuple[int, int, bytes]]:
    for index in range(len(descriptors) - 1, -1, -1):
        for offset, record in backward(descriptors[index], os.fstat(descriptors[index]).st_size):
            yield index, offset, record


def _names(directory: str) -> list[str]:
    """container.log.2, container.log.1, container.log; [] if there is no such directory."""
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return []
    numbered = [(int(name[len(FILE_NAME) + 1 :]), name) for name in names if _is_rotated(name)]
    older = [name for _, name in sorted(numbered, reverse=True)]
    return [*older, FILE_NAME] if FILE_NAME in names else older


def _is_rotated(name: str) -> bool:
    return name.startswith(FILE_NAME + ".") and name[len(FILE_NAME) + 1 :].isdecimal()
