"""Keys, mouse and pasted text as the bytes a program on a terminal expects. Source: xterm's ctlseqs."""

from __future__ import annotations

_MODIFIERS = {"shift": 1, "alt": 2, "meta": 2, "ctrl": 4}
_CURSOR = {"up": "A", "down": "B", "right": "C", "left": "D", "end": "F", "home": "H"}
_FUNCTION = {"f1": "P", "f2": "Q", "f3": "R", "f4": "S"}
_NUMBERED = {"insert": 2, "delete": 3, "pageup": 5, "pagedown": 6} | {
    f"f{key}": number for key, number in zip(range(5, 13), (15, 17, 18, 19, 20, 21, 23, 24), strict=True)
}
_SINGLE = {"enter": "\r", "tab": "\t", "escape": "\x1b", "backspace": "\x7f", "space": " "}
_CONTROL = {
    "at": "\0",
    "@": "\0",
    "space": "\0",
    "left_square_bracket": "\x1b",
    "backslash": "\x1c",
    "right_square_bracket": "\x1d",
    "circumflex_accent": "\x1e",
    "underscore": "\x1f",
    "slash": "\x1f",
    "question_mark": "\x7f",
    "backspace": "\x08",
}


def encode(key: str, character: str | None, *, application_cursor: bool = False) -> bytes:
    """A key of Textual's (`ctrl+left`, `alt+x`, `f5`) as bytes; empty for one that no terminal can send."""
    *modifiers, name = key.split("+")
    held = sum(_MODIFIERS.get(modifier, 0) for modifier in set(modifiers))
    if name.startswith("f") and name[1:].isdigit() and 13 <= int(name[1:]) <= 24:
        name, held = f"f{int(name[1:]) - 12}", held | 1  # as terminals number F1 to F12 with shift
    text = _special(name, held, application_cursor)
    if text is None:
        text = _letter(name, character, held)
    return text.encode("utf-8", "replace") if text else b""


def _special(name: str, held: int, application_cursor: bool) -> str | None:
    if name in _CURSOR:
        if held:
            return f"\x1b[1;{held + 1}{_CURSOR[name]}"
        return ("\x1bO" if application_cursor else "\x1b[") + _CURSOR[name]
    if name in _FUNCTION:
        return f"\x1b[1;{held + 1}{_FUNCTION[name]}" if held else f"\x1bO{_FUNCTION[name]}"
    if name in _NUMBERED:
        return f"\x1b[{_NUMBERED[name]};{held + 1}~" if held else f"\x1b[{_NUMBERED[name]}~"
    return None


def _letter(name: str, character: str | None, held: int) -> str:
    escape = "\x1b" if held & 2 else ""
    if name == "tab" and held & 1:
        return f"{escape}\x1b[Z"
    if held & 4:
        if len(name) == 1 and name.isascii() and name.isalpha():
            return escape + chr(ord(name.lower()) & 31)
        if name in _CONTROL:
            return escape + _CONTROL[name]
    if name in _SINGLE:
        return escape + _SINGLE[name]
    if character is not None and character.isprintable():
        return escape + character
    return escape + name if escape and len(name) == 1 else ""


def paste(text: str, *, bracketed: bool) -> bytes:
    """Pasted text. An escape in it could end the bracket early and make the rest commands."""
    text = text.replace("\r\n", "\r").replace("\n", "\r")
    if bracketed:
        text = f"\x1b[200~{text.replace(chr(27), '')}\x1b[201~"
    return text.encode("utf-8", "replace")


def mouse(button: int, x: int, y: int, *, pressed: bool = True, moved: bool = False, extended: bool = True) -> bytes:
    """A report of the mouse. `button`: 0 left, 1 middle, 2 right, 3 none, 64 wheel up, 65 wheel down; cells from 0."""
    code = button + (32 if moved else 0)
    if extended:
        return f"\x1b[<{code};{x + 1};{y + 1}{'M' if pressed else 'm'}".encode()
    if max(x, y) > 222:
        return b""  # the old report has no numbers for these
    return b"\x1b[M" + bytes((32 + (code if pressed else 3), 33 + x, 33 + y))
