"""The log of a container as the monitor writes it: CRI lines in files that are rotated by size.

A record is `<RFC 3339 time with nanoseconds>Z <stdout|stderr> <tag> <text>\\n`. Tag `P`: a piece, the line goes on in
the next record of that stream. `F`: the line is over. `F:e`: the stream ended here without a newline.
Source: kubernetes, design proposal "CRI logging"; tags after a colon are its own means of extension.
The current file is `container.log`; `container.log.1` is the newest of the rotated ones.
Imported by the monitor: keep it light.
"""

from __future__ import annotations

import errno
import os
import time

FILE_NAME = "container.log"
MAX_SIZE = 20 << 20  # bytes a file, by default
MAX_FILES = 5  # the current one included, by default
PIECE_BYTES = 16 << 10  # longest text of one record, as containerd and Docker cut it


class LogWriter:
    """Appends what a container writes. Never raises and never blocks on a reader: a container must not die of its log.

    When the disk is full, what cannot be written is counted in `lost_bytes`; a record tells so once there is room.

    :param max_size: bytes after which a file is rotated; 0 for no limit.
    :param max_files: how many files are kept, the current one included.

    Raises (from the constructor only) OSError when the directory or file cannot be made.
    """

    def __init__(self, directory: str, max_size: int = MAX_SIZE, max_files: int = MAX_FILES) -> None:
        self._directory = directory
        self._path = os.path.join(directory, FILE_NAME)
        self._max_size = max_size
        self._max_files = max(max_files, 1)
        self._pending: dict[str, bytes] = {}  # text after the last newline, not yet written
        self._open_line: dict[str, bool] = {}  # the last record of the stream is a piece
        self._second = -1
        self._second_text = ""
        self._unreported = 0
        self.lost_bytes = 0
        os.makedirs(directory, mode=0o700, exist_ok=True)
        self._fd = -1
        self._size = 0
        self._open()

    def write(self, stream: str, data: bytes) -> None:
        """Append what was read from `stream` ("stdout" or "stderr"): whole lines at once, in one write(2).

        Text after the last newline waits for the rest of its line, for `flush()`, or for PIECE_BYTES of it.
        """
        pending = self._pending.pop(stream, b"")
        if pending:
            data = pending + data
        whole = data.rfind(b"\n") + 1
        head = self._head(stream)
        records = b""
        if whole:
            records = _records(data[:whole] if whole < len(data) else data, head)
            self._open_line[stream] = False
        rest = data[whole:]
        if len(rest) >= PIECE_BYTES:
            cut = len(rest) - len(rest) % PIECE_BYTES
            records += b"".join(_pieces(rest[:cut], head))
            rest = rest[cut:]
            self._open_line[stream] = True
        if rest:
            self._pending[stream] = rest
        if records:
            self._append(records)

    def flush(self) -> None:
        """Write lines that are not over yet as pieces: a prompt, a progress bar. For when a stream has paused."""
        for stream, text in self._pending.items():
            self._append(self._head(stream) + b"P " + text + b"\n")
            self._open_line[stream] = True
        self._pending.clear()

    def end_streams(self) -> None:
        """The container's run is over: close lines that have no newline, so that the next run starts a new one."""
        for stream in sorted(self._pending.keys() | self._open_line.keys()):
            text = self._pending.pop(stream, b"")
            if text or self._open_line.get(stream):
                self._append(self._head(stream) + b"F:e " + text + b"\n")
            self._open_line[stream] = False

    def close(self) -> None:
        """Flush as `end_streams` does and close the file."""
        self.end_streams()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _head(self, stream: str) -> bytes:
        now = time.time_ns()
        second, nanoseconds = divmod(now, 1_000_000_000)
        if second != self._second:
            self._second = second
            self._second_text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._second_text}.{nanoseconds:09d}Z {stream} ".encode()

    def _append(self, records: bytes) -> None:
        try:
            if self._fd < 0:
                self._open()
            if self._unreported:
                notice = f"F pilothouse: {self._unreported} bytes of log were lost: no room on the disk\n".encode()
                self._write(self._head("stderr") + notice)
                self._unreported = 0
            if self._max_size > 0 and self._size and self._size + len(records) > self._max_size:
                self._rotate()
            self._write(records)
        except OSError:
            # The container goes on whatever happens to its log; the loss is told when writing works again.
            self.lost_bytes += len(records)
            self._unreported += len(records)

    def _write(self, records: bytes) -> None:
        written = os.write(self._fd, records)
        if written < len(records):
            os.ftruncate(self._fd, self._size)  # no torn record
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._size += written

    def _open(self) -> None:
        self._fd = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._size = os.fstat(self._fd).st_size
        if self._size and os.pread(self._fd, 1, self._size - 1) != b"\n":
            self._write(b"\n")  # a monitor was killed in the middle of a record

    def _rotate(self) -> None:
        """container.log -> .1 -> .2 ...; from the oldest on, so that at every instant the names tell the order."""
        os.close(self._fd)
        self._fd = -1
        last = self._max_files - 1
        if last == 0:
            os.unlink(self._path)
        for number in range(last - 1, -1, -1):
            source = f"{self._path}.{number}" if number else self._path
            try:
                os.rename(source, f"{self._path}.{number + 1}")
            except FileNotFoundError:
                continue  # fewer files than allowed so far
        self._open()


def _records(lines: bytes, head: bytes) -> bytes:
    """Records for text that ends in a newline."""
    full = head + b"F "
    if _has_long_line(lines):
        return b"".join(_record(line, head, full) for line in lines[:-1].split(b"\n"))
    # One pass in C for the whole batch: this is what makes 100,000 lines a second cheap.
    return full + lines[:-1].replace(b"\n", b"\n" + full) + b"\n"


def _record(line: bytes, head: bytes, full: bytes) -> bytes:
    if len(line) <= PIECE_BYTES:
        return full + line + b"\n"
    cut = (len(line) - 1) // PIECE_BYTES * PIECE_BYTES
    return b"".join(_pieces(line[:cut], head)) + full + line[cut:] + b"\n"


def _pieces(text: bytes, head: bytes) -> list[bytes]:
    return [head + b"P " + text[at : at + PIECE_BYTES] + b"\n" for at in range(0, len(text), PIECE_BYTES)]


def _has_long_line(lines: bytes) -> bool:
    at = 0
    while len(lines) - at > PIECE_BYTES + 1:
        newline = lines.rfind(b"\n", at, at + PIECE_BYTES + 1)
        if newline < 0:
            return True
        at = newline + 1
    return False
