"""Completion in a real shell, and what is offered where."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from engine.cli.complete import FILE_NAMES, candidates
from engine.cli.verbs import ALL
from tests.conftest import environment


def offered(*typed: str) -> list[str]:
    return [name for name, _ in candidates(typed)]


def test_verbs_flags_and_values_are_offered_where_they_belong():
    assert set(ALL) <= set(offered(""))
    assert offered("resta") == ["restart"]
    assert offered("container", "unpa") == ["unpause"]
    assert offered("run", "--re") == ["--read-only", "--restart"]
    assert offered("run", "--restart", "on") == ["on-failure"]
    assert offered("run", "--network=h") == ["--network=host"]
    assert offered("run", "--cap-add", "net_a") == ["NET_ADMIN"]
    assert offered("run", "-itv", "") == [FILE_NAMES]
    assert offered("run", "busybox", "") == [FILE_NAMES]
    assert offered("completion", "z") == ["zsh"]
    assert offered("rename", "a", "b", "") == []
    assert offered("nonsense", "") == []


def test_bash_completes_verbs_and_the_part_of_a_name_behind_its_colon(settings, image, pilothouse, tmp_path):
    program = tmp_path / "ph"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m engine.cli.main "$@"\n')
    program.chmod(0o755)
    (tmp_path / "script").write_bytes(pilothouse("completion", "bash").stdout)
    shell = """
        source "$1/script"
        try() {
            COMP_LINE=$1; COMP_POINT=${#1}; COMP_CWORD=$2; shift 2
            COMP_WORDS=("$@"); _pilothouse; echo "${COMPREPLY[*]}"
        }
        try "ph unpa" 1 ph unpa
        try "ph run localhost/small:" 4 ph run localhost/small : ""
        cd "$1"; try "ph run --env-file scr" 3 ph run --env-file scr
    """
    ended = subprocess.run(
        ["bash", "-c", shell, "bash", str(tmp_path)],
        capture_output=True,
        env={**environment(settings), "PATH": f"{tmp_path}:/usr/bin:/bin"},
    )
    assert (ended.stdout.decode(), ended.stderr) == ("unpause\n1\nscript\n", b"")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_there_is_a_script_for_each_shell_and_it_parses_where_the_shell_is_there(shell, pilothouse, tmp_path):
    script = pilothouse("completion", shell).stdout
    assert b"__complete " + shell.encode() in script
    if shutil.which(shell):
        path = tmp_path / "script"
        path.write_bytes(script)
        assert subprocess.run([shell, "-n", str(path)], capture_output=True).returncode == 0
    assert pilothouse("completion", "csh").returncode == 1
