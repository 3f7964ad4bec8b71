"""A small web server: the page one sees at the published port."""

from __future__ import annotations

import html
import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT = 80
STARTED = time.time()

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>It runs: Pilothouse demo</title>
<meta name="viewport" content="width=device-width">
<style>
 body {{ font: 18px/1.6 system-ui, sans-serif; max-width: 40rem; margin: 12vh auto; padding: 0 1rem;
        background: #10171e; color: #d8e2ea }}
 h1 {{ font-weight: 500 }} code {{ background: #1d2832; padding: .1em .4em; border-radius: .3em }}
 td {{ padding-right: 2em; color: #8fa3b3 }}
</style>
<h1>This page comes from a container.</h1>
<p>No Docker daemon was asked. Back in the dashboard, <code>s</code> stops this server and starts it again,
<code>l</code> shows the request you just made.</p>
<table><tr><td>container</td><td>{hostname}</td></tr><tr><td>request</td><td>number {number}</td></tr>
<tr><td>running for</td><td>{seconds:.0f} s</td></tr></table></html>
"""


class Handler(BaseHTTPRequestHandler):
    """Answers / with a page, /health with JSON, all else with 404."""

    server_version = "pilothouse-demo"
    number = 0

    def do_GET(self) -> None:
        Handler.number += 1
        if self.path == "/":
            body = PAGE.format(
                hostname=html.escape(os.uname().nodename), number=Handler.number, seconds=time.time() - STARTED
            )
            self._answer(200, "text/html; charset=utf-8", body)
        elif self.path == "/health":
            self._answer(200, "application/json", json.dumps({"ok": True, "requests": Handler.number}))
        else:
            self._answer(404, "text/plain", f"nothing at {self.path}\n")

    do_HEAD = do_GET

    def _answer(self, status: int, kind: str, body: str) -> None:
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, format: str, *arguments: object) -> None:
        print(f"{self.address_string()} {format % arguments}", flush=True)


def main() -> None:
    server = ThreadingHTTPServer(("", PORT), Handler)
    # shutdown() waits for serve_forever, so it must not run in the thread that serves
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print(f"listening on port {PORT}", flush=True)
    server.serve_forever()
    print("asked to stop: goodbye", flush=True)
    sys.exit(0)


if __name__ == "__main__":
    main()
