"""`pilothouse dash`, and `pilothouse` alone: the dashboard."""

from __future__ import annotations

import os
import sys

from engine.cli.drive import settings_of
from engine.cli.flags import Arguments, Command, Flag
from engine.errors import Unsupported

COMMAND = Command(
    "dash",
    "[OPTIONS]",
    "Open the dashboard",
    (
        Flag("theme", str, "Wear this theme: a name, or a file", value="name"),
        Flag("keys", str, "Use this preset of keys: default, lazydocker or k9s", value="preset"),
        Flag("no-probe", bool, "Ask published ports nothing over the network"),
        Flag("web", bool, "Show it in a browser on this machine, at an address that works once"),
        Flag("web-port", int, "Port of the page on 127.0.0.1 (default: a free one)", value="port", default=0),
    ),
    maximum=0,
)


def run(args: Arguments) -> int:
    if args.web:
        from tui.web import serve

        return serve(settings_of(args), args.web_port, theme=args.theme, keys=args.keys, probe=not args.no_probe)
    # in a browser, Textual's web driver speaks through pipes
    if not os.environ.get("TEXTUAL_DRIVER") and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Unsupported("the dashboard needs a terminal", hint="`pilothouse ps` lists containers without one")
    if os.environ.get("TERM") == "dumb":
        raise Unsupported("the dashboard needs a terminal that can place text, and TERM=dumb says it cannot")
    from tui.app import run as dashboard

    return dashboard(settings_of(args), theme=args.theme or None, keys=args.keys, probe=not args.no_probe)
