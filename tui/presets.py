"""Sets of keys for fingers that learned another dashboard.

Each names only what differs from the table in keymap.py. Sources: lazydocker, docs/keybindings/Keybindings_en.md; k9s,
the tables of keys in its README.
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.errors import InvalidInput
from tui import keymap

DEFAULT = "default"

_LAZYDOCKER = {
    "containers.logs": "m,enter,l",
    "containers.all": "e",
    "containers.shell": "E",
    "containers.attach": "a",
    "container.shell": "E",
    "container.attach": "A",
    "list.mark_all": "b,A",  # its bulk menu; here the keys after it go to all that are marked
    "app.palette": "x,colon,ctrl+p",
    "app.zoom": "plus,underscore,z",
    "ports.publish": "B",
    "stats.closer": "i",
    "stats.wider": "o,minus",
}

_K9S = {
    "containers.toggle": "t",
    "containers.shell": "s",
    "containers.attach": "a",
    "container.shell": "s",
    "stats.toggle": "t",
    "stats.remove": "ctrl+d,delete",
    "processes.kill": "ctrl+k,K",
    "containers.inspect": "d,y,i",
    "containers.remove": "ctrl+d,delete",
    "containers.kill": "ctrl+k,K",
    "containers.all": "0",  # all namespaces
    "images.layers": "d,y,i",
    "images.remove": "ctrl+d,delete",
    "volumes.remove": "ctrl+d,delete",
    "ports.unpublish": "ctrl+d,delete",
    "ports.publish": "F,plus",  # port-forward
}

PRESETS: dict[str, dict[str, str]] = {DEFAULT: {}, "lazydocker": _LAZYDOCKER, "k9s": _K9S}


def keys(name: str) -> Mapping[str, tuple[str, ...]]:
    """For every id of the table, the keys it has in a preset.

    Raises: InvalidInput if there is no such preset.
    """
    if name not in PRESETS:
        raise InvalidInput(f"no such preset of keys: {name}", hint=f"there are {', '.join(PRESETS)}")
    return {**keymap.defaults(), **{id: keymap.read_keys(text) for id, text in PRESETS[name].items()}}
