"""`pilothouse logout`: forget the credentials for a registry."""

from __future__ import annotations

from engine.cli.commands.login import DEFAULT_SERVER
from engine.cli.drive import drive, opened
from engine.cli.flags import Arguments, Command
from engine.cli.terminal import put

COMMAND = Command("logout", "[SERVER]", "Log out from a registry (Docker Hub, if no server is named)", maximum=1)


def run(args: Arguments) -> int:
    server = args.words[0] if args.words else DEFAULT_SERVER
    with opened(args) as engine:
        put(drive(engine.logout(server.removeprefix("https://").removeprefix("http://").rstrip("/"))) + "\n")
    return 0
