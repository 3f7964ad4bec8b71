"""A log of a gigabyte in ten million lines, written by the engine's own writer, for the log viewer's benchmarks."""

from __future__ import annotations

import os
from pathlib import Path

from engine.runtime.logfile import FILE_NAME, LogWriter

LINES = int(os.environ.get("BENCH_LINES", "10000000"))
_BATCH = 1000  # lines a write
_TEXT = 59  # bytes a line: with its header and newline a record has 100


def big_log(directory: Path) -> Path:
    """The file; made once and kept, as writing it costs longer than most measurements of it."""
    file = directory / FILE_NAME
    if file.exists() and file.stat().st_size == LINES * (_TEXT + 41):
        return file
    file.unlink(missing_ok=True)
    writer = LogWriter(str(directory), max_size=0)
    for batch in range(0, LINES, _BATCH):
        writer.write("stdout", b"".join(_line(number) for number in range(batch, batch + _BATCH)))
    writer.close()
    return file


def _line(number: int) -> bytes:
    """One in 1,000 lines is an error, one in 100,000 a time-out of the pool, one in ten a request of /api."""
    if number % 100_000 == 77:
        text = b"ERROR pool timeout after %d ms waiting" % (number % 9000)
    elif number % 1000 == 7:
        text = b"ERROR cannot open /var/lib/app/%d" % number
    elif number % 10 == 3:
        text = b"INFO GET /api/items?page=%d 200 %dms" % (number % 977, number % 311)
    else:
        text = b"DEBUG step %d of the loop is over, nothing to do" % number
    return text.ljust(_TEXT)[:_TEXT] + b"\n"
