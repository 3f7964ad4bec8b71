"""The user's own settings of the dashboard: the `[dashboard]` and `[keys]` parts of config.toml.

```toml
[dashboard]
theme = "nord"                    # a built-in theme, or one in themes/ beside this file
probe = false                     # ask published ports nothing over the network
keys = "lazydocker"               # a preset: default, lazydocker or k9s
columns = ["name", "state", "ports", "cpu"]   # of the list of containers, in this order

[keys]
"containers.toggle" = "t,f5"      # id = keys; `pilothouse keys` lists the ids and the keys in force
```

A mistake costs the line it is on, never the dashboard: it is told with file and line, and the rest is in force.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.registry.configuration import configuration_path
from tui import keymap, presets, theming

SECTIONS = ("dashboard", "keys", "registry")  # the last is read by the engine


@dataclass(frozen=True, slots=True)
class Preferences:
    """What the file and the command line ask for. `keys`: for every id of the table the keys in force."""

    theme: str = ""
    probe: bool = True
    preset: str = presets.DEFAULT
    columns: tuple[str, ...] = ()
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=keymap.defaults)
    troubles: tuple[str, ...] = ()

    @property
    def changed(self) -> dict[str, str]:
        """What Textual is told: the ids whose keys are not those of the table."""
        return {id: ",".join(keys) for id, keys in self.keys.items() if keys != keymap.BY_ID[id].keys}


def load(path: Path | None = None, *, preset: str = "") -> Preferences:
    """From `path`, by default the user's config.toml; `preset` wins over the one named there.

    Nothing is raised for the file: what is wrong with it is in `troubles`, each beginning with `file:line:`.

    Raises: InvalidInput for a `preset` that does not exist.
    """
    file = path or configuration_path()
    if preset:
        presets.keys(preset)  # the command line's mistake is not the file's
    document, text, troubles = _read(file)
    reader = _Reader(file, text, troubles)
    for name in document:
        if name not in SECTIONS:
            reader.mistake("", name, f"unknown section [{name}]; there are {', '.join(SECTIONS)}")
    dashboard = reader.section(document, "dashboard")
    named = reader.value(dashboard, "keys", str, presets.DEFAULT)
    if named not in presets.PRESETS:
        reader.mistake(
            "dashboard", "keys", f"no such preset of keys: {named!r}; there are {', '.join(presets.PRESETS)}"
        )
        named = presets.DEFAULT
    columns = reader.value(dashboard, "columns", list, [])
    if not all(isinstance(column, str) for column in columns):
        reader.mistake("dashboard", "columns", "columns must be a list of names in quotes")
        columns = []
    if unknown := [column for column in columns if column not in _columns()]:
        reader.mistake(
            "dashboard", "columns", f"no such column: {', '.join(unknown)}; there are {', '.join(_columns())}"
        )
    theme = reader.value(dashboard, "theme", str, "")
    if theme and not theme.endswith(".toml") and theme not in theming.paths():
        reader.mistake(
            "dashboard", "theme", f"no such theme: {theme!r}; there are {', '.join(sorted(theming.paths()))}"
        )
        theme = ""
    probe = reader.value(dashboard, "probe", bool, True)
    for key in dashboard:
        if key not in ("theme", "probe", "keys", "columns"):
            reader.mistake("dashboard", key, f"unknown key {key!r}; there are theme, probe, keys, columns")
    base = presets.keys(preset or named)
    keys = _remapped(reader, base, reader.section(document, "keys"))
    return Preferences(theme, probe, preset or named, tuple(columns), keys, tuple(troubles))


def _columns() -> tuple[str, ...]:
    from tui.containers.columns import BY_KEY  # the widgets: only who chooses columns waits for them

    return tuple(BY_KEY)


def _read(file: Path) -> tuple[dict[str, Any], str, list[str]]:
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}, "", []
    except (OSError, UnicodeDecodeError) as error:
        return {}, "", [f"{file}:1: cannot be read: {error}"]
    try:
        return tomllib.loads(text), text, []
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"\(at line (\d+), column \d+\)", str(error))
        line = int(place.group(1)) if place else max(1, len(text.splitlines()))
        return {}, text, [f"{file}:{line}: {str(error).split(' (at ')[0]}; nothing in this file is in force"]


class _Reader:
    """Takes values out of the document; collects what is wrong with them."""

    def __init__(self, file: Path, text: str, troubles: list[str]) -> None:
        self._file = file
        self._lines = text.splitlines()
        self._troubles = troubles

    def mistake(self, section: str, key: str, words: str) -> None:
        self._troubles.append(f"{self._file}:{self.line(section, key)}: {words}")

    def section(self, document: dict[str, Any], name: str) -> dict[str, Any]:
        found = document.get(name, {})
        if isinstance(found, dict):
            return found
        self.mistake("", name, f"[{name}] must be a table")
        return {}

    def value(self, section: dict[str, Any], key: str, kind: type, default: Any) -> Any:
        found = section.get(key, default)
        if isinstance(found, kind):
            return found
        kinds = {str: "text in quotes", bool: "true or false", list: "a list of names in quotes"}
        self.mistake("dashboard", key, f"{key} must be {kinds[kind]}")
        return default

    def line(self, section: str, key: str) -> int:
        """Where `key` is set in `[section]` ("": where a section or a key of that name begins)."""
        here = ""
        for number, line in enumerate(self._lines, 1):
            heading = re.match(r"\s*\[+\s*[\"']?([^\]\"']+)", line)
            if heading:
                here = heading.group(1).strip()
                if not section and here.split(".")[0] == key:
                    return number
            elif here == section and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", line):
                return number
        # a dotted key that was not quoted: `containers.toggle = "t"` or [keys.containers]
        head, _, tail = key.rpartition(".")
        if head and section:
            return self.line(f"{section}.{head}", tail)
        return 1


def _remapped(
    reader: _Reader, base: Mapping[str, tuple[str, ...]], section: dict[str, Any]
) -> Mapping[str, tuple[str, ...]]:
    """`base` with the user's lines; a line that would take a key from another action in the same place is left out."""
    wanted: dict[str, tuple[str, ...]] = {}
    for id, value in _flat(section):
        if id not in keymap.BY_ID:
            reader.mistake("keys", id, f"no such action: {id!r}; `pilothouse keys` lists them")
        elif not isinstance(value, str) or not value.strip():
            reader.mistake("keys", id, 'keys must be text in quotes, such as "s" or "s,f5"')
        else:
            try:
                wanted[id] = keymap.read_keys(value)
            except ValueError as error:
                reader.mistake("keys", id, str(error))
    while True:
        keys = {**base, **wanted}
        clash = next((clash for clash in keymap.clashes(keys) if clash[1] in wanted or clash[2] in wanted), None)
        if clash is None:
            return keys
        key, one, other = clash
        # the later line of two gives way; a line of the user's before a key of the table
        loser = max((id for id in (one, other) if id in wanted), key=lambda id: reader.line("keys", id))
        winner = other if loser == one else one
        reader.mistake(
            "keys", loser, f"{keymap.display(key)!r} is the key of {winner} in the same place; {loser} keeps its own"
        )
        del wanted[loser]


def _flat(section: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """`containers.toggle = "t"` without quotes is a table in a table; it means the same."""
    found: list[tuple[str, Any]] = []
    for key, value in section.items():
        if isinstance(value, dict):
            found += _flat(value, f"{prefix}{key}.")
        else:
            found.append((prefix + key, value))
    return found
