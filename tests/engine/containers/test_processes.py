"""docker top, and signals to single processes, on a container with several."""

from __future__ import annotations

import shutil

import pytest

from engine.errors import Conflict, InvalidInput, NotFound
from engine.frozen import replace
from engine.models import RunOptions

SMALL = "localhost/small:1"


@pytest.fixture
async def family(engine, image):
    """A shell with two children."""
    command = ("sh", "-c", "sleep 1001 & sleep 1002 & wait; wait")
    await engine.run(RunOptions(SMALL, command, name="family", detach=True))
    # each is a copy of the shell until it executes its program, and for a moment then without words
    while [process.command[:1] for process in await engine.top("family")] != [("sh",), ("sleep",), ("sleep",)]:
        continue


async def test_every_process_is_listed_with_its_parent_and_its_words(engine, family):
    shell, *children = await engine.top("family")
    assert (shell.inner_pid, shell.user, shell.terminal) == (1, "root", "?")
    assert shell.pid == (await engine.container("family")).pid
    assert {child.command for child in children} == {("sleep", "1001"), ("sleep", "1002")}
    assert all(child.parent == shell.pid and child.memory > 0 for child in children)


async def test_a_signal_reaches_one_process_and_no_other(engine, family):
    first = next(process for process in await engine.top("family") if process.command == ("sleep", "1001"))
    with pytest.raises(NotFound):
        await engine.signal_process("family", replace(first, start_ticks=first.start_ticks - 1), "SIGKILL")
    with pytest.raises(NotFound):
        await engine.signal_process("family", replace(first, pid=1), "SIGKILL")
    with pytest.raises(InvalidInput):
        await engine.signal_process("family", first, "SIGNONSENSE")
    await engine.signal_process("family", first, "SIGKILL")
    while any(process.pid == first.pid for process in await engine.top("family")):  # as a zombie for a while
        continue
    assert [process.command[-1] for process in await engine.top("family")][1:] == ["1002"]


async def test_one_that_does_not_run_has_none(engine, family):
    await engine.stop("family", grace=0)
    with pytest.raises(Conflict):
        await engine.top("family")


def test_top_and_diff_print_what_dockers_do(pilothouse, image):
    assert pilothouse("run", "-d", "--name", "box", SMALL, "sh", "-c", "echo > /made; sleep 60").returncode == 0
    while not (found := pilothouse("diff", "box").stdout):
        continue
    assert found == b"A /made\n"
    while not (lines := pilothouse("top", "box").stdout.decode().splitlines())[-1].endswith("sleep 60"):
        continue  # the child has not executed yet
    heading, row, *_ = lines
    assert heading.split() == ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]
    assert row.split()[0] == "root"
    assert "sh -c echo > /made; sleep 60" in row
    if shutil.which("ps"):
        heading, row, *_ = pilothouse("top", "box", "-o", "pid,comm").stdout.decode().splitlines()
        assert (heading.split(), row.split()[1]) == (["PID", "COMMAND"], "sh")
        assert b"Couldn't find PID field" in pilothouse("top", "box", "-o", "comm").stderr
    else:  # a bare machine: its options are ps's, so they need one
        assert b"there is no ps on this machine" in pilothouse("top", "box", "-o", "pid,comm").stderr
    assert pilothouse("rm", "-f", "box").returncode == 0
