"""Text on its way to a terminal: nothing a container or a registry says may steer the terminal."""

from __future__ import annotations

import os
import re
import sys

# C0 and C1 controls, DEL, and the marks that reorder text or change its direction (Trojan Source, CVE-2021-42574).
# A string: compiling it takes a millisecond of every command, and few come to print what somebody else has said.
_UNSAFE = "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"


def safe(text: str, keep: str = "") -> str:
    """`text` with every character that could steer a terminal made visible (`\\x1b`), except those in `keep`."""
    if text.isprintable():
        return text  # no such character is printable
    return re.sub(_UNSAFE, lambda found: found[0] if found[0] in keep else _visible(found[0]), text)


def _visible(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8, as the file system codec hands it over
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def say(text: str) -> None:
    """One message to the user, on stderr: made safe always, since what ends in a file is shown by another program."""
    if sys.stderr is None:
        return
    sys.stdout.flush()
    sys.stderr.write(safe(text, keep="\n\t").encode("utf-8", "backslashreplace").decode() + "\n")
    sys.stderr.flush()


def put(text: str) -> None:
    """Result text to stdout: made safe if that is a terminal, as it is if a program reads it."""
    if sys.stdout.isatty():
        text = safe(text, keep="\n\t")
    try:
        sys.stdout.write(text)
    except UnicodeEncodeError:  # a locale without UTF-8, or bytes that never were text
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))


def columns() -> int:
    """Width of the terminal on stdout; 80 if there is none."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or 80
    except OSError:
        return 80
