"""Pulling and logging in from the command line, against a registry of our own."""

from __future__ import annotations

import io
import tarfile

import pytest

from tests.support.registry import RegistryServer


def tar(name: str, size: int = 10) -> bytes:
    """A layer with one file."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = size
        archive.addfile(entry, io.BytesIO(bytes(size)))
    return out.getvalue()


@pytest.fixture
def registry():
    with RegistryServer() as registry:
        yield registry


def test_a_pull_prints_dockers_lines_when_nobody_watches(pilothouse, registry):
    put = registry.put_image("team/app", "latest", [tar("a"), tar("b")])
    name = f"{registry.host}/team/app"
    ended = pilothouse("pull", name)
    lines = ended.stdout.decode().splitlines()
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert lines[:2] == ["Using default tag: latest", "latest: Pulling from team/app"]
    assert sum(line.endswith(": Pulling fs layer") for line in lines) == 2
    assert sum(line.endswith(": Pull complete") for line in lines) == 2
    for short in {line.partition(":")[0] for line in lines if line.endswith("Pull complete")}:
        steps = [line.partition(": ")[2] for line in lines if line.startswith(short)]
        assert steps[0] == "Pulling fs layer"
        assert steps[-2:] == ["Download complete", "Pull complete"]
    assert lines[-3:] == [
        f"Digest: {put.digest}",
        f"Status: Downloaded newer image for {name}:latest",
        f"{name}:latest",
    ]
    assert f"Status: Image is up to date for {name}:latest" in pilothouse("pull", name).stdout.decode()
    assert pilothouse("pull", "-q", f"{name}:latest").stdout.decode() == f"{name}:latest\n"


def test_a_run_pulls_what_is_missing_and_tells_of_it_on_stderr(pilothouse, registry):
    registry.put_image("app", "1", [tar("a")])
    ended = pilothouse("create", f"{registry.host}/app:1", "true")
    told = ended.stderr.decode().splitlines()
    assert told[:2] == [f"Unable to find image '{registry.host}/app:1' locally", "1: Pulling from app"]
    assert len(ended.stdout.split()) == 1
    assert pilothouse("rm", ended.stdout.decode().strip()).returncode == 0


def test_a_tag_that_is_not_there_ends_a_run_with_125_and_a_pull_with_1(pilothouse, registry):
    registry.put_image("app", "1", [tar("a")])
    ended = pilothouse("run", f"{registry.host}/app:2", "true")
    assert ended.returncode == 125
    assert b"pilothouse: " in ended.stderr
    assert pilothouse("pull", f"{registry.host}/app:2").returncode == 1
    assert pilothouse("ps", "-aq").stdout == b""


def test_an_image_for_another_platform_is_named_as_such(pilothouse, registry):
    registry.put_index("app", "1", [registry.put_image("app", "arm", [tar("a")], platform="linux/arm64")])
    ended = pilothouse("pull", f"{registry.host}/app:1")
    assert ended.returncode == 1
    assert b"linux/arm64" in ended.stderr


def test_a_login_opens_a_private_registry_until_the_logout(pilothouse):
    with RegistryServer(auth="basic") as registry:
        registry.put_image("app", "1", [tar("a")])
        name = f"{registry.host}/app:1"
        refused = pilothouse("pull", name)
        assert refused.returncode == 1
        assert b"log in first" in refused.stderr
        wrong = pilothouse("login", "-u", "user", "--password-stdin", registry.host, input=b"wrong\n")
        assert wrong.returncode == 1
        assert b"wrong" not in wrong.stderr
        right = pilothouse("login", "-u", "user", "--password-stdin", registry.host, input=b"correct horse\n")
        assert (right.stdout, right.returncode) == (b"Login Succeeded\n", 0)
        assert b"stored unencrypted in" in right.stderr
        assert pilothouse("pull", "-q", name).returncode == 0
        assert pilothouse("logout", registry.host).returncode == 0
        assert pilothouse("pull", name).returncode == 1


def test_passwords_are_taken_only_in_ways_that_make_sense(pilothouse):
    both = pilothouse("login", "-u", "a", "-p", "b", "--password-stdin", "localhost:1", input=b"c\n")
    assert (both.returncode, b"mutually exclusive" in both.stderr) == (1, True)
    nobody = pilothouse("login", "--password-stdin", "localhost:1", input=b"c\n")
    assert (nobody.returncode, b"--username" in nobody.stderr) == (1, True)
