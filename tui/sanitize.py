"""Text from containers, images and registries, made safe to show.

Names, labels, commands and error texts are written by others. None of their control characters may reach the terminal,
and none of their brackets may be taken for markup: `plain` shows the first as symbols, and every widget of the
dashboard paints plain strings or `Content`, never markup made of foreign text.
"""

from __future__ import annotations

# Control pictures for C0 and DEL; C1, bidirectional overrides, line separators and the like as hex escapes: a terminal
# may obey U+009B as CSI, and U+202E would let "exe.gnp" pass for "png.exe" (CVE-2021-42574).
_HOSTILE = [
    *range(0x80, 0xA0),
    0xAD,
    0x061C,
    *range(0x200B, 0x2010),
    *range(0x2028, 0x202F),
    *range(0x2060, 0x2070),
    0xFEFF,
]
_SYMBOLS: dict[int, str] = {
    **{code: chr(0x2400 + code) for code in range(0x20)},
    0x7F: "\u2421",
    **{code: f"\\u{code:04x}" if code > 0xFF else f"\\x{code:02x}" for code in _HOSTILE},
    **{code: "\ufffd" for code in range(0xD800, 0xE000)},  # lone surrogates cannot be encoded for the terminal
}


def plain(text: str) -> str:
    """`text` on one line with every character that could steer a terminal shown as a symbol."""
    if text.isascii() and text.isprintable():
        return text
    return text.translate(_SYMBOLS)


def plain_lines(text: str) -> list[str]:
    """`text` cut at its newlines, tabs made spaces, each line as `plain` gives it."""
    return [plain(line) for line in text.expandtabs(8).split("\n")]
