"""Reading a log: all of it, its end, a span of time, some streams."""

# ruff: noqa: PTH208
from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.logs import reader
from engine.logs.reader import files, read
from engine.logs.records import MAX_LINE, seconds, stamp
from engine.models import LogQuery
from engine.runtime.logfile import LogWriter

EPOCH = 1_700_000_000


def texts(directory: Path, **query) -> list[bytes]:
    return [line.text for line in read(str(directory), LogQuery(**query))]


def record(number: int, text: bytes, stream: str = "stdout", tag: str = "F") -> bytes:
    """A record stamped `number` seconds after EPOCH."""
    return stamp(EPOCH + number) + f" {stream} {tag} ".encode() + text + b"\n"


def test_lines_carry_time_stream_and_bytes(tmp_path: Path) -> None:
    before = time.time()
    writer = LogWriter(str(tmp_path))
    writer.write("stdout", b"hello \xff\x00 world\n")
    writer.write("stderr", b"no newline")
    writer.close()
    first, second = read(str(tmp_path), LogQuery())
    assert (first.stream, first.text, first.complete) == ("stdout", b"hello \xff\x00 world", True)
    assert (second.stream, second.text, second.complete) == ("stderr", b"no newline", False)
    assert before - 0.001 <= first.time <= second.time <= time.time() + 0.001
    assert first.timestamp[:19] == time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(first.time))


def test_no_log_is_no_lines(tmp_path: Path) -> None:
    assert texts(tmp_path / "nowhere") == []
    assert texts(tmp_path) == []
    assert files(str(tmp_path)) == []


@settings(deadline=None, max_examples=50)  # how busy the machine is, is not what is tested
@given(st.floats(0, 4_000_000_000))
def test_a_stamp_is_read_back_as_the_time_it_was_made_of(when: float) -> None:
    assert seconds(stamp(when)) == pytest.approx(when, abs=1e-6)


@pytest.mark.parametrize("tail", [0, 1, 5, 99, 100, 1000])
def test_tail_takes_the_last_lines_over_rotated_files(tmp_path: Path, tail: int) -> None:
    writer = LogWriter(str(tmp_path), max_size=1000, max_files=20)
    for number in range(100):
        writer.write("stdout", b"%d\n" % number)
    writer.close()
    assert len(os.listdir(tmp_path)) > 3
    assert texts(tmp_path, tail=tail) == [b"%d" % number for number in range(100)][100 - tail if tail < 100 else 0 :]


@settings(deadline=None, max_examples=50)  # how busy the machine is, is not what is tested
@given(
    st.lists(st.tuples(st.sampled_from(["stdout", "stderr"]), st.integers(0, 70_000), st.booleans()), max_size=12),
    st.integers(0, 14),
    st.sampled_from([("stdout",), ("stderr",), ("stdout", "stderr")]),
    st.booleans(),
)
def test_tail_is_the_end_of_all_even_with_long_and_interleaved_lines(
    tmp_path_factory, writes: list[tuple[str, int, bool]], tail: int, streams: tuple[str, ...], ended: bool
) -> None:
    directory = tmp_path_factory.mktemp("log")
    writer = LogWriter(str(directory), max_size=100_000, max_files=50)
    for number, (stream, length, newline) in enumerate(writes):
        writer.write(stream, bytes([97 + number]) * length + (b"\n" if newline else b""))
    if ended:
        writer.close()
    else:
        writer.flush()
    everything = texts(directory, streams=frozenset(streams))
    last = texts(directory, streams=frozenset(streams), tail=tail)
    assert last == (everything[-tail:] if tail else [])


@settings(deadline=None, max_examples=100)
@given(
    st.lists(
        st.tuples(st.sampled_from(["stdout", "stderr"]), st.integers(0, 3), st.sampled_from([0, 5, 17_000, 40_000])),
        max_size=9,
    ),
    st.sampled_from([{}, {"tail": 1}, {"tail": 2}, {"since": EPOCH}, {"until": EPOCH}, {"streams": {"stderr"}}]),
)
def test_the_text_of_a_log_is_that_of_its_lines(tmp_path_factory, writes, query: dict) -> None:
    directory = tmp_path_factory.mktemp("log")
    writer = LogWriter(str(directory), max_size=20_000, max_files=50)
    for number, (stream, lines, length) in enumerate(writes):
        writer.write(stream, (b"%d\n" % number) * lines + bytes([97 + number]) * length)
    writer.flush()
    found = {"stdout": b"", "stderr": b""}
    for stream, text in reader.texts(str(directory), LogQuery(**query)):
        found[stream] += text
    for stream, text in found.items():
        lines = [line.text for line in read(str(directory), LogQuery(**query)) if line.stream == stream]
        assert text == b"".join(line + b"\n" for line in lines)


def test_what_is_no_record_is_left_out_of_the_text_too(tmp_path: Path) -> None:
    for torn in (b"2026-01-01T00:0\n", b"x" * 30 + b" stdout F text\n"):
        (tmp_path / "container.log").write_bytes(record(1, b"one") + torn + record(2, b"two"))
        assert list(reader.texts(str(tmp_path), LogQuery())) == [("stdout", b"one\ntwo\n")]


def test_since_and_until_cut_by_time_in_any_file(tmp_path: Path) -> None:
    for name, numbers in (
        ("container.log.2", (0, 5000)),
        ("container.log.1", (5000, 9000)),
        ("container.log", (9000, 9500)),
    ):
        (tmp_path / name).write_bytes(b"".join(record(number, b"%d" % number) for number in range(*numbers)))
    for begin, end in ((0, 9500), (1, 3), (4321, 4325), (4999, 5001), (8998, 9003), (9499, 9600), (9600, 9700)):
        found = texts(tmp_path, since=EPOCH + begin, until=EPOCH + end)
        assert found == [b"%d" % number for number in range(begin, min(end, 9499) + 1)]
    assert texts(tmp_path, since=EPOCH + 9000, tail=3) == [b"9497", b"9498", b"9499"]
    assert texts(tmp_path, since=EPOCH + 9498, tail=100) == [b"9498", b"9499"]


def test_a_line_of_megabytes_is_joined_up_to_the_cap_and_nothing_of_it_is_lost(tmp_path: Path) -> None:
    writer = LogWriter(str(tmp_path))
    writer.write("stdout", b"a" * (MAX_LINE - 7) + b"\n")
    writer.write("stdout", b"b" * (MAX_LINE * 2 + 7) + b"\n")
    writer.close()
    lines = list(read(str(tmp_path), LogQuery()))
    assert lines[0].text == b"a" * (MAX_LINE - 7)
    assert all(len(line.text) <= MAX_LINE for line in lines)
    assert b"".join(line.text for line in lines[1:]) == b"b" * (MAX_LINE * 2 + 7)
    assert [line.complete for line in lines] == [True, False, False, True]


def test_pieces_of_two_streams_are_not_mixed_and_torn_records_are_stepped_over(tmp_path: Path) -> None:
    (tmp_path / "container.log").write_bytes(
        record(1, b"out-", tag="P")
        + record(2, b"err-", "stderr", "P")
        + b"2026-01-01T00:0\n\n"
        + b"garbage of another program that is longer than a header is\n"
        + record(3, b"1")
        + record(4, b"2", "stderr")
    )
    assert texts(tmp_path) == [b"out-1", b"err-2"]


def test_the_end_of_a_large_log_is_found_at_once(tmp_path: Path) -> None:
    block = b"".join(record(number % 100, b"x" * 80) for number in range(10_000))
    with open(tmp_path / "container.log", "wb") as file:
        for _ in range(50):
            file.write(block)
    before = bytes_read()
    assert len(texts(tmp_path, tail=100)) == 100
    assert bytes_read() - before < 1 << 20


def bytes_read() -> int:
    """Bytes this process has read so far: proc(5), io, rchar."""
    return int(Path("/proc/self/io").read_text().split()[1])
