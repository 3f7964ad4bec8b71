"""The bytes of a file as lines to be read: text with its controls made visible, anything else in hexadecimal."""

from __future__ import annotations

from engine.models import FileContent
from tui import format as short
from tui.sanitize import plain, plain_lines
from tui.widgets.table import Cell, cell

LIMIT = 1 << 20  # bytes read of a file
LONGEST_LINE = 4000  # characters shown of a line
MOST_HEXADECIMAL = 16 << 10  # bytes
_PROBE = 8 << 10  # bytes looked at to tell text from the rest, as grep(1) does


def lines_of(file: FileContent) -> list[Cell]:
    """The file's lines, numbered; the last one says what is missing."""
    if not file.content:
        return [cell("The file is empty.", "muted")]
    return _dumped(file) if b"\0" in file.content[:_PROBE] else _text(file)


def note_of(file: FileContent) -> str:
    kind = "binary" if b"\0" in file.content[:_PROBE] else "text"
    return f"{kind}, {short.size(file.size)}"


def _text(file: FileContent) -> list[Cell]:
    text = file.content.decode("utf-8", "replace").replace("\r\n", "\n").removesuffix("\n")
    lines = plain_lines(text)
    wide = len(str(len(lines)))
    cells: list[Cell] = []
    for number, line in enumerate(lines, 1):
        rest = f"… {len(line) - LONGEST_LINE} characters more" if len(line) > LONGEST_LINE else ""
        cells.append(((f"{number:>{wide}}  ", "muted"), (line[:LONGEST_LINE], ""), (rest, "muted")))
    return [*cells, *_missing(file, len(file.content))]


def _dumped(file: FileContent) -> list[Cell]:
    shown = file.content[:MOST_HEXADECIMAL]
    cells: list[Cell] = []
    for start in range(0, len(shown), 16):
        row = shown[start : start + 16]
        letters = plain("".join(chr(byte) if 32 <= byte < 127 else "·" for byte in row))
        cells.append(((f"{start:08x}  ", "muted"), (f"{row.hex(' '):<49}", ""), (letters, "accent")))
    return [*cells, *_missing(file, len(shown))]


def _missing(file: FileContent, shown: int) -> list[Cell]:
    if file.size <= shown:
        return []
    return [cell(f"… {short.size(file.size - shown)} more of {short.size(file.size)} are not shown", "warn")]
