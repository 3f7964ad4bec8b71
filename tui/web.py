"""The dashboard in a browser: `pilothouse dash --web`.

textual-serve runs a dashboard per page and speaks to it through pipes. What is added here is the door: whoever can
drive the dashboard is root on this machine, and every program and every web page on it can reach a port of 127.0.0.1.

* The address that is printed has a token and works once. It leads to a path nobody can guess, with a cookie for that
  path alone: browsers send a cookie to all ports of a host, and other servers on this machine must not learn it.
* The host must be a name of loopback (a foreign name that resolves to 127.0.0.1 would be DNS rebinding), and a
  websocket must come from a page of this server (browsers let any page open one).
"""

from __future__ import annotations

import hmac
import os
import secrets
import shlex
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from engine.errors import Conflict, Unsupported
from engine.registry.configuration import hostname_of, is_loopback

if TYPE_CHECKING:
    from aiohttp import web

    from engine.settings import Settings

COOKIE = "pilothouse"
ADDRESS = "127.0.0.1"

# textual-serve's page hears no key before it is clicked
FOCUS = """<script>
new MutationObserver((_, observer) => {
  const keyboard = document.querySelector("#terminal textarea");
  if (keyboard) { observer.disconnect(); keyboard.focus(); }
}).observe(document.body, {childList: true, subtree: true});
</script>"""


def serve(settings: Settings, port: int = 0, *, theme: str = "", keys: str = "", probe: bool = True) -> int:
    """Serve on loopback until interrupted. `port` 0 takes a free one.

    Raises: Unsupported without textual-serve; Conflict if the port is taken; InvalidInput for an unknown theme or
    preset.
    """
    from tui import config, theming

    config.load(preset=keys)
    if theme:
        theming.load(theme)
    command = dashboard_command(settings, theme=theme, keys=keys, probe=probe)
    door = Door(command)
    from aiohttp import web

    with _listening(port) as listener:
        number = listener.getsockname()[1]
        print(f"The dashboard is at  {door.address(number)}", flush=True)
        print("The address works once. ctrl+c ends this server; containers go on.", flush=True)
        web.run_app(door.application(), sock=listener, print=None, access_log=None)
    return 0


def dashboard_command(settings: Settings, *, theme: str, keys: str, probe: bool) -> str:
    """The line for a shell that runs a dashboard like this one."""
    # -P: a module of the directory this is started in must not be taken for one of ours
    words = [sys.executable, "-P", "-m", "engine.cli.main", "--root", str(settings.root)]
    words += ["--runroot", str(settings.run), "dash"]
    words += ["--theme", theme] if theme else []
    words += ["--keys", keys] if keys else []
    words += [] if probe else ["--no-probe"]
    ours = str(Path(__file__).resolve().parent.parent)
    path = os.pathsep.join(filter(None, (ours, os.environ.get("PYTHONPATH"))))
    return shlex.join(["env", f"PYTHONPATH={path}", *words])


def _listening(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((ADDRESS, port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise Conflict(
            f"port {port} of {ADDRESS} cannot be had: {error}", hint="--web-port 0 takes a free one"
        ) from error
    listener.listen()
    return listener


class Door:
    """Lets one browser in to the dashboards that `command` starts."""

    def __init__(self, command: str) -> None:
        self._command = command
        self._token = secrets.token_urlsafe(24)
        self._path = f"/{secrets.token_urlsafe(24)}/"
        self._session = secrets.token_urlsafe(24)

    def address(self, port: int) -> str:
        return f"http://{ADDRESS}:{port}/?token={self._token}"

    async def application(self) -> web.Application:
        """Raises: Unsupported without textual-serve."""
        try:
            from textual_serve.server import Server
        except ImportError as error:
            raise Unsupported(
                "a dashboard in the browser needs textual-serve", hint="install it with: pip install 'pilothouse[web]'"
            ) from error
        from aiohttp import web

        class Pages(Server):
            """textual-serve's pages, without its greeting."""

            async def on_startup(self, app: web.Application) -> None:
                pass

        pages = Pages(self._command, host=ADDRESS, title="Pilothouse")

        @web.middleware
        async def guard(
            request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
        ) -> web.StreamResponse:
            self._check(request)
            # the page's addresses follow the name it was asked by: through a tunnel it is another than ours
            pages.public_url = f"http://{request.host}"
            response = await handler(request)
            if isinstance(response, web.Response) and response.content_type == "text/html":
                response.text = (response.text or "").replace("</body>", f"{FOCUS}</body>")
            return response

        async def harden(request: web.Request, response: web.StreamResponse) -> None:
            # textual-serve's page asks for a font elsewhere: nothing is fetched from anywhere but here
            response.headers["Content-Security-Policy"] = (
                f"default-src 'self' 'unsafe-inline' data: blob:; connect-src 'self' ws://{request.host}; "
                "frame-ancestors 'none'"
            )
            response.headers["Referrer-Policy"] = "no-referrer"
            response.headers["Cache-Control"] = "no-store"

        inside = await pages._make_app()
        inside.middlewares.append(guard)
        outside = web.Application()
        outside.on_response_prepare.append(harden)
        outside.router.add_get("/", self._enter)
        outside.add_subapp(self._path, inside)
        return outside

    async def _enter(self, request: web.Request) -> web.Response:
        """Take the token, once, and give the cookie for it."""
        from aiohttp import web

        self._check_host(request)
        given = request.query.get("token", "")
        if not self._token or not hmac.compare_digest(given.encode(), self._token.encode()):
            raise web.HTTPForbidden(
                text="This address works once. Start `pilothouse dash --web` again for a new one.\n"
            )
        self._token = ""
        response = web.Response(status=303, headers={"Location": self._path})
        response.set_cookie(COOKIE, self._session, path=self._path, httponly=True, samesite="Strict")
        return response

    def _check(self, request: web.Request) -> None:
        from aiohttp import web

        self._check_host(request)
        if not hmac.compare_digest(request.cookies.get(COOKIE, "").encode(), self._session.encode()):
            raise web.HTTPForbidden(text="Not without the cookie.\n")
        origin = request.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc != request.host:
            raise web.HTTPForbidden(text="Not from another page.\n")
        if request.headers.get("Upgrade") and origin is None:
            raise web.HTTPForbidden(text="Not without an origin.\n")

    @staticmethod
    def _check_host(request: web.Request) -> None:
        from aiohttp import web

        if not is_loopback(hostname_of(request.host)):
            raise web.HTTPForbidden(text="Not by this name.\n")
