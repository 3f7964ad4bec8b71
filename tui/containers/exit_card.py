"""The card of a container that has ended: how, after how long, its last words, what that means, what can be done."""

from __future__ import annotations

import re
import textwrap
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from engine.models import Container, State
from tui import format as short
from tui.containers.ended import word
from tui.logs.levels import level_of
from tui.sanitize import plain
from tui.state.world import World
from tui.story import reading
from tui.widgets.table import Cell, cell

LABEL = 12  # cells before the text
WORDS = 4  # last lines of the log

_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b.")
_ADDRESS = re.compile(r"(?<![\d.])(\d{1,3}(?:\.\d{1,3}){3})(?![\d.])")
_NO_ANSWER = re.compile(
    r"refused|unreachable|timed? ?out|no route|could not connect|can(?:no|')t connect|ECONN|EHOSTUNREACH|ETIMEDOUT"
    r"|not known|could not resolve|ENOTFOUND|EAI_AGAIN|no such host|bad address",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Suspect:
    """Another container that a program could not reach, and what is to be said of it."""

    container: Container
    sentence: str


def heading(container: Container, now: float) -> str:
    """`migrate exited 14m ago`."""
    name = plain(container.name)
    if container.state is State.CREATED:
        return f"{name} has not been started"
    if container.state is State.RESTARTING:
        return f"{name} is about to be started again"
    return f"{name} exited {short.since(container, now)}"


def lines(
    container: Container,
    words: list[str],
    suspects: list[Suspect],
    width: int,
    height: int,
    keys: list[tuple[str, str]],
    *,
    starter: str = "",
    focused: bool = True,
) -> list[Cell]:
    """The card. `words`: its last ones, as `spoken`. `keys`: what can be done, each with its key, heard when `focused`.
    `starter`: who began the run; empty if that is not known.

    With little room, what is known by itself goes first and the keys stay in view.
    """
    ending = word(container)
    label = max(LABEL, len(ending) + 2)  # `exit 137 SIGKILL` is longer than any label
    labelled = partial(_labelled, width=label)
    room = max(20, width - label)
    first = _facts(container, starter)
    sentences = (reading(container), *(suspect.sentence for suspect in suspects))
    means = [f"{sentence[0].upper()}{sentence[1:]}." for sentence in sentences if sentence]
    meaning = [part for sentence in means for part in textwrap.wrap(sentence, room)]
    if container.state is State.CREATED and not container.error:
        meaning = []
    body: list[Cell] = []
    if container.finished:
        if _long(first) > room:
            first[-1] = first[-1].partition(" (")[0]  # rather no policy than half of one
        if _long(first) > room:
            del first[1:-1]  # nor who began it
        gap = max(2, min(6, (room - sum(map(len, first))) // max(1, len(first) - 1)))
        body.append(labelled(ending, _cut((" " * gap).join(first), room), ""))
    else:
        body.append(labelled("", first[0], short.tone(container)))
    left = height - len(body) - len(meaning) - 1  # the last line is for the keys
    last = _last_words(words, max(1, min(WORDS, left)))
    wrapped = [part for line in last for part in textwrap.wrap(line, room, subsequent_indent="  ")]
    for place, line in enumerate(wrapped if len(wrapped) <= left else last):
        body.append(labelled("last words" if place == 0 else "", _cut(line, room), ""))
    body += [labelled("reading" if place == 0 else "", part, "") for place, part in enumerate(meaning)]
    if len(body) + 4 <= height:
        body.append(labelled("command", _cut(plain(" ".join(container.command)), room), "muted"))
        if container.finished:
            moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(container.finished))
            body.append(labelled("ended at", moment, "muted"))
    foot: list[Cell] = [_keys(keys, focused, width)]
    if len(body) + 2 <= height:
        foot.insert(0, cell(""))
    return [*body[: max(1, height - len(foot))], *foot]


def _facts(container: Container, starter: str) -> list[str]:
    if not container.finished:
        return ["made, and never started" if not container.error else "its last start failed"]
    policy = container.options.restart.name
    by = [f"started by {plain(starter)}"] if starter else []
    return [f"ran {short.ran(container) or '?'}", *by, f"restarts {container.restart_count} (policy: {policy})"]


def _long(facts: list[str]) -> int:
    """Cells they need with two blanks between them."""
    return sum(map(len, facts)) + 2 * (len(facts) - 1)


def spoken(words: Iterable[str]) -> list[str]:
    """Lines of a log without escapes, tabs spread out, those left out that say nothing."""
    said = (plain(_ESCAPE.sub("", line).expandtabs()).rstrip() for line in words)
    return [line for line in said if line.strip()]


def missing(world: World, container: Container, said: list[str]) -> list[Suspect]:
    """Containers that its last words speak of as not answering, those that do not run first."""
    found: dict[str, Suspect] = {}
    for line in said:
        if not _NO_ANSWER.search(line):
            continue
        for address in _ADDRESS.findall(line):
            other = world.containers.get(world.addresses.get(address, ""))
            if other is not None and other.id != container.id:
                found.setdefault(other.id, Suspect(other, f"{address} {_how(other, 'is', 'belonged to')}"))
        for other in world.containers.values():
            if other.id != container.id and not other.running and re.search(rf"\b{re.escape(other.name)}\b", line):
                sentence = f"`{plain(other.name)}` does not run: {short.state(other)}"
                found.setdefault(other.id, Suspect(other, sentence))
    return sorted(found.values(), key=lambda suspect: suspect.container.running)


def _how(other: Container, is_: str, was: str) -> str:
    name = plain(other.name)
    return f"{is_} `{name}`, which runs" if other.running else f"{was} `{name}`, which is not running"


def _last_words(said: list[str], count: int) -> list[str]:
    """The last `count` lines; if an error is told in them, from there on: a trace may follow it."""
    said = said[-WORDS:]
    if len(said) <= count:
        return said
    for place, line in enumerate(said):
        if level_of(line.encode(errors="replace")) == "E":
            return said[place : place + count]
    return said[-count:]


def _labelled(label: str, text: str, tone: str, width: int) -> Cell:
    return ((f"{label:<{width}}", "title"), (text, tone))


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else text[: room - 1] + "…"


def _keys(keys: list[tuple[str, str]], focused: bool, width: int) -> Cell:
    """As far apart as there is room for; what finds none is left out."""
    words = [f"{key} {verb}" for key, verb in keys]
    gap = " " * (4 if len((" " * 4).join(words)) <= width else 2)
    while words and len(gap.join(words)) > width:
        words.pop()
    spans: list[tuple[str, str]] = []
    for place, (key, verb) in enumerate(keys[: len(words)]):
        spans += [(f"{gap if place else ''}{key}", "title" if focused else "muted"), (f" {verb}", "muted")]
    return tuple(spans)
