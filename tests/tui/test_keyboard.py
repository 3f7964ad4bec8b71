"""What a terminal sends, as keys."""

from __future__ import annotations

import pytest
from textual.events import Key, Paste

from engine.models import Container
from tests.tui.conftest import Open
from tui.keyboard import ESCAPE, Keyboard
from tui.shell import keys


def heard(keyboard: Keyboard, sent: str) -> list[str]:
    return [event.key for event in keyboard.feed(sent) if isinstance(event, Key)]


@pytest.mark.parametrize(
    ("sent", "keys"),
    [
        (f"{ESCAPE}:wq", ["escape", "colon", "w", "q"]),
        (f"{ESCAPE}/a", ["escape", "slash", "a"]),
        (f"{ESCAPE} ", ["escape", "space"]),
        (f"{ESCAPE}\r", ["escape", "enter"]),
        (f"{ESCAPE}==", ["escape", "equals_sign", "equals_sign"]),
        (f"{ESCAPE}j{ESCAPE}j", ["alt+j", "alt+j"]),
        (f"{ESCAPE}.{ESCAPE}.", ["escape", "full_stop", "escape", "full_stop"]),
        (f"{ESCAPE}0", ["alt+0"]),
        (f"{ESCAPE}b", ["ctrl+left"]),
        (f"{ESCAPE}OA{ESCAPE}[B{ESCAPE}[15~", ["up", "down", "f5"]),
        ("aü", ["a", "ü"]),
    ],
)
def test_an_escape_and_the_key_right_behind_it_are_both_heard(sent: str, keys: list[str]):
    keyboard = Keyboard()
    assert heard(keyboard, sent) == keys
    assert not keyboard.waits


@pytest.mark.parametrize("sent", [f"{ESCAPE}:", f"{ESCAPE}.", f"{ESCAPE}j", f"{ESCAPE}J", f"{ESCAPE}0", f"{ESCAPE}\r"])
def test_a_program_on_a_terminal_gets_what_was_sent(sent: str):
    events = [event for event in Keyboard().feed(sent) if isinstance(event, Key)]
    assert b"".join(keys.encode(event.key, event.character) for event in events) == sent.encode()


def test_a_sequence_that_is_torn_apart_is_waited_for():
    keyboard = Keyboard()
    assert heard(keyboard, ESCAPE) == [] and keyboard.waits
    assert heard(keyboard, "[") == [] and keyboard.waits
    assert heard(keyboard, "A") == ["up"] and not keyboard.waits


def test_what_is_pasted_is_no_keys():
    (event,) = Keyboard().feed(f"{ESCAPE}[200~docker run -it a\r{ESCAPE}[201~")
    assert isinstance(event, Paste) and event.text == "docker run -it a\r"


async def test_escape_and_a_letter_that_came_as_one_are_both_done(dashboard: Open, web: Container):
    """As tmux sends them; keys with alt that mean something here go on to do so."""

    def sent(key: str) -> None:
        driver.app.post_message(Key(f"alt+{key}", key))

    async with dashboard() as driver:
        await driver.select("web")
        await driver.press("slash", *"webs")
        await driver.shows("0 of 1")
        sent("2")
        await driver.until(lambda: driver.app.dashboard.active is driver.app.dashboard.images, "2 was heard")
        assert "0 of 1" not in driver.text, "and Escape before it"
        await driver.press("question_mark")
        await driver.shows("esc close")
        sent("T")
        await driver.shows("Okabe-Ito")
        await driver.press("escape", "3")
        sent("e")
        await driver.shows("[E]rror")


async def test_a_key_does_not_wait_for_a_form_that_escape_has_closed(
    dashboard: Open, web: Container, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("tui.type_ahead.PATIENCE", 60.0)
    async with dashboard() as driver:
        await driver.select("web")
        for _ in range(3):
            await driver.press("n")
            await driver.shows("Run a container")
            driver.app.post_message(Key("escape", ESCAPE))
            driver.app.post_message(Key("question_mark", "?"))
            await driver.shows("esc close")
            await driver.press("escape")
