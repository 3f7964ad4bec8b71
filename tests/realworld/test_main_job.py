"""What people do with a container engine in a day, with real images from real registries, typed.

`pytest tests/realworld/test_main_job.py` wants REALWORLD_REGISTRY (default 127.0.0.1:5000, open), one behind Basic auth
on :5001 (AWS / ecr-secret) and one behind TLS and Bearer tokens on :5002 (hub / hub-secret; its CA in SSL_CERT_FILE).
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable

import pytest

from engine.settings import Settings
from tests.conftest import _remaining_traces, environment

REGISTRY = os.environ.get("REALWORLD_REGISTRY", "127.0.0.1:5000")
IMAGES = ["busybox:1.35", "debian:bookworm", "redis:7", "nginx:1.22", "postgres:15", "python:3.11", "multiarch"]
PORTS = {"cache": 26379, "web": 28080, "db": 25432, "api": 28000}


@pytest.fixture
def ph(settings: Settings) -> Callable[..., str]:
    """The command line on a fresh root; its output, after it has succeeded."""

    def run(*words: str, input: str = "", code: int = 0) -> str:
        command = [sys.executable, "-m", "engine.cli.main", *words]
        done = subprocess.run(
            command, input=input, capture_output=True, text=True, env=environment(settings), timeout=180
        )
        assert done.returncode == code, f"{' '.join(words)}: {done.returncode}: {done.stderr}"
        return done.stdout + (done.stderr if code else "")

    return run


def test_every_registry_and_every_image(ph: Callable[..., str]) -> None:
    for image in IMAGES:
        ph("pull", "-q", f"{REGISTRY}/library/{image}")
    assert "wants a user and a password" in ph("pull", "127.0.0.1:5001/team/redis:7", code=1)
    assert (
        ph("login", "-u", "AWS", "--password-stdin", "127.0.0.1:5001", input="ecr-secret").strip() == "Login Succeeded"
    )
    ph("pull", "-q", "127.0.0.1:5001/team/redis:7")
    ph("pull", "-q", "127.0.0.1:5002/library/busybox:1.35")  # anonymous
    assert "unauthorized" in ph("login", "-u", "hub", "--password-stdin", "127.0.0.1:5002", input="wrong", code=1)
    ph("login", "-u", "hub", "--password-stdin", "127.0.0.1:5002", input="hub-secret")
    ph("pull", "-q", "127.0.0.1:5002/library/redis:7")
    assert "logout" not in ph("logout", "127.0.0.1:5001")
    names = ph("images", "--format", "{{.Repository}}:{{.Tag}}").split()
    assert len(names) == len(IMAGES) + 3
    architecture = json.loads(ph("inspect", f"{REGISTRY}/library/multiarch"))[0]["Architecture"]
    assert architecture == {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]


def test_servers_run_detached_with_names_and_ports_and_answer(ph: Callable[..., str], settings: Settings) -> None:
    library = f"{REGISTRY}/library"
    ph("run", "-d", "--name", "cache", "-p", f"{PORTS['cache']}:6379", f"{library}/redis:7")
    ph("run", "-d", "--name", "web", "-p", f"{PORTS['web']}:80", f"{library}/nginx:1.22")
    ph("run", "-d", "--name", "db", "-p", f"{PORTS['db']}:5432", f"{library}/postgres:15")
    ph(
        "run",
        "-d",
        "--name",
        "api",
        "-p",
        f"{PORTS['api']}:8000",
        f"{library}/python:3.11",
        "python3",
        "-m",
        "http.server",
    )
    ph("run", "-d", "--name", "idle", f"{library}/busybox:1.35", "sleep", "600")

    for address in ("127.0.0.1", own_address(), "::1"):
        assert ask(address, PORTS["cache"], b"PING\r\n") == b"+PONG\r\n"
        assert fetch(address, PORTS["web"]) == fetch(address, PORTS["api"]) == 200
        # the server's answer to an SSLRequest is one letter: postgres speaks
        assert ask(address, PORTS["db"], b"\0\0\0\x08\x04\xd2\x16\x2f") in (b"N", b"S")
    assert ph("exec", "cache", "redis-cli", "ping").strip() == "PONG"
    assert "1 row" in ph("exec", "db", "psql", "-h", "/var/run/postgresql", "-c", "select 1")
    for target in (f"{gateway(ph)}:{PORTS['web']}", f"{ip_of(ph, 'web')}:80"):
        page = ph("run", "--rm", f"{library}/busybox:1.35", "wget", "-qO-", f"http://{target}/")
        assert "Welcome to nginx" in page

    assert "GET / HTTP/1.1" in wait_for(lambda: ph("logs", "web"), "GET / HTTP/1.1")
    follower = subprocess.Popen(
        [sys.executable, "-m", "engine.cli.main", "logs", "-f", "--tail", "1", "web"],
        stdout=subprocess.PIPE,
        env=environment(settings),
    )
    assert follower.stdout and follower.stdout.readline()  # it follows
    fetch("127.0.0.1", PORTS["web"], "/followed")
    assert b"/followed" in follower.stdout.readline()

    table = ph("ps", "--format", "{{.Names}} {{.Ports}}")
    assert f"web 0.0.0.0:{PORTS['web']}->80/tcp, [::]:{PORTS['web']}->80/tcp" in table.splitlines()
    assert ph("stop", "-t", "5", "web", "cache", "db", "api").split() == ["web", "cache", "db", "api"]
    assert follower.wait(10) == 0
    assert ph("ps", "-q").count("\n") == 1
    states = dict(line.split(" ", 1) for line in ph("ps", "-a", "--format", "{{.Names}} {{.Status}}").splitlines())
    assert states["web"].startswith("Exited (0)")
    assert states["cache"].startswith("Exited (0)")
    assert "cannot remove container" in ph("rm", "idle", code=1)

    ph("start", "web")
    assert fetch("127.0.0.1", PORTS["web"]) == 200
    assert "/followed" in ph("logs", "web")
    ph("rm", "-f", "web", "cache", "db", "api", "idle")
    assert "unable to remove" not in ph(
        "rmi", *(f"{library}/{name}" for name in ("redis:7", "nginx:1.22", "postgres:15"))
    )
    assert _remaining_traces(settings) == []


def own_address() -> str:
    """The host's own address: the one of its first link that is not loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # nothing is sent
        return probe.getsockname()[0]


def ask(address: str, port: int, question: bytes) -> bytes:
    for _ in range(50):
        try:
            with socket.create_connection((address, port), 5) as connection:
                connection.sendall(question)
                if answer := connection.recv(100):
                    return answer
        except ConnectionError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"{address}:{port} does not answer")


def fetch(address: str, port: int, path: str = "/") -> int:
    host = f"[{address}]" if ":" in address else address
    for _ in range(50):
        try:
            return urllib.request.urlopen(f"http://{host}:{port}{path}", timeout=5).status
        except urllib.error.HTTPError as error:
            return error.code
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    raise AssertionError(f"{host}:{port} does not answer")


def wait_for(look: Callable[[], str], words: str) -> str:
    for _ in range(50):
        if words in (seen := look()):
            return seen
        time.sleep(0.1)
    raise AssertionError(f"{words} not in {seen}")


def ip_of(ph: Callable[..., str], name: str) -> str:
    return ph("inspect", "--format", "{{.NetworkSettings.IPAddress}}", name).strip()


def gateway(ph: Callable[..., str]) -> str:
    return ph("inspect", "--format", "{{.NetworkSettings.Gateway}}", "web").strip()
