"""The log files of a container as one address space of bytes that grows at its end and is cut at its start.

A position is where a record begins: the base of its file plus the offset in it. Every place in a log of any size is
reached by reading a few blocks around it, so nothing is indexed in order to scroll.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from engine.errors import StoreError
from engine.linux import inotify
from engine.logs import files as log_files
from engine.logs.records import STAMP_BYTES, is_record

BLOCK = 64 << 10
LINE_SPAN = 8 << 20  # bytes; a line of pieces that fills a whole span from one multiple to the next is cut there
KEPT_TEXT = 256 << 10  # bytes of a line's text held for showing

_WATCHED = inotify.IN_MODIFY | inotify.IN_CREATE | inotify.IN_MOVED_TO | inotify.IN_MOVED_FROM | inotify.IN_DELETE


@dataclass(frozen=True, slots=True)
class Line:
    """A line as it is shown: the record, or the records of its pieces, from `position` up to `end`."""

    position: int
    end: int
    stamp: bytes  # RFC 3339 with nanoseconds
    stream: bytes  # stdout, stderr
    text: bytes  # at most KEPT_TEXT of it
    length: int  # bytes of text there are
    origin: int = 0  # which of several merged logs it is of


class Segment:
    """One open log file and where its bytes lie in the whole. Closed when nobody holds it any more."""

    __slots__ = ("base", "fd", "size")

    def __init__(self, fd: int, base: int) -> None:
        self.fd = fd
        self.base = base
        self.size = os.fstat(fd).st_size

    @property
    def end(self) -> int:
        return self.base + self.size

    def __del__(self) -> None:
        os.close(self.fd)


class Extent:
    """Files in their order, as they are: reading at any place in them."""

    def __init__(self, segments: Sequence[Segment] = ()) -> None:
        self.segments = tuple(segments)
        self._cuts: dict[int, bool] = {}  # multiples of LINE_SPAN: whether a line is cut there

    @property
    def start(self) -> int:
        return self.segments[0].base if self.segments else 0

    @property
    def end(self) -> int:
        return self.segments[-1].end if self.segments else 0

    @property
    def length(self) -> int:
        return self.end - self.start

    def stamp_at(self, position: int) -> bytes:
        """The time of the record at `position`; empty if it is gone."""
        for segment in self.segments:
            if segment.base <= position < segment.end:
                return os.pread(segment.fd, STAMP_BYTES, position - segment.base)
        return b""

    def lines_from(self, position: int, count: int) -> list[Line]:
        """Up to `count` lines from the one that begins at `position`, or at the first place there still is."""
        position = max(position, self.start)
        lines: list[Line] = []
        group: list[tuple[int, bytes]] = []
        for segment in self.segments:
            if segment.end <= position:
                continue
            at = max(position, segment.base)
            while True:
                data = _whole_records(segment, at)
                if not data:
                    break
                for record in data.split(b"\n")[:-1]:
                    if group and not self.joins(group[-1], (at, record)):
                        lines.append(_line(group))
                        group = []
                        if len(lines) == count:
                            return lines
                    group.append((at, record))
                    at += len(record) + 1
        if group:
            lines.append(_line(group))
        return [line for line in lines if line.stream]

    def line(self, position: int) -> Line | None:
        """The line that begins at `position`; None if it is gone."""
        segment = next((each for each in self.segments if each.base <= position < each.end), None)
        if segment is not None:
            data = os.pread(segment.fd, 2048, position - segment.base)
            newline = data.find(b"\n")
            if newline >= 0 and data[38:39] == b"F":
                line = _line([(position, data[:newline])])
                return line if line.stream else None
        return next(iter(self.lines_from(position, 1)), None)

    def lines_before(self, position: int, count: int) -> list[Line]:
        """Up to `count` lines that end at or before `position`, in their order."""
        lines: list[Line] = []
        group: list[tuple[int, bytes]] = []  # newest first
        for segment in reversed(self.segments):
            if segment.base >= position:
                continue
            for at, record in self._records_before(segment, min(position, segment.end) - segment.base):
                if group and not self.joins((at, record), group[-1]):
                    line = _line(group[::-1])
                    if line.stream:
                        lines.append(line)
                    group = []
                    if len(lines) == count:
                        return lines[::-1]
                group.append((at, record))
        if group and _line(group[::-1]).stream:
            lines.append(_line(group[::-1]))
        return lines[::-1]

    def line_at(self, position: int) -> int:
        """Where the line begins that the byte at `position` belongs to."""
        position = min(max(position, self.start), max(self.end - 1, self.start))
        segment = next((each for each in reversed(self.segments) if each.base <= position), None)
        if segment is None:
            return position
        window = min(BLOCK, segment.end - position)
        following = os.pread(segment.fd, window, position - segment.base)
        newline = following.find(b"\n")
        end = position + newline + 1 if newline >= 0 else segment.end
        before = self.lines_before(end, 1)
        return before[-1].position if before else segment.base

    def time_position(self, stamp: bytes) -> int:
        """Where the first line stamped `stamp` or later begins; the end if there is none.

        Also called in threads: the files may be others, or none, before it is through.
        """
        segments = self.segments
        if not segments:
            return 0
        index, offset = log_files.since([segment.fd for segment in segments], stamp)
        position = segments[index].base + offset
        while lines := self.lines_from(position, 500):
            for line in lines:
                if line.stamp >= stamp:
                    return line.position
            position = lines[-1].end
        return self.end

    def joins(self, earlier: tuple[int, bytes], later: tuple[int, bytes]) -> bool:
        """Whether two neighbouring records are of one line.

        A line without end is cut, or reading one would never end; where, is the same seen from both of its ends.
        """
        if not _is_open(earlier[1], later[1][31:37]):
            return False
        span = later[0] // LINE_SPAN
        return earlier[0] // LINE_SPAN == span or not self._is_cut(span * LINE_SPAN, later[1][31:37])

    def _is_cut(self, boundary: int, stream: bytes) -> bool:
        known = self._cuts.get(boundary)
        if known is None:
            known = self._cuts[boundary] = self._is_filled(boundary, stream)
        return known

    def _is_filled(self, boundary: int, stream: bytes) -> bool:
        """Whether nothing but pieces of one line lies in the span that ends at `boundary`."""
        for segment in reversed(self.segments):
            if segment.base >= boundary:
                continue
            for at, record in self._records_before(segment, min(boundary, segment.end) - segment.base):
                if not _is_open(record, stream):
                    return False
                if at <= boundary - LINE_SPAN:
                    return True
        return False

    def _records_before(self, segment: Segment, offset: int) -> Iterator[tuple[int, bytes]]:
        for at, record in log_files.backward(segment.fd, offset):
            yield segment.base + at, record


class LogSource(Extent):
    """A container's log: what is there now after each `refresh()`, and a descriptor that tells when there is more.

    Reading may go on in another thread on `segments` it has taken. Raises StoreError when it cannot be opened.
    """

    def __init__(self, directory: str) -> None:
        super().__init__()
        self.directory = directory
        self.truncated = 0  # how often the log began anew in place: positions from before mean nothing
        try:
            self._inotify = inotify.Inotify()
        except OSError as error:
            raise _unwatchable(directory, error) from error
        self.watched = self._watch()
        self._take_files()

    @property
    def parts(self) -> tuple[LogSource, ...]:
        """The logs that are read: as a merged source has several."""
        return (self,)

    def fileno(self) -> int:
        return self._inotify.fileno()

    def close(self) -> None:
        self._inotify.close()
        self.segments = ()

    def refresh(self) -> None:
        """Take note of growth, rotation and truncation."""
        if not self.watched:
            self.watched = self._watch()
        names_changed = not self.segments or any(mask & ~inotify.IN_MODIFY for _, mask, _ in self._inotify.drain())
        if names_changed:
            self._take_files()
        if self.segments:
            last = self.segments[-1]
            size = os.fstat(last.fd).st_size
            if size < last.size:
                self.truncated += 1
            last.size = size

    def _watch(self) -> bool:
        try:
            self._inotify.add(self.directory, _WATCHED)
        except FileNotFoundError:
            return False  # nothing was ever written; looked for again at every refresh
        except OSError as error:
            raise _unwatchable(self.directory, error) from error
        return True

    def _take_files(self) -> None:
        """Append files that are newer than the newest held; let go of those that were rotated away."""
        try:
            listed = log_files.open_files(self.directory)
        except OSError as error:
            raise StoreError(f"cannot read the log in {self.directory}: {error.strerror or error}") from error
        kept = [segment for segment in self.segments if os.fstat(segment.fd).st_nlink]
        if self.segments and not kept and not listed:
            kept = [*self.segments]  # the container was removed: what is on the screen stays readable
        newest = self.segments[-1] if self.segments else None
        number = 0
        if newest is not None:
            newest.size = os.fstat(newest.fd).st_size
            state = os.fstat(newest.fd)
            same = [index for index, fd in enumerate(listed) if os.path.samestat(os.fstat(fd), state)]
            number = same[0] + 1 if same else 0
        log_files.close_all(listed[:number])
        base = newest.end if newest is not None else 0
        for fd in listed[number:]:
            kept.append(Segment(fd, base))
            base = kept[-1].end
        self.segments = tuple(kept)


def count_lines(data: bytes) -> int:
    """How many lines end in these whole records."""
    if b" P " not in data:
        return data.count(b"\n")
    return sum(record[38:39] == b"F" for record in data.split(b"\n"))


def record_text(record: bytes) -> bytes:
    return record[40:] if record[39:40] == b" " else record[38:].partition(b" ")[2]


def _whole_records(segment: Segment, at: int) -> bytes:
    data = os.pread(segment.fd, min(BLOCK, segment.end - at), at - segment.base)
    return data[: data.rfind(b"\n") + 1]


def _is_open(record: bytes, stream: bytes) -> bool:
    """Whether the line of this record goes on in the next one of its stream."""
    return record[38:39] == b"P" and record[31:37] == stream and is_record(record)


def _line(group: list[tuple[int, bytes]]) -> Line:
    """The line of these records; its `stream` is empty if they are none (torn by a crash)."""
    position, first = group[0]
    last_position, last = group[-1]
    end = last_position + len(last) + 1
    if not is_record(first):
        return Line(position, end, b"", b"", b"", 0)
    if len(group) == 1:
        text = record_text(first)
        return Line(position, end, first[:STAMP_BYTES], first[31:37], text, len(text))
    parts: list[bytes] = []
    length = kept = 0
    for _, record in group:
        text = record_text(record)
        length += len(text)
        if kept < KEPT_TEXT:
            parts.append(text)
            kept += len(text)
    return Line(position, end, first[:STAMP_BYTES], first[31:37], b"".join(parts), length)


def _unwatchable(directory: str, error: OSError) -> StoreError:
    return StoreError(
        f"cannot follow the log in {directory}: {error.strerror or error}",
        hint="raise fs.inotify.max_user_instances and max_user_watches, or end programs that watch many files",
    )
