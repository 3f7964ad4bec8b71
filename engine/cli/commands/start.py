"""`pilothouse start`: start containers again, in the background or attached."""

from __future__ import annotations

from engine.cli.drive import drive, opened
from engine.cli.each import tell
from engine.cli.flags import STOPPED, Arguments, Command, Flag, UsageError
from engine.cli.terminal import put, say
from engine.errors import EngineError

COMMAND = Command(
    "start",
    "[OPTIONS] CONTAINER [CONTAINER...]",
    "Start one or more stopped containers",
    (
        Flag("attach", bool, "Attach STDOUT/STDERR and forward signals", short="a"),
        Flag("detach-keys", str, "Override the key sequence for detaching a container", default="ctrl-p,ctrl-q"),
        Flag("interactive", bool, "Attach container's STDIN", short="i"),
        Flag("sig-proxy", bool, "Proxy received signals to the process", default=True, hidden=True),
    ),
    minimum=1,
    arguments=STOPPED,
)


def run(args: Arguments) -> int:
    if args.attach or args.interactive:
        if len(args.words) > 1:
            raise UsageError("you cannot start and attach multiple containers at once", exit_code=1, brief=True)
        return _attached(args)
    failed = []
    with opened(args) as engine:
        for name in args.words:
            try:
                drive(engine.start(name))
            except EngineError as error:
                tell(error)
                failed.append(name)
            else:
                put(f"{name}\n")
    if failed:
        say(f"Error: failed to start containers: {', '.join(failed)}")
    return 1 if failed else 0


def _attached(args: Arguments) -> int:
    """Start one container with the terminal on it; the container's exit code."""
    from engine.cli.detachkeys import parse_keys
    from engine.cli.foreground import LEFT, Console, attend, check_terminal, conversation_signals

    with opened(args) as engine:
        container = drive(engine.container(args.words[0]))
        stdin = args.interactive and container.options.interactive
        check_terminal(stdin, container.options.tty)
        console = Console(stdin=stdin, keys=parse_keys(args.detach_keys))
        with conversation_signals() as signals:
            attachment = drive(engine.start_attached(container.id))
            code = attend(engine, attachment, console, signals, sig_proxy=args.sig_proxy)
    return 0 if code == LEFT else code
