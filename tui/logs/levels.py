"""How grave a line says it is: the level that a program wrote into it, or into the line that it goes on from."""

from __future__ import annotations

import re
from collections.abc import Callable

LEVELS = {"E": "Error", "W": "Warn", "I": "Info", "D": "Debug"}
_WITHIN = 240  # bytes of a line's beginning in which its level stands, if it has one

_ERROR = rb"error|err|fatal|crit|critical|panic|severe|emerg|emergency|alert"
_WARN = rb"warn|warning"
_INFO = rb"info|information|notice"
_DEBUG = rb"debug|trace|verbose|fine|finer|finest"
# A path, a flag or a longer name that has such a word in it is no level.
_WORD = re.compile(
    rb"(?<![\w/.\-])(?:(" + _ERROR + rb")|(" + _WARN + rb")|(" + _INFO + rb")|(" + _DEBUG + rb"))(?![\w/\-])"
    rb'|"level":(?:([56]0)|(40)|(30)|([12]0))\b'  # pino and bunyan count in tens
    rb"|(?:^|\[)(?:([EF])|(W)|(I)|(D))(?=\]|\d{4} )",  # klog; [E] as Ruby and others have it
    re.IGNORECASE,
)
_TRACEBACK = b"Traceback (most recent call last)"
# What goes on from the line before: the frames of stacks, and what Python, Java and Node write between them. Of
# indented lines not those that begin with a level of their own.
_GOES_ON = re.compile(
    rb"[ \t]++(?![\[(<]?(?i:" + b"|".join((_ERROR, _WARN, _INFO, _DEBUG)) + rb")[\]):> ])"
    rb"|at [\w.$<(]|Caused by: |\.\.\. \d+ |Traceback \(|(?:During handling of|The above exception) "
    rb"|[A-Za-z_][\w.$]*(?:Error|Exception|Exit|Interrupt)(?:: |\r?$)"
)

Before = Callable[[], str]  # asked only where it matters: the level of the line before, on the same stream


def level_of(text: bytes) -> str:
    """E, W, I or D by the first word of the kind in the line; empty if it has none."""
    found = _WORD.search(text, 0, _WITHIN)
    return "EWID"[(found.lastindex - 1) % 4] if found is not None and found.lastindex else ""


def goes_on(text: bytes) -> bool:
    """Whether the line belongs to the one before it, as the lines of a stack trace do."""
    return _GOES_ON.match(text) is not None


def inherited_level(text: bytes, before: Before) -> str:
    """E, W, I or D; empty if neither the line nor what it goes on from says."""
    if not goes_on(text):
        return level_of(text)
    inherited = before()
    if text.startswith(_TRACEBACK) and inherited not in ("E", "W"):
        return "E"  # nobody announced it
    return inherited or level_of(text)
