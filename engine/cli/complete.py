"""What the shell may offer next: verbs, flags, names of containers and images; for the scripts of `completion`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from importlib import import_module

from engine.cli.flags import (
    CAPABILITIES,
    CONTAINERS,
    FILES,
    IMAGES,
    RUNNING,
    STOPPED,
    VOLUMES,
    Command,
    Flag,
    HelpWanted,
)
from engine.cli.verbs import ALL, NOUNS, entry
from engine.errors import EngineError

# A line of its own that tells the script to complete file names instead.
FILE_NAMES = ":files"


def main(words: Sequence[str]) -> int:
    """Print the candidates, one a line. `words`: the shell; then for bash the line up to the cursor, else its words
    with the one that is being typed last."""
    shell, *rest = words or ("bash",)
    typed = _bash_words(rest[0] if rest else "") if shell == "bash" else rest
    try:
        found = candidates(typed[1:])
    except (EngineError, OSError, HelpWanted):
        return 0  # nothing to offer; a shell's prompt is no place for a complaint
    current = typed[-1] if typed else ""
    # bash takes `redis:7` and `a=b` for several words and wants only the last of them
    cut = max(current.rfind(":"), current.rfind("=")) + 1 if shell == "bash" else 0
    for candidate, help in found:
        if candidate == FILE_NAMES:
            print(candidate)
        elif shell == "fish":
            print(f"{candidate}\t{help}" if help else candidate)
        elif shell == "zsh":
            name = candidate.replace("\\", "\\\\").replace(":", "\\:")
            print(f"{name}:{help}" if help else name)
        else:
            print(candidate[cut:])
    return 0


def candidates(typed: Sequence[str]) -> list[tuple[str, str]]:
    """(candidate, help) for the last of the words after the program's name."""
    *before, current = typed or ("",)
    before = _global_options(before)
    if not before:
        if current.startswith("-"):
            return _matching(current, (("--root", ""), ("--runroot", ""), ("--help", ""), ("--version", "")))
        verbs = [*((verb, line) for verb, (_, line) in ALL.items()), *((noun, "") for noun in NOUNS), ("help", "")]
        return _matching(current, verbs)
    verb, *rest = before
    if verb in NOUNS:
        if not rest:
            return _matching(
                current, ((name, (entry(means) or ALL[means])[1]) for name, means in sorted(NOUNS[verb].items()))
            )
        verb, rest = NOUNS[verb].get(rest[0], ""), rest[1:]
    known = entry(verb)
    if known is None:
        return _matching(current, ((name, line) for name, (_, line) in ALL.items())) if verb == "help" else []
    return _of_command(import_module(known[0]).COMMAND, rest, current)


def _of_command(command: Command, before: list[str], current: str) -> list[tuple[str, str]]:
    """Candidates for a word of one command: a flag, a flag's value, or an argument."""
    flags = {f"--{flag.name}": flag for flag in command.flags if not flag.hidden}
    flags |= {f"-{flag.short}": flag for flag in command.flags if flag.short}
    arguments: list[str] = []
    expecting: Flag | None = None
    for word in before:
        if expecting is not None:
            expecting = None
        elif word.startswith("-") and word != "-" and (command.interspersed or not arguments):
            flag = flags.get(word) or (flags.get(f"-{word[-1]}") if not word.startswith("--") else None)
            expecting = flag if flag is not None and flag.takes_value and "=" not in word else None
        else:
            arguments.append(word)
    if expecting is not None:
        return _offered(expecting.complete, current, arguments)
    if current.startswith("--") and "=" in current:
        name, _, part = current.partition("=")
        if name in flags:
            return [(f"{name}={found}", help) for found, help in _offered(flags[name].complete, part, arguments)]
    if current.startswith("-") and (command.interspersed or not arguments):
        return _matching(current, ((name, flag.help) for name, flag in flags.items() if len(name) > 2))
    if command.maximum is not None and len(arguments) >= command.maximum:
        return []
    if not command.interspersed and arguments:
        return [(FILE_NAMES, "")]
    return _offered(command.arguments, current, arguments)


def _offered(sources: str | None, current: str, taken: Sequence[str]) -> list[tuple[str, str]]:
    """What the named sources have for a word that begins with `current`, without what was typed already."""
    found: list[tuple[str, str]] = []
    for source in (sources or FILES).split():
        if source == FILES:
            found.append((FILE_NAMES, ""))
        elif source in (CONTAINERS, RUNNING, STOPPED):
            found += _matching(current, _containers(source))
        elif source == IMAGES:
            found += _matching(current, _images())
        elif source == VOLUMES:
            found += _matching(current, _volumes())
        elif source == CAPABILITIES:
            found += _matching(current.upper(), ((name, "") for name in ("ALL", *_CAPABILITIES)))
        else:
            found += _matching(current, ((source, ""),))
    return [(candidate, help) for candidate, help in found if candidate not in taken]


def _containers(source: str) -> list[tuple[str, str]]:
    from engine.cli.drive import drive, opened
    from engine.cli.flags import Arguments
    from engine.models import State

    with opened(Arguments(Command("", "", ""), {}, [], frozenset())) as engine:
        containers = drive(engine.containers())
    return [
        (one.name, f"{one.image}, {one.state}")
        for one in containers
        if source == CONTAINERS or (source == RUNNING) == (one.running or one.state is State.RESTARTING)
    ]


def _images() -> list[tuple[str, str]]:
    from engine.cli.drive import drive, opened
    from engine.cli.flags import Arguments
    from engine.reference import parse

    with opened(Arguments(Command("", "", ""), {}, [], frozenset())) as engine:
        images = drive(engine.images())
    return [(parse(name).familiar, "") for image in images for name in image.references]


def _volumes() -> list[tuple[str, str]]:
    from engine.cli.drive import drive, opened
    from engine.cli.flags import Arguments

    with opened(Arguments(Command("", "", ""), {}, [], frozenset())) as engine:
        volumes = drive(engine.volumes())
    return [(volume.name, "used" if volume.users else "unused") for volume in volumes]


def _matching(current: str, offered: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name, help) for name, help in offered if name.startswith(current) and name.isprintable()]


def _global_options(words: Sequence[str]) -> list[str]:
    """The words without the options before the verb; the root they name is the one names are looked up in."""
    rest = list(words)
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        name, equals, value = option.partition("=")
        if name in ("--root", "--runroot"):
            value = value if equals else (rest.pop(0) if rest else "")
            os.environ["PILOTHOUSE_ROOT" if name == "--root" else "PILOTHOUSE_RUN"] = value
    return rest


def _bash_words(line: str) -> list[str]:
    """A line up to the cursor as words; the last is empty after a space. An open quote is closed."""
    import shlex

    for ending in ("", '"', "'"):
        try:
            words = shlex.split(line + ending)
        except ValueError:
            continue
        return words if words and not line[-1:].isspace() else [*words, ""]
    return [""]


# capabilities(7), up to CAP_CHECKPOINT_RESTORE
_CAPABILITIES = (
    "AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND BPF CHECKPOINT_RESTORE CHOWN DAC_OVERRIDE DAC_READ_SEARCH "
    "FOWNER FSETID IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE MKNOD NET_ADMIN "
    "NET_BIND_SERVICE NET_BROADCAST NET_RAW PERFMON SETFCAP SETGID SETPCAP SETUID SYSLOG SYS_ADMIN SYS_BOOT "
    "SYS_CHROOT SYS_MODULE SYS_NICE SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG WAKE_ALARM"
).split()
