"""Lines as they are put together from records, across the bounds of blocks and spans."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.logs import files
from engine.runtime.logfile import PIECE_BYTES, LogWriter
from tui.logs.source import LINE_SPAN, LogSource


@pytest.mark.parametrize("before", [LINE_SPAN - 50_000, LINE_SPAN - 3_000_000])
def test_a_long_line_across_a_span_is_one_line_from_both_ends(tmp_path: Path, before: int) -> None:
    log = LogWriter(str(tmp_path), max_size=0)
    while (tmp_path / "container.log").stat().st_size < before:
        log.write("stdout", b"x" * 9_959 + b"\n")
    log.write("stdout", b"y" * 5_000_000 + b"\nafter\n")
    source = LogSource(str(tmp_path))
    last, after = source.lines_before(source.end, 2)
    assert (last.length, after.text) == (5_000_000, b"after")
    assert last.position < LINE_SPAN < last.end
    assert source.lines_from(last.position, 1) == [last]
    assert source.line_at(LINE_SPAN) == source.line_at(LINE_SPAN + 1_000_000) == last.position
    source.close()
    log.close()


def test_a_line_without_end_is_cut_at_the_same_places_from_both_ends(tmp_path: Path) -> None:
    log = LogWriter(str(tmp_path), max_size=0)
    log.write("stdout", b"before\n")
    for _ in range(50):
        log.write("stdout", b"z" * (1 << 20))
    log.write("stdout", b"\nafter\n")
    source = LogSource(str(tmp_path))
    forward = source.lines_from(source.start, 100)
    assert source.lines_before(source.end, 100) == forward
    assert sum(line.length for line in forward) == (50 << 20) + len("beforeafter")
    assert max(line.end - line.position for line in forward) < 2 * LINE_SPAN + PIECE_BYTES
    assert 5 <= len(forward) <= 8
    source.close()
    log.close()


def test_a_time_is_looked_for_in_a_thread_although_the_source_is_closed_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = LogWriter(str(tmp_path))
    log.write("stdout", b"one\ntwo\n")
    log.close()
    source = LogSource(str(tmp_path))
    since = files.since

    def closed_meanwhile(fds: list[int], stamp: bytes) -> tuple[int, int]:
        found = since(fds, stamp)
        source.close()
        return found

    monkeypatch.setattr(files, "since", closed_meanwhile)
    assert source.time_position(b"2000") == source.end
