"""Typing to a process that has no terminal: a line is edited here and sent with Enter, as the kernel would do it."""

from __future__ import annotations

from collections.abc import Callable

END = "\x04"  # ctrl-D


class LineEditor:
    """`echo` shows what was typed, `send` gets whole lines, `finish` is called for ctrl-D on an empty line."""

    def __init__(
        self, echo: Callable[[bytes], None], send: Callable[[bytes], None], finish: Callable[[], None]
    ) -> None:
        self._echo, self._send, self._finish = echo, send, finish
        self._line = ""

    def type(self, text: str) -> None:
        for character in text:
            if character in "\r\n":
                self._echo(b"\n")
                self._send(f"{self._line}\n".encode("utf-8", "replace"))
                self._line = ""
            elif character == "\x7f":
                if self._line:
                    from rich.cells import cell_len

                    self._echo(b"\b \b" * cell_len(self._line[-1]))
                    self._line = self._line[:-1]
            elif character == "\x15":  # ctrl-U
                self.type("\x7f" * len(self._line))
            elif character == END:
                if not self._line:
                    self._finish()
            elif character.isprintable():
                self._line += character
                self._echo(character.encode("utf-8", "replace"))
