"""`pilothouse keys`: the keys of the dashboard that are in force, and what is wrong with the user's config.toml."""

from __future__ import annotations

import sys

from engine.cli.flags import Arguments, Command, Flag

COMMAND = Command(
    "keys",
    "[OPTIONS]",
    "Show the keys of the dashboard that are in force",
    (
        Flag("check", bool, "Only tell what is wrong in config.toml; the exit code is 1 if something is"),
        Flag("keys", str, "Show those of this preset: default, lazydocker or k9s", value="preset"),
    ),
    maximum=0,
)


def run(args: Arguments) -> int:
    """The table on stdout: place, id, keys (`*` where they are not the default), what they do."""
    from tui import config, keymap

    preferences = config.load(preset=args.keys)
    for trouble in preferences.troubles:
        print(trouble, file=sys.stderr)
    if args.check:
        return 1 if preferences.troubles else 0
    changed = preferences.changed
    rows = [("WHERE", "ID", "KEYS", "WHAT IT DOES")]
    for pane, title in keymap.PANES.items():
        for key in keymap.of(pane):
            keys = " ".join(keymap.display(each) for each in preferences.keys[key.id])
            rows.append((title, key.id, f"{keys} *" if key.id in changed else keys, key.help))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        print("  ".join([*(row[column].ljust(widths[column]) for column in range(3)), row[3]]))
    if changed:
        print("\n* not the default: from the preset or from config.toml")
    return 0
