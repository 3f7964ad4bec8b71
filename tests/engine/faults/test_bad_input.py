"""Every wrong word gets one clear sentence, Docker's exit code, and leaves nothing behind."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.settings import Settings
from tests.conftest import SMALL, Command, environment
from tests.engine.faults.leftovers import settled_leftovers
from tests.support.registry import PutImage, RegistryServer

NextCommand = Callable[[], str]

WRONG_RUNS = [
    (("--pull", "never", "nothing:1"), 125, "No such image: nothing:1"),
    (("UPPER",), 125, "invalid reference format: repository name must be lowercase"),
    (("--nonsense", SMALL), 125, "unknown flag: --nonsense"),
    (("-p", "x", SMALL), 125, "invalid containerPort: x"),
    (("-p", "0:99999", SMALL), 125, "invalid containerPort: 99999"),
    (("--name", "a b", SMALL), 125, "Invalid container name (a b), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"),
    (("--memory", "1m", SMALL, "true"), 125, "Minimum memory limit allowed is 6MB"),
    (("--cap-add", "NOPE", SMALL, "true"), 125, 'invalid CapAdd: unknown capability: "CAP_NOPE"'),
    (("-w", "here", SMALL, "true"), 125, "the working directory 'here' is invalid, it needs to be an absolute path"),
    (("--network", "nowhere", SMALL, "true"), 125, "network nowhere not found"),
    (("--restart", "sometimes", SMALL), 125, "invalid restart policy 'sometimes'"),
    (("--rm", "--restart", "always", SMALL), 125, "conflicting options: cannot specify both --restart and --rm"),
    (("--mount", "type=bind,source=/none,target=/x", SMALL), 125, "bind source path does not exist: /none"),
    (("--platform", "linux/s390x", "--pull", "never", SMALL), 125, "does not match the specified platform"),
    (("--security-opt", "seccomp=/none", SMALL), 125, "opening seccomp profile (/none) failed"),
    (("--stop-signal", "NOPE", SMALL), 125, "Invalid signal: NOPE"),
    (("--ulimit", "nofile=9:5", SMALL), 125, "ulimit"),
    (("--rm", "-u", "nobodyhere", SMALL), 125, "unable to find user nobodyhere: no matching entries in passwd file"),
    (("--rm", SMALL, "nope"), 127, 'exec: "nope": executable file not found in $PATH'),
    (("--rm", SMALL, "/etc/passwd"), 126, 'exec: "/etc/passwd": permission denied'),
    (("--rm", SMALL, "/tmp"), 126, 'exec: "/tmp": '),
    (("--rm", SMALL, "/none"), 127, 'exec: "/none": '),
]


@pytest.mark.usefixtures("image")
def test_a_run_that_cannot_be_is_refused_and_leaves_nothing(pilothouse: Command, next_command: NextCommand) -> None:
    for words, code, sentence in WRONG_RUNS:
        told = pilothouse("run", *words)
        assert_one_sentence(told.stderr, sentence, words)
        assert (told.returncode, told.stdout) == (code, b""), words
    assert next_command() == ""


@pytest.mark.usefixtures("image")
def test_what_does_not_exist_is_named_by_every_verb(pilothouse: Command, next_command: NextCommand) -> None:
    for verb in ("start", "stop", "kill", "rm", "logs", "port", "restart"):
        told = pilothouse(verb, "nobody")
        assert_one_sentence(told.stderr, "Error: No such container: nobody", verb)
        assert told.returncode == 1
    for words, code, sentence in [
        (("exec", "nobody", "true"), 1, "Error: No such container: nobody"),
        (("rmi", "nothing"), 1, "Error: No such image: nothing:latest"),
        (("inspect", "nobody"), 1, "Error: No such object: nobody"),
        (("fly",), 1, "pilothouse: 'fly' is not a pilothouse command."),
        (("rn",), 1, "Did you mean 'run'?"),
        (("stop",), 1, '"pilothouse stop" requires at least 1 argument.'),
        (("ps", "--nonsense"), 125, "unknown flag: --nonsense"),
    ]:
        told = pilothouse(*words)
        assert_one_sentence(told.stderr, sentence, words)
        assert told.returncode == code, words
    assert next_command() == ""


@pytest.mark.usefixtures("image")
def test_a_name_in_use_and_a_port_in_use_are_refused_before_anything_is_made(
    pilothouse: Command, next_command: NextCommand
) -> None:
    assert pilothouse("create", "--name", "web", SMALL, "true").returncode == 0
    told = pilothouse("run", "-d", "-p", "0:80", "--name", "web", SMALL, "true")
    assert_one_sentence(told.stderr, 'The container name "/web" is already in use by container', "name")
    assert told.returncode == 125
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = pilothouse("run", "-d", "-p", f"127.0.0.1:{port}:80", SMALL, "true")
    assert_one_sentence(told.stderr, f"Bind for 127.0.0.1:{port} failed: port is already allocated (held by", "port")
    assert told.returncode == 125
    assert next_command() == "web Created\n"


def test_who_is_not_root_is_told_so_and_makes_nothing(settings: Settings) -> None:
    from engine.cli.commands import ps, pull, run  # noqa: F401  (nobody may not read this interpreter's library)

    settings.root.parent.chmod(0o755)
    for words in (["ps"], ["run", "x"], ["pull", "x"]):
        code, told = as_nobody(["--root", str(settings.root), "--runroot", str(settings.run), *words])
        assert "Pilothouse needs root: it makes namespaces, mounts and network links" in told
        assert code == (125 if words[0] == "run" else 1)
    assert not settings.root.exists()


def test_a_registry_that_cannot_be_reached_is_told(pilothouse: Command, next_command: NextCommand) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{closed.getsockname()[1]}"
        pulled, ran = pilothouse("pull", f"{host}/app:1"), pilothouse("run", f"{host}/app:1")
    for told, code in ((pulled, 1), (ran, 125)):
        assert_one_sentence(told.stderr, f"cannot reach registry {host}: connection refused", "refused")
        assert told.returncode == code
    assert next_command() == ""


def test_a_registry_that_lies_is_caught_and_nothing_of_the_image_is_kept(
    pilothouse: Command, settings: Settings, registry: RegistryServer, remote: PutImage
) -> None:
    layer = remote.layers[0].descriptor["digest"]
    for word, sentence in lies(registry, remote, layer):
        told = pilothouse("pull", f"{registry.host}/shop/{word}")
        assert_one_sentence(told.stderr, sentence, word)
        assert told.returncode == 1
        assert settled_leftovers(settings) == []
    assert pilothouse("images", "-aq").stdout == b""
    assert pilothouse("pull", "-q", f"{registry.host}/shop/app:1").returncode == 0
    assert settled_leftovers(settings) == []


def lies(registry: RegistryServer, remote: PutImage, layer: str):  # type: ignore[no-untyped-def]
    """What to pull, while the registry misbehaves, and what must be said about it."""
    yield "app:none", "not found"
    yield "nothing:1", "not found"
    registry.faults.html("/manifests/", times=1)
    yield "app:1", "web page"
    registry.faults.answers.clear()
    registry.faults.html(remote.id, times=1)
    yield "app:1", "does not have the digest of config"
    registry.faults.answers.clear()
    good = registry.blobs[layer]
    registry.faults.replace(layer, good[:-1] + bytes([good[-1] ^ 1]))
    yield "app:1", "digest"
    registry.faults.replace(layer, good[: len(good) // 2])
    yield "app:1", "its manifest says"
    registry.faults.replaced.clear()
    registry.faults.replace(remote.id, remote.config + b" ")
    yield "app:1", remote.id[7:19]
    registry.faults.replaced.clear()


def test_an_image_for_another_machine_says_what_there_is(
    pilothouse: Command, next_command: NextCommand, registry: RegistryServer, remote: PutImage
) -> None:
    told = pilothouse("run", "--platform", "linux/s390x", f"{registry.host}/shop/app:1")
    assert_one_sentence(told.stderr, "linux/s390x", "platform")
    assert told.returncode == 125
    assert next_command() == ""


@pytest.mark.usefixtures("image")
def test_a_limit_whose_controller_the_kernel_lacks_is_refused_and_others_work(
    settings: Settings, next_command: NextCommand
) -> None:
    """Hidden in a mount namespace of the command's own: v1's hierarchy of it, or v2's list."""
    hide = (
        "umount -l /sys/fs/cgroup/memory 2>/dev/null;"
        " if [ -e /sys/fs/cgroup/cgroup.controllers ]; then"
        " mount --bind /dev/null /sys/fs/cgroup/cgroup.controllers; fi;"
        ' exec "$@"'
    )
    prefix = ["unshare", "-m", "sh", "-c", hide, "sh", sys.executable, "-m", "engine.cli.main"]
    for limits, code in ((("--memory", "64m"), 125), ((), 0)):
        command = [*prefix, "run", "--rm", *limits, SMALL, "true"]
        told = subprocess.run(command, env=environment(settings), capture_output=True, timeout=60)
        assert told.returncode == code, told.stderr
        if limits:
            assert_one_sentence(told.stderr, "this host has no cgroup controller memory", limits)
    assert next_command() == ""


def as_nobody(words: list[str]) -> tuple[int, str]:
    """Exit code and stderr of a command line run by uid 65534, in a child of this process."""
    from engine.cli.main import main

    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.dup2(writing, 2)
            sys.stderr = open(2, "w", encoding="utf-8")  # noqa: SIM115  (pytest has put its own there)
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            code = main(words)
            sys.stderr.flush()
            os._exit(code)
        finally:
            os._exit(99)
    os.close(writing)
    with open(reading, encoding="utf-8") as told:
        text = told.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), text


def assert_one_sentence(stderr: bytes, sentence: str, what: object) -> None:
    text = stderr.decode()
    assert sentence in text, (what, text)
    assert "Traceback" not in text and "unexpected" not in text, (what, text)
    assert sum(sentence in line for line in text.splitlines()) == 1, (what, text)
    assert len(text.splitlines()) <= 9, (what, text)


def test_the_store_is_for_root_alone(pilothouse: Command, settings: Settings) -> None:
    pilothouse("ps")
    assert [Path(path).stat().st_mode & 0o77 for path in (settings.root, settings.run)] == [0, 0]
