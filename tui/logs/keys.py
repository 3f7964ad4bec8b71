"""The keys of the log viewer: plain data, for its bindings and for the dashboard's table of keys."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LogKey:
    """A binding. `keys` are Textual's key names, the first is the one shown."""

    id: str
    keys: tuple[str, ...]
    action: str
    label: str
    help: str
    footer: bool = True
    palette: bool = True


LOG_KEYS: tuple[LogKey, ...] = (
    # The order is the order in the footer.
    LogKey("logs.follow", ("f", "end", "G"), "follow", "Follow", "Go to the end and stay there"),
    LogKey("logs.search", ("slash",), "search", "Search", "Search the whole log; small letters match capitals too"),
    LogKey("logs.filter", ("ampersand",), "filter", "Filter", "Show only lines that match; `!` in front hides them"),
    LogKey(
        "logs.case", ("f5", "alt+c"), "case", "Case", "While one types: capitals matter if there are any, always, never"
    ),
    LogKey(
        "logs.regex", ("f6", "alt+r"), "regex", "Regex", "While one types: as a regular expression, or as it stands"
    ),
    LogKey("logs.next", ("n",), "next_match(1)", "Next", "Next match, further down"),
    LogKey("logs.previous", ("N",), "next_match(-1)", "Previous", "Previous match, further up"),
    LogKey("logs.time", ("t",), "time_mode", "Time", "Times: off, time, date, relative"),
    LogKey("logs.wrap", ("w",), "wrap", "Wrap", "Wrap long lines, or scroll sideways"),
    LogKey("logs.streams", ("vertical_line",), "streams", "Streams", "Both streams, only stdout, only stderr"),
    LogKey("logs.goto", ("at",), "goto", "Go to time", "Go to a time: 14:03, 2026-01-31 14:03, -10m"),
    LogKey("logs.copy", ("c",), "copy", "Copy", "Copy the selection, or what is on the screen"),
    LogKey("logs.save", ("S",), "save", "Save", "Save to a file; with a filter, what it shows"),
    LogKey("logs.select", ("v",), "select", "Select", "Choose lines: move, then c or Enter copies, Esc leaves"),
    LogKey(
        "logs.open", ("enter",), "open_line", "Open", "Open a line: JSON spread out, a long one in full; or fold it"
    ),
    LogKey(
        "logs.previous_run",
        ("left_curly_bracket",),
        "run(-1)",
        "Run before",
        "Go to where this run, or the one before, began",
    ),
    LogKey("logs.next_run", ("right_curly_bracket",), "run(1)", "Next run", "Go to where the next run begins"),
    LogKey("logs.mark", ("m",), "mark", "Mark", "Mark a line, or take its mark away"),
    LogKey("logs.next_mark", ("apostrophe",), "next_mark", "Next mark", "Go to the next marked line"),
    LogKey("logs.merge", ("M",), "merge", "Merge", "Show the logs of the marked containers as one, by time; and back"),
    LogKey(
        "logs.error",
        ("E", "alt+e"),
        "level('E')",
        "Errors",
        "Show lines that say they are errors, with other levels chosen",
        footer=False,
    ),
    LogKey(
        "logs.warn", ("W", "alt+w"), "level('W')", "Warnings", "Show lines that say they are warnings", footer=False
    ),
    LogKey(
        "logs.info",
        ("I", "alt+i"),
        "level('I')",
        "Information",
        "Show lines that say they are information",
        footer=False,
    ),
    LogKey(
        "logs.debug",
        ("D", "alt+d"),
        "level('D')",
        "Debugging",
        "Show lines that say they are for debugging",
        footer=False,
    ),
    LogKey(
        "logs.context",
        ("C", "alt+x"),
        "context",
        "Context",
        "Show lines around those that the filter lets through: 0, 1, 2, 3, 5, 10",
        footer=False,
    ),
    LogKey("logs.down", ("down", "j"), "move(1)", "Down", "A row down", footer=False, palette=False),
    LogKey("logs.up", ("up", "k"), "move(-1)", "Up", "A row up", footer=False, palette=False),
    LogKey("logs.page_down", ("pagedown", "space"), "page(1)", "Page down", "A page down", footer=False, palette=False),
    LogKey("logs.page_up", ("pageup", "b"), "page(-1)", "Page up", "A page up", footer=False, palette=False),
    LogKey("logs.first", ("g", "home"), "first", "Beginning", "Go to the first line there is", footer=False),
    LogKey("logs.left", ("left",), "sideways(-8)", "Left", "Scroll left, unwrapped", footer=False, palette=False),
    LogKey("logs.right", ("right",), "sideways(8)", "Right", "Scroll right, unwrapped", footer=False, palette=False),
    LogKey(
        "logs.clear", ("escape",), "clear", "Clear", "Close the row; clear the search, then the filter", footer=False
    ),
)
