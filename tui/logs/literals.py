"""Words that every match of a regular expression has: what is quickly looked for before the expression is tried."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import NamedTuple

_SPECIAL = ".^$*+?{}[]\\|()"
_ESCAPED = {"n": "\n", "t": "\t"}  # those of the escapes with letters that stand for one character


class Word(NamedTuple):
    """A literal, and how many characters of the match can stand before it: None if there is no limit."""

    text: str
    before: int | None


def required(expression: str, *, ignore_case: bool) -> tuple[Word, ...]:
    """Literals of which every match has at least one: one for each alternative; () if that cannot be told.

    Reads no more of the syntax than it must; what it is not sure of it leaves out. With `ignore_case` in small letters.
    """
    if re.search(r"\(\?[aiLmsux-]+[:)]|\(\?\(|\\[0-9xuUN]", expression):
        return ()  # flags inside, conditions, characters by number
    found: list[Word] = []
    for branch in _branches(expression):
        best = max(_runs(branch, ignore_case=ignore_case), key=lambda word: len(word.text), default=Word("", None))
        if len(best.text) < 2:
            return ()
        found.append(best)
    return tuple(found)


def _branches(expression: str) -> list[str]:
    """The alternatives of the whole expression."""
    cuts = [-1]
    at = depth = 0
    while at < len(expression):
        character = expression[at]
        if character == "\\":
            at += 1
        elif character == "[":
            at = _end_of_set(expression, at)
        elif character in "()":
            depth += 1 if character == "(" else -1
        elif character == "|" and not depth:
            cuts.append(at)
        at += 1
    cuts.append(len(expression))
    return [expression[begin + 1 : end] for begin, end in pairwise(cuts)]


def _runs(branch: str, *, ignore_case: bool) -> list[Word]:
    """The literals of one alternative."""
    found: list[Word] = []
    run = ""
    width: int | None = 0  # the most characters so far
    before: int | None = 0  # the most before `run`
    at = 0
    while at < len(branch):
        character = branch[at]
        literal = ""
        wide: int | None = 1
        if character == "\\":
            at += 1
            escaped = branch[at : at + 1]
            literal = _ESCAPED.get(escaped, "") if escaped.isalnum() else escaped
        elif character == "[":
            at = _end_of_set(branch, at)
        elif character == "(":
            at = _end_of_group(branch, at)
            wide = None
        elif character not in _SPECIAL:
            literal = character
        at += 1
        optional, repeated, at = _quantifier(branch, at)
        if ignore_case and not literal.isascii():
            literal = ""
        literal = literal.lower() if ignore_case else literal
        if literal and not optional:
            run += literal
        width = None if width is None or wide is None or repeated else width + wide
        if not literal or optional or repeated:
            found.append(Word(run, before))
            # x+y: what follows stands after the last x
            run = literal if literal and repeated and not optional else ""
            before = width
    return [*found, Word(run, before)]


def _quantifier(branch: str, at: int) -> tuple[bool, bool, int]:
    """(may be missing, may come again, place after it)."""
    optional = repeated = False
    while at < len(branch):
        character = branch[at]
        if character in "*?+":
            optional = optional or character in "*?"
            repeated = True
            at += 1
            continue
        counted = re.match(r"\{(\d*)(,?)\d*\}", branch[at:])
        if counted is None or counted[0] == "{}":
            break
        optional = optional or not counted[1] or int(counted[1]) == 0
        repeated = True
        at += counted.end()
    return optional, repeated, at


def _end_of_set(text: str, at: int) -> int:
    """Where the set that begins at `at` is closed."""
    at += 1
    if text[at : at + 1] == "^":
        at += 1
    first = at
    while at < len(text) and (text[at] != "]" or at == first):
        at += 2 if text[at] == "\\" else 1
    return at


def _end_of_group(text: str, at: int) -> int:
    depth = 0
    while at < len(text):
        character = text[at]
        if character == "\\":
            at += 1
        elif character == "[":
            at = _end_of_set(text, at)
        elif character == "(":
            depth += 1
        elif character == ")":
            depth -= 1
            if not depth:
                return at
        at += 1
    return at
