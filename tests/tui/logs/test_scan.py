"""Searching a whole log, in this process and in one apart."""

# ruff: noqa: PTH208
from __future__ import annotations

import os
import random
import re
import threading
import time
from pathlib import Path

import pytest

from engine.errors import InvalidInput
from engine.logs.records import stamp
from engine.logs.sanitise import plain
from engine.runtime.logfile import LogWriter
from tui.logs.levels import inherited_level
from tui.logs.pattern import Pattern, Query
from tui.logs.scan import Scan
from tui.logs.source import LogSource

WORDS = [
    b"GET /index",
    b"Error",
    b"error",
    b"timeout",
    b"\x1b[31mred\x1b[0m",
    "grün".encode(),
    b"12",
    b"ab\xffcd",
    b"a\tb",
]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Rotated files of mixed lines, some of them long, on both streams: about 9 MB."""
    tmp_path = tmp_path_factory.mktemp("log")
    chance = random.Random(7)
    writer = LogWriter(str(tmp_path), max_size=2_000_000, max_files=20)
    for number in range(16_000):
        words = b" ".join(chance.choice(WORDS) for _ in range(chance.randrange(30)))
        head = chance.choice([b"%d ", b"\tat x (%d) ", b"Traceback (most recent call last) %d ", b"  INFO %d "])
        line = head % number + words + (b"x" * 40_000 if number % 200 == 0 else b"") + b"\n"
        writer.write(chance.choice(["stdout", "stderr"]), line)
    writer.close()
    source = LogSource(str(tmp_path))
    yield source
    source.close()


def every_line(source: LogSource):
    position = source.start
    while lines := source.lines_from(position, 1000):
        yield from lines
        position = lines[-1].end


@pytest.fixture(scope="module")
def read(source: LogSource) -> list[tuple[int, str, str, str]]:
    """Of every line: position, stream, level, characters."""
    found = []
    last: dict[bytes, str] = {}
    for line in every_line(source):
        text = plain(line.text)
        level = inherited_level(text.encode(), lambda line=line: last.get(line.stream, ""))
        last[line.stream] = level
        found.append((line.position, line.stream.decode(), level, text))
    return found


def never() -> bool:
    return False


def nothing() -> None:
    return None


@pytest.mark.parametrize("share", [0.4, 1.0])
@pytest.mark.parametrize(
    "query",
    [
        Query("timeout"),
        Query("error"),
        Query("Error"),
        Query("red 12"),
        Query("grün"),
        Query(r"er+or\b.*12$"),
        Query("stdout"),
        Query("a.b", regex=False),
        Query("error", hide=True),
        Query("", stream="stderr"),
        Query("timeout", stream="stdout"),
        Query("timeout (12|Error)"),
        Query("ab.*cd|timeout.*grün"),
        Query("r.d 12", ignore_case=True),
        Query(r"^\d+5 .*error"),
        Query("x{50}"),
        Query(r"[ae]b?\s12"),
        Query("timeout", hide=True, stream="stderr"),
        Query("12", levels="E"),
        Query("", levels="E"),
        Query("", levels="I", hide=True),
        Query("grün", levels="EI"),
    ],
    ids=str,
)
def test_a_scan_finds_what_reading_line_by_line_finds(
    source: LogSource, read: list[tuple[int, str, str, str]], query: Query, share: float
) -> None:
    flags = re.IGNORECASE if query.ignores_case else 0
    expression = re.compile(query.text if query.regex else re.escape(query.text), flags)
    expected = [
        position
        for position, stream, level, text in read
        if (not query.stream or stream == query.stream)
        and (not query.levels or level in set(query.levels))
        and (not query.text or bool(expression.search(text)) != query.hide)
    ]
    scan = Scan(Pattern(query), source.line_at(int(source.end * share)) if share < 1 else source.end)
    scan.run(source.segments, never, nothing)
    assert scan.done(source.start, source.end)
    assert list(scan.from_position(0)) == expected
    assert list(scan.before_position(source.end)) == expected[::-1]
    assert scan.count == len(expected)
    for position in random.Random(1).sample(expected, min(len(expected), 50)):
        assert next(scan.from_position(position)) == position
        assert scan.count_before(position) == expected.index(position)
        assert next(scan.before_position(position + 1)) == position
    assert sum(scan.density(source.start, source.end, 20)) == len(expected)


def test_an_expression_without_end_can_be_left(source: LogSource) -> None:
    scan = Scan(Pattern(Query(r"^(\w+\s?)*#$")), source.end)
    left = threading.Event()
    thread = threading.Thread(target=scan.run, args=(source.segments, left.is_set, nothing))
    thread.start()
    begun = time.monotonic()
    while time.monotonic() - begun < 0.5:
        time.sleep(0.01)  # this thread goes on meanwhile: the interpreter is not held
    left.set()
    thread.join(5)
    assert not thread.is_alive()


def test_a_scan_goes_on_with_what_comes(tmp_path: Path) -> None:
    writer = LogWriter(str(tmp_path))
    writer.write("stdout", b"error 1\nfine\n")
    source = LogSource(str(tmp_path))
    scan = Scan(Pattern(Query("error")), source.end)
    scan.run(source.segments, never, nothing)
    assert scan.count == 1
    writer.write("stdout", b"error 2\n")
    source.refresh()
    assert not scan.done(source.start, source.end)
    scan.run(source.segments, never, nothing)
    assert scan.count == 2
    source.close()
    writer.close()


@pytest.mark.parametrize("size", [200_000, 300_000, 1_000_000])
@pytest.mark.parametrize("origin", ["start", "middle", "end"])
@pytest.mark.parametrize("rotated", [400_000, 20_000_000])
def test_the_lines_around_a_very_long_one_are_found(tmp_path: Path, size: int, origin: str, rotated: int) -> None:
    writer = LogWriter(str(tmp_path), max_size=rotated, max_files=20)
    for number in range(20):
        writer.write("stdout", b"before %d\n" % number)
    writer.write("stdout", b"before " + b"x" * size + b"\n")
    for number in range(20):
        writer.write("stdout", b"after %d\n" % number)
    writer.close()
    source = LogSource(str(tmp_path))
    every = list(every_line(source))
    places = {"start": source.start, "middle": every[22].position, "end": source.end}
    for word in ("before", "after"):
        scan = Scan(Pattern(Query(word)), places[origin])
        scan.run(source.segments, never, nothing)
        wanted = [line.position for line in every if line.text.startswith(word.encode())]
        assert list(scan.from_position(source.start)) == wanted
    source.close()


def test_a_mistake_in_an_expression_says_what_and_where() -> None:
    with pytest.raises(
        InvalidInput, match="not a regular expression: missing \\), unterminated subpattern at character 3"
    ):
        Pattern(Query("a (b"))


def test_lines_are_the_same_from_both_ends_and_from_any_byte(source: LogSource) -> None:
    forward = list(every_line(source))
    assert sum(line.length > 40_000 for line in forward) == 80
    backward = []
    position = source.end
    while lines := source.lines_before(position, 700):
        backward = lines + backward
        position = lines[0].position
    assert backward == forward
    for line in random.Random(3).sample(forward, 100):
        assert source.line_at((line.position + line.end) // 2) == line.position
        assert source.line(line.position) == line
        assert source.lines_from(line.position, 1) == [line]


def test_a_time_is_found_by_halving(tmp_path: Path) -> None:
    (tmp_path / "container.log").write_bytes(
        b"".join(stamp(1_700_000_000 + n) + b" stdout F line %d\n" % n for n in range(50_000))
    )
    source = LogSource(str(tmp_path))
    for number in (0, 1, 25_000, 49_999):
        assert source.lines_from(source.time_position(stamp(1_700_000_000 + number)), 1)[0].text == b"line %d" % number
    assert source.time_position(stamp(1_800_000_000)) == source.end
    source.close()


def test_files_that_are_rotated_away_are_let_go(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    writer = LogWriter(str(tmp_path), max_size=1000, max_files=2)
    source = LogSource(str(tmp_path))
    for number in range(500):
        writer.write("stdout", b"%d\n" % number)
        source.refresh()
    assert len(source.segments) == 2
    assert source.lines_before(source.end, 1)[0].text == b"499"
    source.close()
    writer.close()
    assert len(os.listdir("/proc/self/fd")) == before
