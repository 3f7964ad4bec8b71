"""`pilothouse login`: try credentials at a registry and keep them."""

from __future__ import annotations

import sys

from engine.cli.drive import drive, opened
from engine.cli.flags import Arguments, Command, Flag
from engine.cli.terminal import put, say
from engine.errors import InvalidInput

COMMAND = Command(
    "login",
    "[OPTIONS] [SERVER]",
    "Log in to a registry (Docker Hub, if no server is named)",
    (
        Flag("password", str, "Password (seen by everyone who lists processes)", short="p"),
        Flag("password-stdin", bool, "Take the password from stdin"),
        Flag("username", str, "Username", short="u"),
    ),
    maximum=1,
)
DEFAULT_SERVER = "docker.io"


def run(args: Arguments) -> int:
    server = args.words[0] if args.words else DEFAULT_SERVER
    server = server.removeprefix("https://").removeprefix("http://").rstrip("/")
    username, password = _credentials(args)
    with opened(args) as engine:
        if file := drive(engine.login(server, username, password)):
            say(f"WARNING! Your credentials are stored unencrypted in '{file}'.")
            say('Name a credential helper there to keep them safer: "credsStore" or "credHelpers".')
    put("Login Succeeded\n")
    return 0


def _credentials(args: Arguments) -> tuple[str, str]:
    """User and password from the flags, stdin, or by asking. Raises InvalidInput."""
    username = args.username
    if args.password_stdin:
        if args.password:
            raise InvalidInput("--password and --password-stdin are mutually exclusive")
        if not username:
            raise InvalidInput("Must provide --username with --password-stdin")
        return username, sys.stdin.readline().rstrip("\r\n")
    if args.password:
        say("WARNING! Using --password via the CLI is insecure. Use --password-stdin.")
    elif not sys.stdin.isatty():
        raise InvalidInput(
            "Cannot perform an interactive login from a non TTY device", hint="use --username with --password-stdin"
        )
    if not username:
        username = input("Username: ").strip()
    if not username:
        raise InvalidInput("username is required")
    password = args.password
    if not password:
        from getpass import getpass

        password = getpass("Password: ")
    if not password:
        raise InvalidInput("password is required")
    return username, password
