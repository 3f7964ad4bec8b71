"""Runs after all other tests of the dashboard: was every key of the table pressed in one of them?"""

from __future__ import annotations

from tests.tui.pressed import PRESSED
from tui import keymap


def test_every_key_of_the_table_was_pressed_in_a_pilot_test():
    missing = [f"{key.id} ({key.shown})" for key in keymap.KEYS if key.id not in PRESSED]
    assert not missing, f"no Pilot test presses these, or something else takes them first: {', '.join(missing)}"
