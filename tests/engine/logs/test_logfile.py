"""The log as the monitor writes it."""

# ruff: noqa: PTH208
from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.runtime.logfile import PIECE_BYTES, LogWriter

RECORD = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z (stdout|stderr) (P|F|F:e) (.*)", re.DOTALL)


def records(directory: Path, name: str = "container.log") -> list[tuple[bytes, bytes, bytes]]:
    found = []
    for line in (directory / name).read_bytes().split(b"\n")[:-1]:
        match = RECORD.fullmatch(line)
        assert match, line
        found.append((match[1], match[2], match[3]))
    return found


def test_every_line_gets_time_stream_and_tag(tmp_path: Path) -> None:
    writer = LogWriter(str(tmp_path))
    writer.write("stdout", b"one\ntwo\n\nthr")
    writer.write("stderr", b"oops\n")
    writer.write("stdout", b"ee\nfour")
    writer.close()
    assert records(tmp_path) == [
        (b"stdout", b"F", b"one"),
        (b"stdout", b"F", b"two"),
        (b"stdout", b"F", b""),
        (b"stderr", b"F", b"oops"),
        (b"stdout", b"F", b"three"),
        (b"stdout", b"F:e", b"four"),
    ]


def test_a_flushed_prompt_is_a_piece_and_its_line_goes_on(tmp_path: Path) -> None:
    writer = LogWriter(str(tmp_path))
    writer.write("stdout", b"name? ")
    writer.flush()
    writer.write("stdout", b"ok\nbye? ")
    writer.flush()
    writer.close()
    assert [(tag, text) for _, tag, text in records(tmp_path)] == [
        (b"P", b"name? "),
        (b"F", b"ok"),
        (b"P", b"bye? "),
        (b"F:e", b""),
    ]


@settings(deadline=None, max_examples=50)  # how busy the machine is, is not what is tested
@given(st.lists(st.tuples(st.integers(0, 40_000), st.booleans()), max_size=8), st.integers(1, 70_000))
def test_lines_of_any_length_in_chunks_of_any_size_come_out_whole(
    tmp_path_factory, lines: list[tuple[int, bool]], chunk: int
) -> None:
    directory = tmp_path_factory.mktemp("log")
    data = b"".join(
        bytes([97 + number % 26]) * length + (b"\n" if ended else b"") for number, (length, ended) in enumerate(lines)
    )
    writer = LogWriter(str(directory))
    for at in range(0, len(data), chunk):
        writer.write("stdout", data[at : at + chunk])
    writer.close()
    found = records(directory)
    assert b"".join(text + (b"\n" if tag == b"F" else b"") for _, tag, text in found) == data
    assert all(len(text) <= PIECE_BYTES for _, _, text in found)


def test_rotation_keeps_the_newest_files_within_the_limit_and_loses_nothing_in_them(tmp_path: Path) -> None:
    writer = LogWriter(str(tmp_path), max_size=10_000, max_files=3)
    for number in range(1000):
        writer.write("stdout", b"line %d\n" % number)
    writer.close()
    assert sorted(os.listdir(tmp_path)) == ["container.log", "container.log.1", "container.log.2"]
    assert all((tmp_path / name).stat().st_size <= 10_000 for name in os.listdir(tmp_path))
    texts = [
        text
        for name in ("container.log.2", "container.log.1", "container.log")
        for _, _, text in records(tmp_path, name)
    ]
    first = int(texts[0].split()[1])
    assert texts == [b"line %d" % number for number in range(first, 1000)]


def test_a_single_file_is_begun_anew(tmp_path: Path) -> None:
    writer = LogWriter(str(tmp_path), max_size=1000, max_files=1)
    for number in range(100):
        writer.write("stdout", b"line %d\n" % number)
    writer.close()
    assert os.listdir(tmp_path) == ["container.log"]
    assert records(tmp_path)[-1][2] == b"line 99"


def test_a_writer_goes_on_where_a_killed_one_left_a_torn_record(tmp_path: Path) -> None:
    (tmp_path / "container.log").write_bytes(b"2026-01-01T00:00:00.000000000Z stdout F torn")
    writer = LogWriter(str(tmp_path))
    writer.write("stdout", b"next\n")
    writer.close()
    assert [text for _, _, text in records(tmp_path)] == [b"torn", b"next"]


def test_a_full_disk_loses_lines_but_not_the_container_and_says_so_afterwards(tmp_path: Path) -> None:
    # A file size limit makes write(2) stop short and then fail, as a full disk does; it binds a process, hence a child.
    program = (
        "import resource, signal, sys\nfrom engine.runtime.logfile import LogWriter\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"writer = LogWriter({str(tmp_path)!r})\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, resource.RLIM_INFINITY))\n"
        "for number in range(200): writer.write('stdout', b'line %d\\n' % number)\n"
        "lost = writer.lost_bytes\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))\n"
        "writer.write('stdout', b'room again\\n'); writer.close(); print(lost)"
    )
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3]
    )
    assert int(done.stdout) > 0
    found = records(tmp_path)
    assert found[-2][0] == b"stderr"
    assert re.fullmatch(rb"pilothouse: \d+ bytes of log were lost: no room on the disk", found[-2][2])
    assert found[-1][2] == b"room again"
