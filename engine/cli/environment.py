"""`-e`, `--env-file`, `-l` and `--label-file`: variables and labels as typed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence

from engine.errors import InvalidInput


def check_variable(text: str) -> str:
    """`NAME=value`, or `NAME` to take it over from the caller. Raises InvalidInput."""
    if not text.partition("=")[0]:
        raise InvalidInput(f"invalid environment variable: {text}")
    return text


def check_label(text: str) -> str:
    """`key=value` or `key`. Raises InvalidInput."""
    if not text.partition("=")[0]:
        raise InvalidInput(f"invalid label '{text}': empty name")
    return text


def variables(files: Sequence[str], given: Sequence[str], environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """What `--env-file` and then `-e` set. `NAME` alone takes the caller's value; if the caller has none, it stays
    `NAME` for `-e`, which removes the image's variable, and is left out for a file (docker-run(1))."""
    environ = os.environ if environ is None else environ
    found: list[str] = []
    for path in files:
        for line in _lines(path, "env"):
            if "=" in line:
                found.append(line)
            elif line in environ:
                found.append(f"{line}={environ[line]}")
    for text in given:
        found.append(f"{text}={environ[text]}" if "=" not in text and text in environ else text)
    return tuple(found)


def labels(files: Sequence[str], given: Iterable[str]) -> dict[str, str]:
    """What `--label-file` and then `-l` set; a key without a value gets the empty one."""
    found: dict[str, str] = {}
    for path in files:
        for line in _lines(path, "label"):
            key, _, value = line.partition("=")
            found[key] = value
    for text in given:
        key, _, value = text.partition("=")
        found[key] = value
    return found


def _lines(path: str, what: str) -> list[str]:
    """The meaningful lines of a file of variables: no comments, no blank lines, no space before the name."""
    try:
        with open(path, "rb") as file:
            content = file.read(1 << 20)
    except OSError as error:
        raise InvalidInput(f"open {path}: {(error.strerror or str(error)).lower()}") from error
    found = []
    for number, raw in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        try:
            line = raw.decode("utf-8").removesuffix("\r").lstrip()
        except UnicodeDecodeError:
            raise InvalidInput(f"invalid {what} file ({path}): invalid utf8 bytes at line {number}") from None
        if not line or line.startswith("#"):
            continue
        name = line.partition("=")[0]
        if any(character.isspace() for character in name):
            raise InvalidInput(f"invalid {what} file ({path}): variable '{name}' contains whitespaces")
        if not name:
            raise InvalidInput(f"invalid {what} file ({path}): no variable name on line '{line}'")
        if "\0" in line:
            raise InvalidInput(f"invalid {what} file ({path}): NUL byte at line {number}")
        found.append(line)
    return found
