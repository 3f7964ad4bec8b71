"""Ports published and taken away from the command line while the container runs."""

from __future__ import annotations

from tests.engine.cli.test_containers import SMALL, said
from tests.support.ports import free_port


def test_a_port_is_published_shown_and_taken_away_while_the_container_runs(pilothouse, image):
    said(pilothouse("run", "-d", "--name", "web", SMALL, "sleep", "60"))
    port = free_port()
    assert said(pilothouse("publish", "web", f"127.0.0.1:{port}:80")) == f"80/tcp -> 127.0.0.1:{port}\n"
    assert said(pilothouse("port", "web")) == f"80/tcp -> 127.0.0.1:{port}\n"
    ended = pilothouse("publish", "web", f"{port}:81")
    assert ended.returncode == 1
    assert b"container web" in ended.stderr
    said(pilothouse("publish", "web", "80", "53/udp"))
    assert len(said(pilothouse("port", "web")).splitlines()) == 5  # both families of the two new ones
    assert said(pilothouse("unpublish", "web", "80")) == ""
    assert [line.split()[0] for line in said(pilothouse("port", "web")).splitlines()] == ["53/udp", "53/udp"]


def test_what_is_not_published_or_does_not_run_is_told(pilothouse, image):
    said(pilothouse("run", "-d", "--name", "web", SMALL, "sleep", "60"))
    ended = pilothouse("unpublish", "web", "8080:80")
    assert (ended.returncode, b"No published port '8080:80' of web" in ended.stderr) == (1, True)
    said(pilothouse("stop", "-t", "0", "web"))
    for verb in ("publish", "unpublish"):
        ended = pilothouse(verb, "web", "8080:80")
        assert ended.returncode == 1, ended.stderr
