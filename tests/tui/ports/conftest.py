"""A container with a server of every kind, run for real."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from engine.engine import Engine
from engine.models import Container, Image, PortMapping, RunOptions
from tests.conftest import PYTHON
from tests.support.certificates import self_signed
from tests.support.ports import free_port

SERVERS = """
import http.server, os, socket, ssl, threading, time

class Web(http.server.BaseHTTPRequestHandler):
    status = 200
    def do_HEAD(self):
        self.send_response(self.status)
        self.send_header("Location", "http://127.0.0.1:1/\\x1b[31m")
        self.end_headers()
    do_GET = do_HEAD
    def log_message(self, form, *words):
        print(form % words, self.headers["User-Agent"], flush=True)

class Broken(Web):
    status = 503

def web(address, port, handler=Web, secure=False):
    server = http.server.ThreadingHTTPServer((address, port), handler)
    if secure:
        open("/tmp/both.pem", "w").write(os.environ["CERTIFICATE"])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain("/tmp/both.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()

def mute(port):
    server = socket.create_server(("0.0.0.0", port))
    def serve():
        while True:
            client = server.accept()[0]
            print("mute heard", client.recv(100), flush=True)
            client.sendall(b"\\x1b]0;owned\\x07 I speak no HTTP\\r\\n")
            client.close()
    threading.Thread(target=serve, daemon=True).start()

time.sleep(float(os.environ.get("LATE", "0")))
web("0.0.0.0", 80)
web("0.0.0.0", 8443, secure=True)
web("127.0.0.1", 81)
web("0.0.0.0", 83, Broken)
mute(6000)
web("0.0.0.0", 9000)
print("ready", flush=True)
time.sleep(600)
"""

Serve = Callable[..., Awaitable[Container]]


@pytest.fixture
def serve(engine: Engine, python_image: Image) -> Serve:
    """Runs the servers: `await serve(80, 81)` with those of their ports published."""

    async def serve(*ports: int, name: str = "many", **env: str) -> Container:
        certificate, key = self_signed(["localhost"])
        mappings = tuple(PortMapping(port, free_port()) for port in ports)
        options = RunOptions(
            PYTHON,
            ("python3", "-c", SERVERS),
            name=name,
            env=(f"CERTIFICATE={certificate}{key}", *(f"{name}={value}" for name, value in env.items())),
            ports=mappings,
            detach=True,
            stop_signal="SIGKILL",
        )
        return await engine.run(options)

    return serve
