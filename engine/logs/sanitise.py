"""Making what a container wrote safe to show: colours stay, nothing else can drive the terminal."""

from __future__ import annotations

import re

# What may harm or mislead, as bytes: cheap to look for before anything is decoded. Tab is not among them; of UTF-8,
# C1 controls begin with C2, the characters that reorder or hide text with E2 80, E2 81 and EF BB.
_SUSPECT = re.compile(
    rb"[\x00-\x08\x0a-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\x8b-\x8f\xa8-\xae]|\xe2\x81[\xa0-\xaf]|\xef\xbb\xbf"
)

_CONTROL = re.compile(
    r"(?P<sgr>(?:\x1b\[|\x9b)(?P<parameters>[0-9;:]*)m)"
    r"|(?P<dropped>(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI: cursor moves, erasing, modes, bracketed paste
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)"  # OSC, DCS, APC ... whole
    r"|\x1b[ -/]*[0-~]"  # two-character sequences: charsets, reset
    r"|[\x80-\x9f])"  # the other C1 controls
    r"|(?P<shown>[\x00-\x08\x0a-\x1f\x7f])"
    r"|(?P<spelled>[\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff])"  # invisible, or turns the reading direction
)
# ECMA-48 control functions; the joiner U+200D stays when it joins emoji, as terminals and humans expect.
_JOINER = "\u200d"


def runs(text: bytes) -> list[tuple[str, str]]:
    """Text as (SGR parameters in force since the run before, characters): "" for none, "0" for reset, "1;31" ...

    Invalid UTF-8 becomes `\\xNN`, control characters their symbols (`␛`), every other control sequence nothing. Of
    what carriage returns overwrite only the last state is kept. Tabs are left for who knows the column.
    """
    if not _SUSPECT.search(text):
        return [("", text.decode("utf-8", "backslashreplace"))] if text else []
    decoded = _fold_returns(text.decode("utf-8", "backslashreplace"))
    found: list[tuple[str, str]] = []
    pending: list[str] = []
    parameters = ""
    at = 0

    def end_run() -> None:
        if pending:
            found.append((parameters, "".join(pending)))
            pending.clear()

    for match in _CONTROL.finditer(decoded):
        pending.append(decoded[at : match.start()])
        at = match.end()
        if match["sgr"] is not None:
            fresh = match["parameters"] or "0"
            if not any(pending):
                pending.clear()
            if pending:
                end_run()
                parameters = fresh
            else:
                # Several sequences in a row act as one.
                parameters = f"{parameters};{fresh}" if parameters else fresh
        elif match["shown"] is not None:
            pending.append("\u2421" if match["shown"] == "\x7f" else chr(0x2400 + ord(match["shown"])))
        elif match["spelled"] is not None:
            pending.append(match["spelled"] if match["spelled"] == _JOINER else f"\\u{ord(match['spelled']):04x}")
    pending.append(decoded[at:])
    if any(pending):
        end_run()
    return found


def plain(text: bytes) -> str:
    """The characters alone: what is searched, copied and saved."""
    if not _SUSPECT.search(text):
        return text.decode("utf-8", "backslashreplace")
    return "".join(characters for _, characters in runs(text))


def for_terminal(text: bytes, *, colours: bool = True) -> str:
    """Text for a terminal that is not ours to draw on: SGR kept and ended, the rest neutralised."""
    if not _SUSPECT.search(text):
        return text.decode("utf-8", "backslashreplace")
    if not colours:
        return plain(text)
    styled = False
    parts: list[str] = []
    for parameters, characters in runs(text):
        if parameters:
            parts.append(f"\x1b[{parameters}m")
            styled = parameters not in ("0",)
        parts.append(characters)
    return "".join(parts) + ("\x1b[0m" if styled else "")


def _fold_returns(text: str) -> str:
    """What is left on the line after its carriage returns: a progress bar's last state."""
    if "\r" not in text:
        return text
    parts = [part for part in text.split("\r") if part]
    return parts[-1] if parts else ""
