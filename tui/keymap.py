"""Every key of the dashboard, in one table.

From it come the bindings of the panes, the footer, the help screen, the palette and the table in README.md. A key is
remapped by its id.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from textual.binding import Binding, BindingType
from textual.keys import Keys, _character_to_key

from tui.logs.keys import LOG_KEYS, LogKey

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True, slots=True)
class Key(LogKey):
    """A binding of any pane: what the log viewer's own table says of one, and where it stands in this one.

    `aliases` are Docker's verbs for it, where they are other words than the label: the palette knows them.
    """

    aliases: tuple[str, ...] = ()

    @property
    def pane(self) -> str:
        return self.id.split(".")[0]

    @property
    def shown(self) -> str:
        return display(self.keys[0])


_NAMES = {
    "question_mark": "?", "colon": ":", "slash": "/", "right_square_bracket": "]", "left_square_bracket": "[",
    "greater_than_sign": ">", "less_than_sign": "<", "escape": "Esc", "enter": "Enter", "space": "Space", "plus": "+",
    "ampersand": "&", "vertical_line": "|", "at": "@", "apostrophe": "'",
    "asterisk": "*", "left_curly_bracket": "{", "right_curly_bracket": "}",
    "up": "↑", "down": "↓", "pageup": "PgUp", "pagedown": "PgDn", "home": "Home", "end": "End", "tab": "Tab",
    "delete": "Del", "insert": "Ins", "shift+tab": "Shift+Tab", "f1": "F1", "f2": "F2", "f12": "F12",
    "shift+pageup": "Shift+PgUp", "shift+pagedown": "Shift+PgDn", "left": "←", "right": "→",
}  # fmt: skip

_SPELLINGS = {
    "esc": "escape", "return": "enter", "pgup": "pageup", "pgdn": "pagedown", "pgdown": "pagedown", "del": "delete",
    "ins": "insert",
}  # fmt: skip

PANES = {
    "app": "Everywhere",
    "list": "Lists",
    "rows": "Moving about",
    "containers": "Containers",
    "images": "Images",
    "layers": "Layers of an image",
    "volumes": "Volumes",
    "logs": "Logs",
    "ports": "Ports",
    "stats": "Stats, how it ended",
    "detail": "Details",
    "tree": "Trees: Inspect, Files",
    "inspect": "Inspect",
    "processes": "Processes",
    "files": "Files",
    "welcome": "Welcome",
    "container": "Details of a container",
    "shelltab": "The tab Shell",
    "shell": "In a shell",
}

KEYS: tuple[Key, ...] = (
    # The order within a pane is the order in the footer.
    Key(
        "containers.toggle",
        ("s",),
        "start_or_stop",
        "Start/Stop",
        "Start it if it is stopped, stop it if it runs; no question",
    ),
    Key("containers.restart", ("r",), "restart", "Restart", "Restart"),
    Key(
        "containers.shell",
        ("e",),
        "shell",
        "Shell",
        "Open a shell in it: bash, or sh where there is none",
        aliases=("exec",),
    ),
    Key("containers.logs", ("l", "enter"), "logs", "Logs", "Show its log"),
    Key("containers.merge", ("M",), "merge", "Merge", "Show the logs of the marked containers as one, by time"),
    Key(
        "containers.open",
        ("o", "w"),
        "open",
        "Open",
        "Open its web page; over ssh: copy the address, show the tunnel line",
    ),
    Key("containers.remove", ("d",), "remove", "Delete", "Remove; asks, and says what is lost", aliases=("rm",)),
    Key("containers.pause", ("p",), "pause", "Pause", "Pause or unpause", aliases=("unpause",)),
    Key("containers.kill", ("K",), "kill", "Kill", "Send a signal of your choice"),
    Key("containers.attach", ("E",), "attach", "Attach", "Join its main process: what it prints, what it reads"),
    Key("containers.inspect", ("i",), "inspect", "Inspect", "Show everything that is known of it, as JSON"),
    Key(
        "containers.rerun",
        ("R",),
        "rerun",
        "Edit, rerun",
        "Edit how it was run and run it again, in its place or beside",
    ),
    Key("containers.rename", ("N", "f2"), "rename", "Rename", "Give it another name", footer=False),
    Key(
        "containers.report",
        ("C",),
        "report",
        "Report",
        "Copy and save a report of it for a bug tracker: state, options, last log lines; secrets are hidden",
        footer=False,
    ),
    Key("containers.columns", ("v",), "columns", "Columns", "Choose the columns of this list", footer=False),
    Key("containers.all", ("a",), "show_all", "All/Running", "Show all containers, or only those that run"),
    Key("images.run", ("enter", "n"), "run", "Run", "Run a container from it: opens the form"),
    Key("images.pull", ("P",), "pull", "Pull newer", "Pull it again: fetches what is new"),
    Key("images.layers", ("i",), "layers", "Layers", "Show its layers and history", aliases=("history",)),
    Key("images.remove", ("d",), "remove", "Delete", "Remove; asks, and says what uses it", aliases=("rmi",)),
    Key(
        "images.load",
        ("L",),
        "load",
        "Load",
        "Load images from an archive that docker save, podman save or save wrote",
    ),
    Key("volumes.user", ("enter",), "user", "Used by", "Go to the container that uses it"),
    Key("volumes.remove", ("d",), "remove", "Delete", "Remove; asks, for its files are lost for good"),
    Key(
        "layers.files", ("enter",), "files", "Files", "Show what files a layer holds and what each costs; fold, unfold"
    ),
    Key("layers.copy", ("c",), "copy", "Copy", "Copy the command that made the layer, or the path of the file"),
    Key("layers.unfold", ("right",), "unfold", "Unfold", "Open a directory", footer=False, palette=False),
    Key(
        "layers.fold",
        ("left",),
        "fold",
        "Fold",
        "Close a directory, or go to the one around",
        footer=False,
        palette=False,
    ),
    *(
        Key(key.id, key.keys, key.action, key.label, key.help, key.footer, key.palette)
        for key in LOG_KEYS  # they stand beside the log viewer, which does not need the dashboard
    ),
    Key(
        "ports.open",
        ("o", "w"),
        "open",
        "Open",
        "Open in the browser; over ssh: copy the address, show the tunnel line",
    ),
    Key("ports.copy", ("c",), "copy", "Copy URL", "Copy the address"),
    Key("ports.probe", ("p",), "probe", "Probe", "Knock at the port now: what answers, how fast"),
    Key(
        "ports.publish",
        ("plus",),
        "publish",
        "Publish",
        "Publish another port of this container while it runs; it stays so",
    ),
    Key(
        "ports.unpublish",
        ("d",),
        "unpublish",
        "Unpublish",
        "Take the mapping away while the container runs; it stays so",
    ),
    Key("ports.details", ("enter",), "details", "Details", "Show all that is known of the port, and why"),
    Key("ports.free", ("f",), "free_port", "Free port", "Find a free port of this machine, and who holds a taken one"),
    Key(
        "ports.all", ("a",), "show_all", "Machine/This", "Show every port of the machine, or of the selected container"
    ),
    Key(
        "list.mark",
        ("space",),
        "mark",
        "Mark",
        "Mark or unmark, and go on to the next: actions then go to all marked that are shown; a filter keeps the marks",
        footer=False,
    ),
    Key("list.mark_all", ("A",), "mark_all", "Mark all", "Mark all that are shown, or none", footer=False),
    Key(
        "list.sort",
        ("S",),
        "sort",
        "Sort",
        "Sort by a column, then the other way round, then by the next; the heading shows ▲ or ▼",
        footer=False,
    ),
    Key("list.copy", ("c",), "copy", "Copy…", "Copy id, name, address or command"),
    Key(
        "list.prune",
        ("X",),
        "prune",
        "Prune…",
        "Remove what nothing needs: first shows what would go, and the bytes freed",
    ),
    Key("rows.down", ("down", "j"), "cursor_down", "Down", "Next row", footer=False, palette=False),
    Key("rows.up", ("up", "k"), "cursor_up", "Up", "Previous row", footer=False, palette=False),
    Key("rows.first", ("g", "home"), "cursor_first", "First", "First row", footer=False, palette=False),
    Key("rows.last", ("G", "end"), "cursor_last", "Last", "Last row", footer=False, palette=False),
    Key("rows.page_up", ("pageup",), "page_up", "Page up", "A page up", footer=False, palette=False),
    Key("rows.page_down", ("pagedown",), "page_down", "Page down", "A page down", footer=False, palette=False),
    Key(
        "stats.toggle",
        ("s",),
        "start_or_stop",
        "Start/Stop",
        "Start or stop the container that is shown; if it ended for want of another, start that one",
        palette=False,
    ),
    Key(
        "stats.again", ("r",), "again", "Run again", "Run the container that is shown again; restart it", palette=False
    ),
    Key("stats.rerun", ("R",), "rerun", "Edit, rerun", "Edit how it was run and run it again", palette=False),
    Key("stats.logs", ("l", "enter"), "logs", "Logs", "Show its log", palette=False),
    Key("stats.remove", ("d",), "remove", "Delete", "Remove the container that is shown", palette=False),
    Key("stats.older", ("left", "h"), "older", "Older", "Look further back", palette=False),
    Key("stats.newer", ("right",), "newer", "Newer", "Look less far back", palette=False),
    Key("stats.now", ("end", "G"), "now", "Now", "Follow the newest readings again", palette=False),
    Key("stats.closer", ("plus",), "closer", "Closer", "Less time a column", footer=False, palette=False),
    Key("stats.wider", ("minus", "underscore"), "wider", "Wider", "More time a column", footer=False, palette=False),
    Key("stats.copy", ("c",), "copy_text", "Copy", "Copy all the text of this tab", footer=False, palette=False),
    Key("detail.copy", ("c",), "copy_text", "Copy", "Copy all the text of this tab"),
    Key(
        "tree.open",
        ("enter", "space"),
        "open",
        "Open",
        "Unfold or fold; where nothing folds: see it whole",
        palette=False,
    ),
    Key("tree.unfold", ("right", "l"), "unfold", "Unfold", "Unfold, then go on down", footer=False, palette=False),
    Key("tree.fold", ("left", "h"), "fold", "Fold", "Fold, then go up to what holds it", footer=False, palette=False),
    Key("tree.all", ("asterisk",), "unfold_all", "Unfold all", "Unfold everything, or fold everything", palette=False),
    Key("inspect.value", ("c",), "copy_value", "Copy value", "Copy the value, an object as JSON"),
    Key("inspect.path", ("C",), "copy_path", "Copy path", "Copy its path, as jq writes it"),
    Key("processes.kill", ("K",), "kill", "Kill", "Send a signal of your choice to this process", aliases=("top",)),
    Key("processes.copy", ("c",), "copy_command", "Copy command", "Copy its command line", aliases=("top",)),
    Key("files.copy", ("c",), "copy_path", "Copy path", "Copy the path in the container"),
    Key(
        "container.shell",
        ("e",),
        "shell",
        "Shell",
        "Open a shell in the container that is shown, over the whole screen",
        palette=False,
    ),
    Key(
        "container.attach",
        ("E",),
        "attach",
        "Attach",
        "Join the main process of the container that is shown",
        footer=False,
        palette=False,
    ),
    Key("shelltab.open", ("enter",), "open_here", "Open", "Open a shell in this tab", palette=False),
    Key(
        "shell.leave",
        ("ctrl+right_square_bracket", "f12"),
        "leave",
        "Back",
        "Back to the dashboard; a shell waits there until `e` is pressed again. All other keys are the program's",
        palette=False,
    ),
    Key("shell.older", ("shift+pageup",), "scroll(1)", "Older", "What has left the screen", palette=False),
    Key("shell.newer", ("shift+pagedown",), "scroll(-1)", "Newer", "Back down", palette=False),
    Key("welcome.run", ("enter",), "run", "Run", "Pull the choice and run it", palette=False),
    Key("welcome.form", ("n",), "form", "Run form", "Open the full form with the choice in it", palette=False),
    Key("welcome.pull", ("p",), "pull", "Pull only", "Pull the choice, and run nothing", palette=False),
    Key("welcome.demo", ("D",), "demo", "Demo", "Start the demo: three containers, without a network", palette=False),
    Key("welcome.load", ("L",), "load", "Load", "Load images from an archive: needs no network", palette=False),
    Key("welcome.how", ("i",), "how", "How", "Say what to do about what is missing on this machine", palette=False),
    Key("app.find", ("slash",), "find", "Find", "Filter the list: words that it shows, label:, status:, image:, id:"),
    Key("app.run", ("n",), "run_form", "Run", "New container: opens the form"),
    Key("app.pull", ("P",), "pull_image", "Pull", "Pull an image; shows the progress of a pull that runs"),
    Key("app.zoom", ("z",), "zoom", "Zoom", "Give the pane the whole screen, and back"),
    Key("app.containers", ("1",), "pane('containers')", "Containers", "Go to the containers", footer=False),
    Key("app.images", ("2",), "pane('images')", "Images", "Go to the images", footer=False),
    Key("app.logs", ("3",), "pane('logs')", "Logs", "Go to the log", footer=False),
    Key("app.ports", ("4",), "pane('ports')", "Ports", "Go to the ports", footer=False),
    Key("app.volumes", ("5",), "pane('volumes')", "Volumes", "Go to the volumes", footer=False),
    Key(
        "app.next_tab",
        ("right_square_bracket", "greater_than_sign"),
        "next_tab(1)",
        "Next tab",
        "Next tab of the details",
        footer=False,
    ),
    Key(
        "app.previous_tab",
        ("left_square_bracket", "less_than_sign"),
        "next_tab(-1)",
        "Previous tab",
        "Previous tab",
        footer=False,
    ),
    Key("app.theme", ("T",), "choose_theme", "Theme", "Choose a theme, with a live preview", footer=False),
    Key("app.tour", ("f3",), "tour", "Tour", "A tour of five sentences: begin it, or the next one", footer=False),
    Key("app.tour_end", ("f4",), "tour_end", "End of the tour", "No more of the tour, for good", footer=False),
    Key("app.undo", ("u",), "undo", "Undo", "Undo the last action, where that can be done", footer=False),
    Key(
        "app.back",
        ("escape",),
        "back",
        "Back",
        "Close, clear the filter and the marks, leave zoom; never quits",
        footer=False,
        palette=False,
    ),
    Key("app.palette", ("colon", "ctrl+p"), "command_palette", "Palette", "Every action by name", palette=False),
    Key("app.help", ("question_mark", "f1"), "help", "Help", "The keys that work here"),
    Key("app.quit", ("q",), "leave", "Quit", "Close the dashboard; containers go on"),
)

# Keys that are heard at the same time in one place: there, no key may mean two things. (A pane's own key may hide one
# of "app".)
PLACES: tuple[tuple[str, ...], ...] = (
    ("containers", "list", "rows"),
    ("images", "list", "rows"),
    ("layers", "rows"),
    ("volumes", "list", "rows"),
    ("ports", "container", "rows"),
    ("logs",),
    ("stats", "container"),
    ("detail", "container"),
    ("inspect", "container", "tree", "rows"),
    ("processes", "container", "rows"),
    ("files", "container", "tree", "rows"),
    ("shelltab", "container", "detail"),
    ("shell",),
    ("welcome", "rows"),
    ("app",),
)

BY_ID: dict[str, Key] = {key.id: key for key in KEYS}
ORDER: dict[str, int] = {key.id: place for place, key in enumerate(KEYS)}


def display(key: str) -> str:
    """A key as it is written on a keyboard."""
    if key.startswith("ctrl+"):
        return f"ctrl+{display(key[5:])}"
    return _NAMES.get(key) or _characters().get(key) or (key.upper() if re.fullmatch(r"f\d+", key) else key)


def read_keys(text: str) -> tuple[str, ...]:
    """`"s,F5,?"` as Textual's names of keys; a comma is written `comma`.

    Raises: ValueError, in a sentence, for what is no key.
    """
    return tuple(dict.fromkeys(_read_key(part.strip()) for part in text.split(",")))


def _read_key(text: str) -> str:
    *modifiers, name = [text] if len(text) == 1 else text.split("+")
    for modifier in modifiers:
        if modifier.lower() not in ("ctrl", "shift", "alt"):
            raise ValueError(f"{text!r} is not a key: {modifier!r} is none of ctrl, shift, alt")
    key = _character_to_key(name) if len(name) == 1 else _SPELLINGS.get(name.lower(), name.lower())
    if len(name) != 1 and key not in _known():
        raise ValueError(f"{text!r} is not a key")
    return "+".join([*(modifier.lower() for modifier in modifiers), key])


@cache
def _known() -> frozenset[str]:
    """The names of keys that are not one character."""
    return frozenset((*(key.value for key in Keys), *_characters()))


@cache
def _characters() -> dict[str, str]:
    """Textual's name of a key to the character on it."""
    return {_character_to_key(chr(code)): chr(code) for code in range(33, 127)}


def defaults() -> dict[str, tuple[str, ...]]:
    """For every id the keys of the table."""
    return {key.id: key.keys for key in KEYS}


def clashes(keys: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str, str, str]]:
    """Keys that would mean two things in one place: the key and the two ids."""
    for place in PLACES:
        owner: dict[str, str] = {}
        for entry in of(*place):
            for key in keys.get(entry.id, entry.keys):
                if owner.setdefault(key, entry.id) != entry.id:
                    yield key, owner[key], entry.id


def of(*panes: str) -> Iterator[Key]:
    """The keys of these panes, in the table's order."""
    return (key for key in KEYS if key.pane in panes)


def bindings(*panes: str, priority: bool = False) -> list[BindingType]:
    """Textual's bindings for these panes. `priority`: they are heard before what has the focus hears the key."""
    return [
        Binding(
            ",".join(key.keys),
            key.action,
            key.label,
            show=key.footer,
            id=key.id,
            tooltip=key.help,
            priority=priority,
        )
        for key in of(*panes)
    ]


def readme_table() -> str:
    """The table of keys in README.md, in Markdown."""
    lines = ["| where | key | what it does |", "| --- | --- | --- |"]
    for pane, title in PANES.items():
        for key in of(pane):
            keys = " ".join(f"`{display(each)}`" for each in key.keys)
            lines.append(f"| {title} | {keys} | {key.help} |")
    return "\n".join(lines) + "\n"
