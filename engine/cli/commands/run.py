"""`pilothouse run`: make a container and start it, in the foreground or detached."""

from __future__ import annotations

import sys

from engine.cli.acquire import image_for
from engine.cli.cidfile import CidFile
from engine.cli.drive import drive, opened
from engine.cli.flags import Arguments, UsageError
from engine.cli.options import RUN, run_options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.models import RunOptions

COMMAND = RUN
STREAMS = ("stdin", "stdout", "stderr")


def run(args: Arguments) -> int:
    attached = _streams(args)
    if attached and args.detach:
        raise UsageError("conflicting options: cannot specify both --attach and --detach", exit_code=1, brief=True)
    # nothing of the engine is needed to refuse a wrong flag; a range of ports needs to know which are free
    options = run_options(args)
    with CidFile(args.cidfile) as cid_file, opened(args) as engine:
        if any("-" in port for port in args.publish):
            options = run_options(args, is_free=lambda *port: not drive(engine.port_holder(*port)))
        if options.network == "host" and (options.ports or options.publish_all):
            print("WARNING: Published ports are discarded when using host network mode", file=sys.stderr)
        if options.detach:
            image_for(engine, options, quiet=args.quiet)
            container = drive(engine.run(options))
            cid_file.write(container.id)
            print(container.id)
            return 0
        return _in_foreground(engine, options, args, attached or _default_streams(options), cid_file)


def _in_foreground(
    engine: Engine, options: RunOptions, args: Arguments, streams: frozenset[str], cid_file: CidFile
) -> int:
    """Start with the terminal attached; the container's exit code."""
    from engine.cli.detachkeys import parse_keys
    from engine.cli.foreground import LEFT, Console, attend, check_terminal, conversation_signals

    check_terminal("stdin" in streams, options.tty)
    console = Console(
        stdin="stdin" in streams,
        stdout="stdout" in streams,
        stderr="stderr" in streams,
        keys=parse_keys(args.detach_keys),
    )
    image_for(engine, options, quiet=args.quiet)
    sys.stdout.flush()
    with conversation_signals() as signals:
        container, attachment = drive(engine.run_attached(options))
        cid_file.write(container.id)
        code = attend(engine, attachment, console, signals, sig_proxy=args.sig_proxy)
    return 0 if code == LEFT else code


def _streams(args: Arguments) -> frozenset[str]:
    """What `-a` names. Raises UsageError."""
    found = []
    for name in args.attach:
        if name.lower() not in STREAMS:
            reason = f'invalid argument "{name}" for "-a, --attach" flag: valid streams are STDIN, STDOUT and STDERR'
            raise UsageError(reason, args.command)
        found.append(name.lower())
    return frozenset(found)


def _default_streams(options: RunOptions) -> frozenset[str]:
    return frozenset(STREAMS if options.interactive else STREAMS[1:])
