"""CRI log records, as engine.runtime.logfile writes them, decoded into lines."""

from __future__ import annotations

from collections.abc import Container

from engine.models import LogLine

MAX_LINE = 1 << 20  # bytes of one line held in memory; a longer one is handed on in parts

STAMP_BYTES = 30  # 2026-01-31T12:00:00.123456789Z
TEXT_AT = 40  # where the text of a record with a one-letter tag begins
_STREAMS = {b"stdout": "stdout", b"stderr": "stderr"}


def stamp(when: float) -> bytes:
    """A time in seconds since the epoch as records spell it; stamps order as their bytes do."""
    return stamp_of(int(when * 1e9))


def stamp_of(nanoseconds: int) -> bytes:
    """A time in nanoseconds since the epoch as records spell it."""
    import time

    second, rest = divmod(nanoseconds, 1_000_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(second))}.{rest:09d}Z".encode()


def nanoseconds(stamp: bytes) -> int:
    """Nanoseconds since the epoch of a stamp; 0 if it is none."""
    fraction = stamp[20:29]
    return _whole_seconds(stamp[:19]) * 1_000_000_000 + int(fraction) if fraction.isdigit() else 0


def is_record(record: bytes) -> bool:
    """False for what a crash tore or another program wrote."""
    return (
        record[30:31] == b" " and record[31:37] in _STREAMS and record[38:39] in (b"F", b"P") and record[19:20] == b"."
    )


def seconds(stamp: bytes) -> float:
    """Seconds since the epoch of a stamp."""
    return _whole_seconds(stamp[:19]) + int(stamp[20:29]) / 1e9


class Decoder:
    """Turns records into lines, joining the pieces of long ones; keeps those from `since` on, up to `until`.

    :param skip: how many lines to leave out at the beginning.
    """

    def __init__(
        self,
        streams: Container[str] = frozenset(("stdout", "stderr")),
        *,
        since: bytes = b"",
        until: bytes = b"",
        skip: int = 0,
    ) -> None:
        self.over = False  # a record after `until` was met: nothing that follows is wanted
        self._streams = streams
        self._since = since
        self._until = until
        self._skip = skip
        self._pieces: dict[str, list[bytes]] = {}
        self._begun: dict[str, bytes] = {}  # stamp of the first piece
        self._second = b""
        self._second_value = 0

    def feed(self, data: bytes) -> list[LogLine]:
        """The lines that end in `data`, which consists of whole records."""
        lines: list[LogLine] = []
        for record in data.split(b"\n"):
            stream = _STREAMS.get(record[31:37])
            if stream is None or stream not in self._streams or not is_record(record):
                continue
            begun = record[:STAMP_BYTES]
            if self._until and begun > self._until:
                self.over = True
                break
            if record[38:TEXT_AT] == b"F " and stream not in self._pieces:
                self._emit(lines, begun, stream, record[TEXT_AT:], True)
            else:
                self._piece(lines, record, begun, stream)
        return lines

    def plain(self, data: bytes) -> tuple[str, bytes] | None:
        """(stream, text with newlines) of whole records that are nothing but whole lines of one wanted stream.

        None if they are not, or lines are to be left out: `feed` them, which takes four times as long.
        """
        stream = _STREAMS.get(data[31:37])
        if stream is None or stream not in self._streams or self._pieces or self._skip or self._since or self._until:
            return None
        head = b" %b F " % data[31:37]
        records = data.split(b"\n")
        texts = [
            record[TEXT_AT:] for record in records if record[STAMP_BYTES:TEXT_AT] == head and record[19:20] == b"."
        ]
        if len(texts) != len(records) - 1:
            return None
        texts.append(b"")
        return stream, b"\n".join(texts)

    def finish(self) -> list[LogLine]:
        """The lines whose end was never written; for when nothing more will come."""
        lines: list[LogLine] = []
        for stream in sorted(self._pieces):
            self._emit(lines, self._begun[stream], stream, b"".join(self._pieces[stream]), False)
        self._pieces.clear()
        return lines

    def _piece(self, lines: list[LogLine], record: bytes, begun: bytes, stream: str) -> None:
        tag, _, text = record[38:].partition(b" ")
        pieces = self._pieces.setdefault(stream, [])
        if not pieces:
            self._begun[stream] = begun
        pieces.append(text)
        ended = tag.startswith(b"F")
        if ended or sum(map(len, pieces)) >= MAX_LINE:
            del self._pieces[stream]
            self._emit(lines, self._begun[stream], stream, b"".join(pieces), tag == b"F")

    def _emit(self, lines: list[LogLine], begun: bytes, stream: str, text: bytes, complete: bool) -> None:
        if begun < self._since:
            return
        if self._skip:
            self._skip -= 1
            return
        if begun[:19] != self._second:
            self._second = begun[:19]
            self._second_value = _whole_seconds(self._second)
        try:
            when = self._second_value + int(begun[20:29]) / 1e9
        except ValueError:
            return
        lines.append(LogLine(when, stream, text, begun.decode("ascii", "replace"), complete))


def _whole_seconds(text: bytes) -> int:
    """2026-01-31T12:00:00 -> seconds since the epoch; 0 if it is not a time. (The calendar module costs an import.)"""
    try:
        year, month, day = int(text[0:4]), int(text[5:7]), int(text[8:10])
        hour, minute, second = int(text[11:13]), int(text[14:16]), int(text[17:19])
    except ValueError:
        return 0
    # Days of the proleptic Gregorian calendar, with years that begin in March so that the leap day comes last.
    if month <= 2:
        year, month = year - 1, month + 12
    days = 365 * year + year // 4 - year // 100 + year // 400 + (153 * (month - 3) + 2) // 5 + day - 719_469
    return days * 86_400 + hour * 3600 + minute * 60 + second
