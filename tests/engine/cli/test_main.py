"""The program as a whole: help, refusals, exit codes, and what it does not import."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from engine.cli.verbs import ALL, MANAGED, NOUNS
from engine.errors import StoreError

HEAVY = ("asyncio", "rich", "aiohttp", "pyroute2", "textual", "argparse", "psutil")
SPARED = ("typing", "dataclasses", "threading", "shutil")  # two milliseconds or more each


def test_every_verb_has_a_module_that_says_what_it_takes():
    for verb, (name, line) in ALL.items():
        module = import_module(name)
        assert (module.COMMAND.name, callable(module.run)) == (verb, True)
        assert module.COMMAND.description.split()[0] == line.split()[0]


def test_no_two_flags_of_a_verb_share_a_name_or_a_letter():
    for name, _ in ALL.values():
        flags = import_module(name).COMMAND.flags
        names = [flag.name for flag in flags] + [flag.short for flag in flags if flag.short]
        assert len(names) == len(set(names)), name


def test_the_aliases_of_docker_lead_to_verbs():
    assert {verb for verbs in NOUNS.values() for verb in verbs.values()} <= set(ALL) | set(MANAGED)


def test_help_lists_every_verb_and_every_flag(pilothouse):
    listed = pilothouse("--help").stdout.decode()
    assert all(f"  {verb} " in listed for verb in ALL)
    text = pilothouse("run", "--help").stdout.decode()
    assert text.startswith("Usage:  pilothouse run [OPTIONS] IMAGE [COMMAND] [ARG...]")
    assert "-v, --volume list" in text
    assert "container ls" not in text
    assert b"ls  " in pilothouse("container", "--help").stdout


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["run", "--foo", "x"], 125, "unknown flag: --foo\nSee 'pilothouse run --help'.\n"),
        (["run", "-m", "x", "y"], 125, 'invalid argument "x" for "-m, --memory" flag: invalid size: \'x\''),
        (["run", "-p", "x", "y"], 125, "pilothouse: invalid containerPort: x\nSee 'pilothouse run --help'.\n"),
        (["run"], 1, "\"pilothouse run\" requires at least 1 argument.\nSee 'pilothouse run --help'.\n\nUsage:"),
        (["imgaes"], 1, "pilothouse: 'imgaes' is not a pilothouse command. Did you mean 'images'?"),
        (["ps", "--filter", "x=y"], 1, "Error: Invalid filter 'x'"),
        (["ps", "--format", "{{.Foo"], 1, "template parsing error"),
        (["stop", "nope"], 1, "Error: No such container: nope"),
        (["start", "nope"], 1, "Error: No such container: nope"),
        (["rm", "nope"], 1, "Error: No such container: nope"),
        (["rm", "-f", "nope"], 0, "Error: No such container: nope"),
        (["logs", "nope"], 1, "Error: No such container: nope"),
        (["exec", "nope", "ls"], 1, "Error: No such container: nope"),
        (["inspect", "nope"], 1, "Error: No such object: nope"),
        (["rmi", "nope"], 1, "Error: No such image: nope:latest"),
        (["run", "--pull", "never", "nope"], 125, "pilothouse: No such image: nope:latest"),
        (["run", "BAD"], 125, "repository name must be lowercase"),
        (["run", "-it", "x"], 1, "the input device is not a TTY"),
        (["login"], 1, "Cannot perform an interactive login from a non TTY device"),
    ],
)
def test_bad_input_gets_a_sentence_and_the_exit_code_of_docker(pilothouse, words, code, text):
    ended = pilothouse(*words)
    assert text in ended.stderr.decode()
    assert ended.returncode == code
    assert b"Traceback" not in ended.stderr


def imported(words: list[str], settings) -> set[str]:
    """The modules a command has imported when it is done."""
    code = (
        "import sys, json; from engine.cli.main import main; code = main(sys.argv[1:]);"
        " print('\\n' + json.dumps(sorted(sys.modules)))"
    )
    environment = {
        **os.environ,
        "PILOTHOUSE_ROOT": str(settings.root),
        "PILOTHOUSE_RUN": str(settings.run),
        "PYTHONPATH": str(Path(__file__).parents[3]),
    }
    ended = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, env=environment, check=True)
    return set(json.loads(ended.stdout.splitlines()[-1]))


@pytest.mark.parametrize("words", [["--version"], ["ps", "-a"], ["images"], ["--help"], ["stop", "nope"]])
def test_the_quick_commands_import_nothing_heavy(words, settings):
    spared = () if words == ["--help"] else SPARED  # help imports every command
    assert not imported(words, settings) & {*HEAVY, *spared}


def test_a_run_imports_nothing_heavy_once_the_bridge_is_there(image, settings):
    command = ["run", "--rm", image.references[0], "true"]
    imported(command, settings)
    assert not imported(command, settings) & {*HEAVY, *SPARED}


def test_the_version_costs_next_to_no_imports(settings):
    loaded = imported(["--version"], settings)
    assert not {name for name in loaded if name.startswith("engine.")} - {
        "engine.cli",
        "engine.cli.flags",
        "engine.cli.main",
        "engine.cli.verbs",
        "engine.errors",
    }


def test_a_reader_that_goes_away_is_no_error(settings):
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    command = f"{sys.executable} -m engine.cli.main run --help | head -0; echo ${{PIPESTATUS[0]}}"
    ended = subprocess.run(["bash", "-c", command], capture_output=True, env=environment)
    assert (ended.stderr, ended.stdout.strip()) in ((b"", b"141"), (b"", b"0"))


def test_what_nobody_foresaw_is_one_sentence_and_a_report(monkeypatch, capsys, tmp_path):
    from engine.cli import main, verbs

    module = type(sys)("broken")
    module.COMMAND = import_module("engine.cli.commands.version").COMMAND
    module.run = lambda args: {}["secret"]
    monkeypatch.setitem(sys.modules, "broken", module)
    monkeypatch.setitem(verbs.ALL, "version", ("broken", ""))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    assert main.main(["version"]) == 1
    said = capsys.readouterr().err
    (report,) = tmp_path.iterdir()
    assert said.startswith("pilothouse: something unexpected went wrong (KeyError: 'secret')")
    assert str(report) in said
    assert "Traceback" not in said
    assert "Traceback" in report.read_text()
    assert report.stat().st_mode & 0o077 == 0


def test_an_interrupt_ends_with_130_and_a_known_failure_with_its_sentence(monkeypatch, capsys):
    from engine.cli import main, verbs

    module = type(sys)("broken")
    module.COMMAND = import_module("engine.cli.commands.version").COMMAND
    monkeypatch.setitem(sys.modules, "broken", module)
    monkeypatch.setitem(verbs.ALL, "version", ("broken", ""))

    def interrupted(args):
        raise KeyboardInterrupt

    module.run = interrupted
    assert main.main(["version"]) == 130

    def full(args):
        raise StoreError("the disk is full", hint="remove something")

    module.run = full
    assert main.main(["version"]) == 1
    assert capsys.readouterr().err == "Error: the disk is full\nremove something\n"
