"""`pilothouse exec`: one more command in a container that runs."""

from __future__ import annotations

from engine.cli.drive import drive, opened
from engine.cli.environment import check_variable, variables
from engine.cli.flags import FILES, RUNNING, Arguments, Command, Flag

COMMAND = Command(
    "exec",
    "[OPTIONS] CONTAINER COMMAND [ARG...]",
    "Execute a command in a running container",
    (
        Flag("detach", bool, "Detached mode: run command in the background", short="d"),
        Flag("detach-keys", str, "Override the key sequence for detaching a container", default="ctrl-p,ctrl-q"),
        Flag("env", check_variable, "Set environment variables", short="e", many=True),
        Flag("env-file", list, "Read in a file of environment variables", complete=FILES),
        Flag("interactive", bool, "Keep STDIN open even if not attached", short="i"),
        Flag("privileged", bool, "Give extended privileges to the command"),
        Flag("tty", bool, "Allocate a pseudo-TTY", short="t"),
        Flag("user", str, "Username or UID (format: <name|uid>[:<group|gid>])", short="u"),
        Flag("workdir", str, "Working directory inside the container", short="w"),
    ),
    minimum=2,
    interspersed=False,
    arguments=RUNNING,
)


def run(args: Arguments) -> int:
    from engine.cli.detachkeys import parse_keys
    from engine.cli.foreground import LEFT, Console, check_terminal, conversation_signals, converse

    name, *command = args.words
    env = variables(args.env_file, args.env)
    stdin = args.interactive and not args.detach
    check_terminal(stdin, args.tty)
    with opened(args) as engine, conversation_signals() as signals:
        attachment = drive(
            engine.exec(
                name,
                command,
                tty=args.tty,
                interactive=args.interactive,
                env=env,
                user=args.user,
                working_dir=args.workdir,
                privileged=args.privileged,
            )
        )
        try:
            if args.detach:
                return 0
            # as with Docker, a signal ends this conversation and not the command, unless it has a terminal of its own
            code = converse(attachment, Console(stdin=stdin, keys=parse_keys(args.detach_keys)), signals, None)
        finally:
            attachment.close()
    return 0 if code == LEFT else code
