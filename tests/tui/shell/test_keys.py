"""Keys as bytes."""

from __future__ import annotations

import pytest

from tui.shell import keys
from tui.shell.lines import LineEditor


@pytest.mark.parametrize(
    ("key", "character", "sent"),
    [
        ("a", "a", b"a"),
        ("upper_a", "A", b"A"),
        ("ü", "ü", "ü".encode()),
        ("enter", "\r", b"\r"),
        ("tab", "\t", b"\t"),
        ("shift+tab", None, b"\x1b[Z"),
        ("escape", "\x1b", b"\x1b"),
        ("backspace", "\x7f", b"\x7f"),
        ("ctrl+c", "\x03", b"\x03"),
        ("ctrl+at", "\0", b"\0"),
        ("ctrl+backslash", "\x1c", b"\x1c"),
        ("up", None, b"\x1b[A"),
        ("ctrl+left", None, b"\x1b[1;5D"),
        ("shift+alt+up", None, b"\x1b[1;4A"),
        ("f1", None, b"\x1bOP"),
        ("f5", None, b"\x1b[15~"),
        ("f13", None, b"\x1b[1;2P"),
        ("ctrl+f5", None, b"\x1b[15;5~"),
        ("delete", None, b"\x1b[3~"),
        ("pageup", None, b"\x1b[5~"),
        ("alt+x", "x", b"\x1bx"),
        ("alt+enter", "\r", b"\x1b\r"),
        ("question_mark", "?", b"?"),
        ("<ignore>", None, b""),
    ],
)
def test_a_key_is_what_a_terminal_would_send(key: str, character: str | None, sent: bytes):
    assert keys.encode(key, character) == sent


def test_cursor_keys_change_with_the_programs_mode():
    assert keys.encode("up", None, application_cursor=True) == b"\x1bOA"
    assert keys.encode("home", None, application_cursor=True) == b"\x1bOH"


def test_pasted_text_cannot_leave_its_brackets():
    assert keys.paste("a\nb", bracketed=False) == b"a\rb"
    assert keys.paste("a\x1b[201~rm -rf /\n", bracketed=True) == b"\x1b[200~a[201~rm -rf /\r\x1b[201~"


def test_the_mouse_is_told_in_both_forms():
    assert keys.mouse(0, 4, 2) == b"\x1b[<0;5;3M"
    assert keys.mouse(0, 4, 2, pressed=False) == b"\x1b[<0;5;3m"
    assert keys.mouse(0, 4, 2, extended=False) == b"\x1b[M %#"
    assert keys.mouse(0, 300, 2, extended=False) == b""


def test_a_line_is_edited_before_it_is_sent():
    echoed, sent, ended = bytearray(), [], []
    editor = LineEditor(echoed.extend, sent.append, lambda: ended.append(True))
    editor.type("helxx\x7f\x7flo\r")
    assert sent == [b"hello\n"]
    assert echoed == b"helxx\b \b\b \blo\n"
    editor.type("gone\x15\x04")
    assert (sent, ended) == ([b"hello\n"], [True])
