"""`pilothouse demo`: it works without a network, can be repeated, and goes without a trace."""

from __future__ import annotations

import urllib.request

from engine.settings import Settings
from tests.conftest import Command


def test_the_demo_runs_a_web_server_a_logger_and_a_failing_job_and_leaves_no_trace(
    pilothouse: Command, settings: Settings
) -> None:
    started = pilothouse("demo", "--no-dash")
    assert started.returncode == 0, started.stderr
    port = pilothouse("port", "demo-web", "80").stdout.split()[0].rpartition(b":")[2].decode()
    page = urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10).read()
    assert b"This page comes from a container." in page
    assert pilothouse("wait", "demo-job").stdout == b"3\n"
    assert b"GET /" in pilothouse("logs", "--tail", "50", "demo-web").stdout
    names = pilothouse("ps", "-a", "--format", "{{.Names}}").stdout.split()
    assert sorted(names) == [b"demo-job", b"demo-logger", b"demo-web"]

    again = pilothouse("demo", "--no-dash")
    assert b"container demo-web is there already" in again.stdout

    cleaned = pilothouse("demo", "--clean")
    assert cleaned.returncode == 0, cleaned.stderr
    assert not settings.root.exists()
    assert not settings.run.exists()


def test_cleaning_the_demo_keeps_what_is_the_users_own(pilothouse: Command, settings: Settings) -> None:
    pilothouse("demo", "--no-dash")
    image = "localhost/pilothouse-demo:latest"
    mine = pilothouse("run", "-d", "--name", "mine", "--entrypoint", "sleep", image, "60")
    assert mine.returncode == 0, mine.stderr
    cleaned = pilothouse("demo", "--clean")
    assert cleaned.returncode == 0
    assert b"kept image" in cleaned.stdout
    assert pilothouse("ps", "--format", "{{.Names}}").stdout == b"mine\n"
