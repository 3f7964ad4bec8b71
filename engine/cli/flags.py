"""Reading a command's words as Docker does: flags by POSIX and GNU habits (pflag), then arguments.

Our own instead of argparse, because their rules differ where users notice: an option's value may begin with a dash
(`-e -x`), `--rm=false` is a boolean, nothing is abbreviated, options of `run` and `exec` stop at the first argument,
and the error texts are what scripts look for. It also costs one millisecond to import, not eight.
"""

from __future__ import annotations

from engine.errors import InvalidInput

TYPE_CHECKING = False  # importing typing costs ten milliseconds
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

PROGRAM = "pilothouse"

# What the shell may offer for a value or an argument; `complete.py` finds the candidates.
CONTAINERS, RUNNING, STOPPED, IMAGES, VOLUMES, FILES, CAPABILITIES = (
    "containers", "running", "stopped", "images", "volumes", "files", "capabilities"
)  # fmt: skip

_TRUE = frozenset(("1", "t", "T", "true", "TRUE", "True"))
_FALSE = frozenset(("0", "f", "F", "false", "FALSE", "False"))


class UsageError(InvalidInput):
    """The words of a command do not fit its flags. Docker ends with 125 for a wrong flag, 1 for a wrong count.

    `brief`: the message says it all; nothing about usage follows.
    """

    def __init__(
        self,
        message: str,
        command: Command | None = None,
        *,
        exit_code: int = 125,
        brief: bool = False,
        hint: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.command = command
        self.exit_code = exit_code
        self.brief = brief


class HelpWanted(Exception):
    """`--help` was among the flags."""


class Flag:
    """One option of a command.

    `kind` is `bool`, `int`, `str`, `list` (may be repeated) or a function that turns the text into a value and raises
    InvalidInput; with `many` the results of the function are collected. `value` is the word that stands for the value
    in help; `complete` says what the shell may offer; `into` names the list that several flags fill together, in order.
    """

    __slots__ = (
        "choices",
        "complete",
        "convert",
        "default",
        "help",
        "hidden",
        "into",
        "many",
        "name",
        "short",
        "value",
    )

    def __init__(
        self,
        name: str,
        kind: Callable[[str], Any] | type = bool,
        help: str = "",
        *,
        short: str = "",
        default: Any = None,
        value: str = "",
        many: bool = False,
        choices: Sequence[str] = (),
        complete: str | None = None,
        hidden: bool = False,
        into: str = "",
    ) -> None:
        self.name, self.short, self.help, self.choices = name, short, help, tuple(choices)
        self.complete, self.hidden, self.into = complete, hidden, into
        self.many = many or kind is list
        self.convert: Callable[[str], Any] | None = _CONVERSIONS.get(kind, kind)
        self.value = value or _WORDS.get(kind, "list" if self.many else "string")
        self.default = default if default is not None or self.many else _DEFAULTS.get(kind)

    @property
    def takes_value(self) -> bool:
        return self.convert is not None

    @property
    def attribute(self) -> str:
        return self.into or self.name.replace("-", "_")

    @property
    def spelled(self) -> str:
        return f"-{self.short}, --{self.name}" if self.short else f"--{self.name}"

    def read(self, text: str, command: Command | None) -> Any:
        """The value that `text` stands for. Raises UsageError in pflag's words."""
        try:
            if self.convert is None:
                return _boolean(text)
            if self.choices and text not in self.choices:
                raise InvalidInput(f"must be one of {', '.join(self.choices)}")
            return self.convert(text)
        except InvalidInput as error:
            reason = f'invalid argument "{text}" for "{self.spelled}" flag: {error.message}'
            raise UsageError(reason, command) from error


class Command:
    """What one verb takes: its flags, how many arguments, how it is shown in help.

    `maximum` None means any number. `interspersed` False stops the flags at the first argument (run, create, exec).
    """

    __slots__ = ("arguments", "description", "flags", "interspersed", "maximum", "minimum", "name", "usage")

    def __init__(
        self,
        name: str,
        usage: str,
        description: str,
        flags: Sequence[Flag] = (),
        *,
        minimum: int = 0,
        maximum: int | None = None,
        interspersed: bool = True,
        arguments: str | None = None,
    ) -> None:
        self.name, self.usage, self.description = name, usage, description
        self.flags = tuple(flags)
        self.minimum, self.maximum, self.interspersed = minimum, maximum, interspersed
        self.arguments = arguments


class Arguments:
    """What was typed: a flag's value under its name with `_` for `-`; `words` are the arguments in order.

    `root` and `runroot` are the global options, filled in by main.
    """

    def __init__(self, command: Command, values: dict[str, Any], words: list[str], given: frozenset[str]) -> None:
        self.command = command
        self.words = words
        self.given = given
        self.root: str | None = None
        self.runroot: str | None = None
        self.values = values

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["values"][name]
        except KeyError:
            raise AttributeError(name) from None

    def was_given(self, name: str) -> bool:
        return name in self.given


def parse(command: Command, words: Sequence[str]) -> Arguments:
    """Read the words after the verb. Raises UsageError; HelpWanted for `--help`."""
    values, rest, given = scan(command.flags, words, interspersed=command.interspersed, command=command)
    check_count(command, len(rest))
    return Arguments(command, values, rest, given)


def scan(
    flags: Sequence[Flag], words: Sequence[str], *, interspersed: bool, command: Command | None = None
) -> tuple[dict[str, Any], list[str], frozenset[str]]:
    """Split words into flag values, arguments and the attributes that were given."""
    by_name = {flag.name: flag for flag in flags}
    by_short = {flag.short: flag for flag in flags if flag.short}
    values: dict[str, Any] = {flag.attribute: ([] if flag.many else flag.default) for flag in flags}
    given: set[str] = set()
    rest: list[str] = []

    def put(flag: Flag, text: str) -> None:
        value = flag.read(text, command)
        given.add(flag.attribute)
        if not flag.many:
            values[flag.attribute] = value
            return
        if flag.attribute not in collected:  # the first one given replaces the default
            collected.add(flag.attribute)
            values[flag.attribute] = []
        values[flag.attribute].append(value)

    collected: set[str] = set()
    queue = list(words)
    position = 0
    while position < len(queue):
        word = queue[position]
        position += 1
        if word == "--":
            rest.extend(queue[position:])
            break
        if word.startswith("--"):
            name, equals, text = word[2:].partition("=")
            flag = by_name.get(name)
            if flag is None:
                if name == "help":
                    raise HelpWanted
                raise UsageError(f"unknown flag: --{name}" if name else f"bad flag syntax: {word}", command)
            if equals:
                put(flag, text)
            elif not flag.takes_value:
                put(flag, "true")
            elif position < len(queue):
                put(flag, queue[position])
                position += 1
            else:
                raise UsageError(f"flag needs an argument: --{name}", command)
        elif word.startswith("-") and len(word) > 1:
            position = _short_flags(word, queue, position, by_short, put, command)
        else:
            rest.append(word)
            if not interspersed:
                rest.extend(queue[position:])
                break
    return values, rest, frozenset(given)


def _short_flags(
    word: str,
    queue: list[str],
    position: int,
    by_short: dict[str, Flag],
    put: Callable[[Flag, str], None],
    command: Command | None,
) -> int:
    """Read a cluster such as `-itd`, `-p80:80` or `-e=A=b`; return where to go on in the queue."""
    cluster = word[1:]
    while cluster:
        letter, cluster = cluster[0], cluster[1:]
        flag = by_short.get(letter)
        if flag is None:
            if letter == "h":
                raise HelpWanted
            raise UsageError(f"unknown shorthand flag: {letter!r} in {word}", command)
        if cluster.startswith("="):
            put(flag, cluster[1:])
            break
        if not flag.takes_value:
            put(flag, "true")
            continue
        if cluster:
            put(flag, cluster)
        elif position < len(queue):
            put(flag, queue[position])
            position += 1
        else:
            raise UsageError(f"flag needs an argument: {letter!r} in {word}", command)
        break
    return position


def check_count(command: Command, count: int) -> None:
    minimum, maximum = command.minimum, command.maximum
    if count >= minimum and (maximum is None or count <= maximum):
        return
    if maximum == 0:
        wanted = "accepts no arguments"
    elif minimum == maximum:
        wanted = f"requires exactly {minimum} argument{'s' if minimum != 1 else ''}"
    elif count < minimum:
        wanted = f"requires at least {minimum} argument{'s' if minimum != 1 else ''}"
    else:
        wanted = f"requires at most {maximum} argument{'s' if maximum != 1 else ''}"
    raise UsageError(f'"{PROGRAM} {command.name}" {wanted}.', command, exit_code=1)


def _boolean(text: str) -> bool:
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise InvalidInput(f'strconv.ParseBool: parsing "{text}": invalid syntax')


def _integer(text: str) -> int:
    try:
        if not text.isascii() or "_" in text or text != text.strip():
            raise ValueError(text)
        return int(text, 10)
    except ValueError:
        raise InvalidInput(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None


_WORDS: dict[Any, str] = {bool: "", int: "int", list: "list"}
_DEFAULTS: dict[Any, Any] = {bool: False, str: ""}
_CONVERSIONS: dict[Any, Callable[[str], Any] | None] = {bool: None, int: _integer, str: str, list: str}
