"""A report of a container for a bug tracker: what it is, how it was run, what it said last."""

from __future__ import annotations

import json
import os
import re
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import EngineError, InvalidInput
from engine.models import LogQuery
from tui import format as short
from tui.reports import reports_directory
from tui.sanitize import plain_lines
from tui.story import story

if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.models import Container

LINES = 100  # of the log

_SECRET = re.compile(r"pass|secret|token|credential|private|api_?key|access_?key|auth", re.IGNORECASE)
_IN_URL = re.compile(r"(?<=://)([^/\s:@]+):[^/\s@]+(?=@)")
_HIDDEN = "(hidden)"


async def report(engine: Engine, container: Container) -> str:
    """The text, in Markdown. Values that look like secrets are hidden; what the log says is not looked through."""
    from engine.cli.options import command_line

    try:
        line = command_line(container.options)
    except InvalidInput:  # an entrypoint of several words has no form on the command line
        line = "(cannot be written as one command line)"
    host = await engine.info()
    found = await engine.inspect_container(container.id)
    log = []
    try:
        async for each in engine.logs(container.id, LogQuery(tail=LINES)):
            log += plain_lines(f"{each.timestamp} {each.stream} {each.text.decode(errors='backslashreplace')}")
    except EngineError as error:
        log = [f"(cannot be read: {error})"]
    facts = [
        ("state", f"{short.state(container)}" + (f": {story(container)}" if not container.running else "")),
        ("image", f"{container.image} ({container.image_id})"),
        ("restarts", f"{container.restart_count} (policy: {container.options.restart.name})"),
        ("created", _when(container.created)),
        ("started", _when(container.started)),
        ("finished", _when(container.finished)),
        ("engine", f"Pilothouse {host.version}, cgroup v{host.cgroup_version}"),
        ("host", f"{host.operating_system}, Linux {host.kernel}, {host.architecture}, {host.cpus} CPUs, "
                 f"{short.size(host.memory)} of memory"),
    ]  # fmt: skip
    return "\n".join(
        [
            f"# Container {container.name} ({container.short_id})",
            "",
            *(f"- {name}: {value}" for name, value in facts if value),
            "",
            "## Command line",
            "",
            *_fenced(hide_words(line)),
            "",
            f"## Last {len(log)} lines of its log",
            "",
            *_fenced("\n".join(log) or "(nothing)"),
            "",
            "## Inspect",
            "",
            *_fenced(json.dumps(hide(found), indent=2, ensure_ascii=True)),
            "",
        ]
    )


def save(name: str, text: str) -> str:
    """Write a report to a private file; its path, or "" where it cannot be written."""
    folder = reports_directory()
    path = folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{name}.md"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
    except OSError:
        return ""
    return str(Path(path))


def hide(value: Any) -> Any:
    """A copy of a JSON document with the values of secret-looking variables, keys and URLs hidden."""
    if isinstance(value, dict):
        return {
            key: _HIDDEN if isinstance(each, str) and each and _SECRET.search(key) else hide(each)
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [hide(each) for each in value]
    return _hide_word(value) if isinstance(value, str) else value


def hide_words(line: str) -> str:
    """The same for a command line."""
    try:
        words = shlex.split(line)
    except ValueError:
        return _IN_URL.sub(rf"\1:{_HIDDEN}", line)
    return shlex.join(_hide_word(word) for word in words)


def _hide_word(word: str) -> str:
    name, equals, _ = word.partition("=")
    if equals and _SECRET.search(name):
        return f"{name}={_HIDDEN}"
    return _IN_URL.sub(rf"\1:{_HIDDEN}", word)


def _fenced(text: str) -> list[str]:
    """A code block whose fence is longer than any in the text."""
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return [fence, text, fence]


def _when(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds)) if seconds else ""
