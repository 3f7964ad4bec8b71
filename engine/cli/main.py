"""The program: finds the verb, runs its module, and turns every failure into one sentence and Docker's exit code."""

from __future__ import annotations

import gc
import os
import sys

from engine.cli.flags import PROGRAM, Flag, HelpWanted, UsageError, parse, scan
from engine.cli.verbs import ALL, NOUNS, entry
from engine.errors import EngineError, InvalidInput

TYPE_CHECKING = False  # importing typing costs ten milliseconds
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, NoReturn

    from engine.cli.flags import Command

GLOBAL_FLAGS = (
    Flag("root", str, "Where images and containers are kept", value="dir"),
    Flag("runroot", str, "Where the state of running containers is kept", value="dir"),
    Flag("debug", bool, "Show where an unexpected error came from", short="D"),
    Flag("version", bool, "Print the version", short="v"),
)
# Failures of these verbs, before the container's own exit code can speak, are the engine's: 125 (docker-run(1)).
ENGINE_FAILURE = {"run": 125}
INTERRUPTED = 130
GARBAGE_THRESHOLD = 20_000  # objects made and not freed before the interpreter looks for cycles; its default is 700
PIPE_CLOSED = 141  # what a shell reports for a program ended by SIGPIPE


def program() -> NoReturn:
    """The installed program: `main`, less what an interpreter does for programs that live longer.

    Looking for garbage while modules are imported takes 3 ms of every command, taking all of them down again 5.
    """
    gc.set_threshold(GARBAGE_THRESHOLD)
    code = main()
    if "threading" in sys.modules:  # there may be threads to wait for, and what they have left for the end
        sys.exit(code)
    os._exit(code)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        code = _run(words)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        _drop_output()
        return INTERRUPTED
    except BrokenPipeError:
        _drop_output()
        return PIPE_CLOSED


def _run(words: list[str]) -> int:
    command: Command | None = None
    verb = ""
    debug = "-D" in words or "--debug" in words
    try:
        options, rest, _ = scan(GLOBAL_FLAGS, words, interspersed=False)
        debug = options["debug"]
        if options["version"]:
            from engine import __version__

            print(f"Pilothouse version {__version__}")
            return 0
        if rest[:1] == ["__complete"]:
            from engine.cli.complete import main as complete

            return complete(rest[1:])
        verb, rest = _verb(rest)
        if verb == "help":
            return _help(rest)
        module = _module((entry(verb) or ALL[verb])[0])
        command = module.COMMAND
        args = parse(module.COMMAND, rest)
        args.root, args.runroot = options["root"] or None, options["runroot"] or None
        return module.run(args)
    except HelpWanted:
        return _help([verb] if verb else [])
    except UsageError as error:
        return _usage_error(error, command)
    except EngineError as error:
        return _failure(error, verb)
    except (KeyboardInterrupt, BrokenPipeError):
        raise
    except Exception as error:
        return _unexpected(error, verb, debug)


def _module(name: str) -> Any:
    """`importlib.import_module`, which costs half a millisecond to import itself."""
    __import__(name)
    return sys.modules[name]


def _verb(words: list[str]) -> tuple[str, list[str]]:
    """The verb that was typed and what follows it; nothing typed means the dashboard, at a terminal."""
    if not words:
        return ("dash" if sys.stdin.isatty() and sys.stdout.isatty() else "help"), []
    verb, rest = words[0], words[1:]
    if verb in NOUNS:
        known = NOUNS[verb]
        if rest and rest[0] in known:
            if verb in ("image", "container") and rest[0] == "inspect":
                return "inspect", ["--type", verb, *rest[1:]]
            return known[rest[0]], rest[1:]
        if not rest or rest[0] in ("--help", "-h"):
            return "help", [verb]
        raise UsageError(f"{PROGRAM}: '{verb} {rest[0]}' is not a {PROGRAM} command.", exit_code=1)
    if verb not in ALL and verb != "help":
        raise UsageError(f"{PROGRAM}: '{verb}' is not a {PROGRAM} command.{_did_you_mean(verb)}", exit_code=1)
    return verb, rest


def _did_you_mean(verb: str) -> str:
    from difflib import get_close_matches

    close = get_close_matches(verb, ALL, n=1)
    return f" Did you mean '{close[0]}'?" if close else ""


def _help(words: list[str]) -> int:
    from engine.cli.help import command_help, noun_help, program_help

    if not words:
        print(program_help(GLOBAL_FLAGS))
    elif words[0] in NOUNS:
        print(noun_help(words[0]))
    elif known := entry(words[0]):
        print(command_help(_module(known[0]).COMMAND))
    else:
        raise UsageError(f"{PROGRAM}: '{words[0]}' is not a {PROGRAM} command.", exit_code=1)
    return 0


def _usage_error(error: UsageError, command: Command | None) -> int:
    from engine.cli.terminal import say

    command = error.command or command
    say(error.message)
    if error.hint:
        say(error.hint)
    if error.brief:
        return error.exit_code
    say(f"See '{PROGRAM} {command.name} --help'." if command else f"See '{PROGRAM} --help'")
    if command and error.exit_code == 1:
        say(f"\nUsage:  {PROGRAM} {command.name} {command.usage}\n\n{command.description}")
    return error.exit_code


def _failure(error: EngineError, verb: str) -> int:
    """Tell of a failure the engine knows: `run` has a form of its own, as Docker's."""
    from engine.cli.terminal import say

    if verb == "run":
        say(f"{PROGRAM}: {error.message}")
    else:
        say(f"Error: {error.message}")
    if error.hint:
        say(error.hint)
    if verb == "run" and isinstance(error, InvalidInput):
        say(f"See '{PROGRAM} {verb} --help'.")
    return max(error.exit_code, ENGINE_FAILURE.get(verb, 0)) if verb in ("run", "exec") else 1


def _unexpected(error: Exception, verb: str, debug: bool) -> int:
    """Tell of a failure nobody foresaw in one sentence; what a maker of Pilothouse needs to know goes to a file."""
    from engine.cli.report import write_report
    from engine.cli.terminal import say

    if debug:
        import traceback

        traceback.print_exc()
    where = write_report(error, verb)
    reason = str(error) or "no reason given"
    told = f"; details are in {where}" if where else ""
    say(f"{PROGRAM}: something unexpected went wrong ({type(error).__name__}: {reason}){told}")
    return ENGINE_FAILURE.get(verb, 1)


def _drop_output() -> None:
    """Give stdout and stderr nowhere to go, so that the interpreter's last flush does not complain."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


if __name__ == "__main__":
    program()
