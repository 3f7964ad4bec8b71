"""The texts of `--help`, in Docker's layout."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Mapping, Sequence

from engine.cli.flags import PROGRAM, Command, Flag
from engine.cli.verbs import ALL, COMMON, NOUNS, OTHERS, entry


def program_help(flags: Sequence[Flag]) -> str:
    """What `pilothouse --help` prints."""
    width = max(len(verb) for verb in ALL)
    return "\n".join(
        (
            f"Usage:  {PROGRAM} [OPTIONS] COMMAND",
            "",
            "Pulls, runs and watches OCI containers without a daemon. Without a command it opens the dashboard.",
            "",
            "Common Commands:",
            *_verbs({verb: line for verb, (_, line) in COMMON.items()}, width),
            "",
            "Commands:",
            *_verbs({verb: line for verb, (_, line) in OTHERS.items()}, width),
            "",
            "Global Options:",
            *_flags(flags),
            "",
            f"Run '{PROGRAM} COMMAND --help' for more information on a command.",
        )
    )


def noun_help(noun: str) -> str:
    """What `pilothouse container --help` prints."""
    lines = {verb: (entry(means) or ALL[means])[1] for verb, means in sorted(NOUNS[noun].items())}
    width = max(len(verb) for verb in lines)
    return "\n".join((f"Usage:  {PROGRAM} {noun} COMMAND", "", "Commands:", *_verbs(lines, width)))


def command_help(command: Command) -> str:
    """What `pilothouse VERB --help` prints."""
    lines = [f"Usage:  {PROGRAM} {command.name} {command.usage}".rstrip(), "", command.description]
    if any(not flag.hidden for flag in command.flags):
        lines += ["", "Options:", *_flags(sorted(command.flags, key=lambda flag: flag.name))]
    return "\n".join(lines)


def _verbs(lines: Mapping[str, str], width: int) -> list[str]:
    return [f"  {verb:<{width}}  {line}" for verb, line in lines.items()]


def _flags(flags: Sequence[Flag]) -> list[str]:
    shown = [flag for flag in flags if not flag.hidden]
    names = [f"{f'-{flag.short}, ' if flag.short else '    '}--{flag.name} {flag.value}".rstrip() for flag in shown]
    width = max(len(name) for name in names)
    columns = max(shutil.get_terminal_size().columns, width + 30)
    lines = []
    for name, flag in zip(names, shown, strict=True):
        text = flag.help
        if flag.takes_value and flag.default not in (None, "", [], 0):
            text += f" (default {flag.default!r})" if isinstance(flag.default, str) else f" (default {flag.default})"
        first, *more = textwrap.wrap(text, columns - width - 5) or [""]
        lines.append(f"  {name:<{width}}   {first}".rstrip())
        lines += [" " * (width + 5) + line for line in more]
    return lines
