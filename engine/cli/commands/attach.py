"""`pilothouse attach`: the terminal on a container that runs."""

from __future__ import annotations

from engine.cli.drive import drive, opened
from engine.cli.flags import RUNNING, Arguments, Command, Flag
from engine.cli.terminal import say
from engine.errors import Conflict
from engine.models import State

COMMAND = Command(
    "attach",
    "[OPTIONS] CONTAINER",
    "Attach the terminal's input, output and errors to a running container",
    (
        Flag("detach-keys", str, "Override the key sequence for detaching a container", default="ctrl-p,ctrl-q"),
        Flag("no-stdin", bool, "Do not attach STDIN"),
        Flag("sig-proxy", bool, "Proxy received signals to the process", default=True),
    ),
    minimum=1,
    maximum=1,
    arguments=RUNNING,
)


def run(args: Arguments) -> int:
    from engine.cli.detachkeys import parse_keys
    from engine.cli.foreground import LEFT, Console, attend, check_terminal, conversation_signals

    with opened(args) as engine:
        container = drive(engine.container(args.words[0]))
        if container.state is State.PAUSED:
            raise Conflict("You cannot attach to a paused container, unpause it first")
        if not container.running:
            raise Conflict("You cannot attach to a stopped container, start it first")
        stdin = container.options.interactive and not args.no_stdin
        check_terminal(stdin, container.options.tty)
        console = Console(stdin=stdin, keys=parse_keys(args.detach_keys))
        with conversation_signals() as signals:
            attachment = drive(engine.attach(container.id))
            code = attend(engine, attachment, console, signals, sig_proxy=args.sig_proxy)
    if code == LEFT:
        say("read escape sequence")
        return 0
    return code
