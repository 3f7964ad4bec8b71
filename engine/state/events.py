"""The event stream: one append-only journal that every process writes to and any process can follow from any point.

A cursor is a position in the whole stream, in bytes. The journal is a directory of segments, each named by the cursor
of its first byte; the oldest are dropped. One line is one event, as JSON. Imported by the monitor: keep it light.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time

from engine.errors import StoreError
from engine.state.plain_json import encode

TYPE_CHECKING = False  # as typing has it; importing typing would cost the monitor memory
if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.models import Event

SEGMENT_BYTES = 1 << 20
KEPT_SEGMENTS = 16

_SUFFIX = ".events"
_READ_BYTES = 256 << 10


def append(
    directory: str, kind: str, action: str, id: str, name: str = "", attributes: Mapping[str, str] | None = None
) -> int:
    """Append one event, stamped now; returns the cursor just after it.

    Safe from any number of processes and threads at once. Raises StoreError when the journal cannot be written.
    """
    record = {"time": time.time(), "kind": kind, "action": action, "id": id, "name": name}
    if attributes:
        record["attributes"] = dict(attributes)
    line = encode(record).encode() + b"\n"
    try:
        with _Locked(directory):
            return _append(directory, line)
    except OSError as error:
        raise StoreError(
            f"cannot append to the event journal {directory}: {error.strerror or error}",
            hint="check that the disk is neither full nor read-only",
        ) from error


def cursor(directory: str) -> int:
    """The end of the stream now: what an EventReader with `since` set to it will see comes after this call."""
    starts = _segments(directory)
    return _end(directory, starts[-1]) if starts else 0


def history(directory: str, id: str) -> list[Event]:
    """Every kept event of one container or image, oldest first. Costs a look at each byte, but parses no others."""
    needle = encode(id).encode()
    found: list[Event] = []
    for start in _segments(directory):
        try:
            with open(_path(directory, start), "rb") as file:
                data = file.read()
        except FileNotFoundError:
            continue  # dropped between the listing and the opening
        at = data.find(needle)
        while at >= 0:
            begin, end = data.rfind(b"\n", 0, at) + 1, data.find(b"\n", at)
            if end < 0:
                break  # being written
            event = _parse(data[begin:end], start + end + 1)
            if event is not None and event.id == id:
                found.append(event)
            at = data.find(needle, end)
    return found


class EventReader:
    """Follows the stream from `since` (a cursor; None: from now; one that was dropped: from the oldest kept).

    `fileno()` is readable when `read()` may have something new. Raises StoreError when the journal cannot be watched.
    """

    def __init__(self, directory: str, since: int | None = None) -> None:
        from engine.linux.inotify import IN_CREATE, IN_MODIFY, Inotify

        self._directory = directory
        try:
            os.makedirs(directory, mode=0o700, exist_ok=True)
            self._inotify = Inotify()
        except OSError as error:
            raise _cannot_watch(directory, error) from error
        try:
            self._inotify.add(directory, IN_MODIFY | IN_CREATE)
        except OSError as error:
            self._inotify.close()
            raise _cannot_watch(directory, error) from error
        end = cursor(directory)
        # A cursor from another life of this root (it was wiped) lies beyond the end: begin now.
        self.cursor = end if since is None or since > end else max(since, 0)

    def fileno(self) -> int:
        return self._inotify.fileno()

    def read(self) -> list[Event]:
        """The events since the last call, oldest first; [] if none. Never blocks."""
        # Drain before reading: what is appended after the drain makes the descriptor readable again.
        self._inotify.drain()
        events: list[Event] = []
        while True:
            start = _segment_of(self._directory, self.cursor)
            if start is None:
                return events
            self.cursor = max(self.cursor, start)
            try:
                taken = self._read_segment(start, events)
            except FileNotFoundError:
                continue  # dropped between the listing and the opening: the next listing lacks it
            if not taken and _following(self._directory, start) is None:
                return events

    def close(self) -> None:
        self._inotify.close()

    def __enter__(self) -> EventReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read_segment(self, start: int, events: list[Event]) -> bool:
        """Read on in one segment; at its end step into the next one. False if there was nothing to take."""
        successor = _following(self._directory, start)
        fd = os.open(_path(self._directory, start), os.O_RDONLY | os.O_CLOEXEC)
        try:
            data = os.pread(fd, _READ_BYTES, self.cursor - start)
        finally:
            os.close(fd)
        whole = data.rfind(b"\n") + 1
        at = self.cursor
        for line in data[:whole].splitlines(keepends=True):
            at += len(line)
            event = _parse(line, at)
            if event is not None:
                events.append(event)
        self.cursor = at
        if not whole and successor is not None:  # a finished segment: what is left is a torn record
            self.cursor = successor
            return True
        return bool(whole)


class _Locked:
    """The writers' turn: a file lock beside the segments."""

    def __init__(self, directory: str) -> None:
        self._directory = directory

    def __enter__(self) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        path = os.path.join(self._directory, "lock")
        try:
            self._fd = os.open(path, flags, 0o600)
        except FileNotFoundError:
            os.makedirs(self._directory, mode=0o700, exist_ok=True)
            self._fd = os.open(path, flags, 0o600)
        fcntl.flock(self._fd, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)


def _append(directory: str, line: bytes) -> int:
    starts = _segments(directory)
    start = starts[-1] if starts else 0
    if starts and _end(directory, start) - start >= SEGMENT_BYTES:
        start = _end(directory, start)
        for old in starts[: len(starts) + 1 - KEPT_SEGMENTS]:
            os.unlink(_path(directory, old))
    fd = os.open(_path(directory, start), os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        size = os.fstat(fd).st_size
        if size and os.pread(fd, 1, size - 1) != b"\n":
            line = b"\n" + line  # close the record of a writer that died in the middle of it
        written = os.write(fd, line)
        if written != len(line):
            os.ftruncate(fd, size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return start + size + written
    finally:
        os.close(fd)


def _parse(line: bytes, cursor: int) -> Event | None:
    import json

    from engine.models import Event

    try:
        record = json.loads(line)
        return Event(
            time=float(record["time"]),
            kind=record["kind"],
            action=record["action"],
            id=record["id"],
            name=record.get("name", ""),
            attributes=record.get("attributes", {}),
            cursor=cursor,
        )
    except (ValueError, KeyError, TypeError):
        return None  # the torn record of a writer that was killed


def _segments(directory: str) -> list[int]:
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return []
    return sorted(int(name[: -len(_SUFFIX)]) for name in names if name.endswith(_SUFFIX))


def _segment_of(directory: str, cursor: int) -> int | None:
    """Start of the segment that holds `cursor`: the oldest one if that segment was dropped."""
    starts = _segments(directory)
    return max((start for start in starts if start <= cursor), default=starts[0] if starts else None)


def _following(directory: str, start: int) -> int | None:
    return min((other for other in _segments(directory) if other > start), default=None)


def _end(directory: str, start: int) -> int:
    return start + os.stat(_path(directory, start)).st_size


def _path(directory: str, start: int) -> str:
    return os.path.join(directory, f"{start:016d}{_SUFFIX}")


def _cannot_watch(directory: str, error: OSError) -> StoreError:
    return StoreError(
        f"cannot follow the event journal {directory}: {error.strerror or error}",
        hint="raise fs.inotify.max_user_instances and max_user_watches, or end programs that watch many files",
    )
