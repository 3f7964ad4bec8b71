"""`load` and `save` from the command line: Docker's words and exit codes, pipes, files, terminals."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys

from engine.cli.complete import FILE_NAMES, candidates
from tests.conftest import SMALL, environment
from tests.engine.cli.test_terminal import Terminal


def test_an_image_goes_through_a_pipe_into_another_store_and_runs_there(pilothouse, image):
    saved = pilothouse("save", SMALL)
    assert (saved.returncode, saved.stderr) == (0, b"")
    assert pilothouse("rmi", SMALL).returncode == 0
    loaded = pilothouse("load", "-q", input=gzip.compress(saved.stdout, 1))
    assert (loaded.stdout.decode(), loaded.stderr, loaded.returncode) == (f"Loaded image: {SMALL}\n", b"", 0)
    ran = pilothouse("run", "--rm", SMALL, "echo", "from an archive")
    assert ran.stdout == b"from an archive\n"


def test_files_are_written_and_read_and_the_noun_has_both_verbs(pilothouse, image, tmp_path):
    file = str(tmp_path / "it.tar")
    assert pilothouse("image", "save", image.id[7:19], "--output", file).stdout == b""
    first = pilothouse("image", "load", "--input", file).stdout.decode()
    assert first.startswith("Loaded image ID: sha256:")
    assert pilothouse("save", "-o", file, SMALL).returncode == 0
    assert pilothouse("load", "-i", file).stdout.decode() == (
        f"The image {SMALL} already exists, renaming the old one with ID {image.id} to empty string\n"
        f"Loaded image: {SMALL}\n"
    )
    assert pilothouse("load", "-i", file).stdout.decode() == f"Loaded image: {SMALL}\n"


def test_failures_are_one_sentence_and_end_with_1(pilothouse, settings, image):
    def failed(*words: str, input: bytes = b"") -> str:
        ended = pilothouse(*words, input=input)
        assert (ended.returncode, ended.stdout) == (1, b"")
        return ended.stderr.decode().splitlines()[0]

    assert failed("load", "-i", "/nowhere") == "Error: open /nowhere: no such file or directory"
    assert failed("load") == "Error: the archive is empty"
    assert failed("load", input=b"no tar " * 1000).startswith("Error: this is no image archive")
    assert failed("save", "nosuch") == "Error: No such image: nosuch:latest"
    assert failed("save", "-o", "/nowhere/x", SMALL).startswith("Error: failed to save image: invalid output path")
    assert failed("save") == '"pilothouse save" requires at least 1 argument.'
    with open("/dev/full", "wb") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "engine.cli.main", "save", SMALL],
            stdout=full,
            stderr=subprocess.PIPE,
            env=environment(settings),
        )
    assert (ended.returncode, ended.stderr.splitlines()[0]) == (
        1,
        b"Error: cannot write the archive: No space left on device",
    )


def test_a_terminal_is_neither_read_from_nor_written_to(settings, image):
    reading = Terminal(settings, "load")
    reading.until(b"requested load from stdin, but stdin is empty")
    assert reading.end() == 1
    writing = Terminal(settings, "save", SMALL)
    writing.until(b"cowardly refusing to save to a terminal. Use the -o flag or redirect")
    assert writing.end() == 1


def test_at_a_terminal_it_is_told_how_far_it_is_unless_quiet(settings, pilothouse, image, tmp_path):
    file = str(tmp_path / "it.tar")
    pilothouse("save", "-o", file, SMALL)
    watched = Terminal(settings, "load", "-i", file)
    watched.until(b"Loading it.tar")
    watched.until(b"Loaded image: " + SMALL.encode())
    assert watched.end() == 0
    quiet = Terminal(settings, "load", "-q", "-i", file)
    assert quiet.until(b"\n") == f"Loaded image: {SMALL}\r\n".encode()
    assert quiet.end() == 0


def test_a_reader_that_goes_away_ends_it_as_it_ends_others(settings, image):
    read, write = os.pipe()
    os.close(read)
    ended = subprocess.run(
        [sys.executable, "-m", "engine.cli.main", "save", SMALL],
        stdout=write,
        stderr=subprocess.PIPE,
        env=environment(settings),
    )
    os.close(write)
    assert (ended.returncode, ended.stderr) == (141, b"")


def test_names_of_images_and_files_are_offered(settings, image, monkeypatch):
    for name, value in environment(settings).items():
        monkeypatch.setenv(name, value)
    assert candidates(["save", "localhost/sm"])[0][0] == SMALL
    assert candidates(["save", "-o", ""]) == candidates(["load", "-i", ""]) == [(FILE_NAMES, "")]
    assert candidates(["load", ""]) == []
    assert [name for name, _ in candidates(["image", "s"])] == ["save"]
