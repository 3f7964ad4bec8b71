"""The keys that leave a container running and give the terminal back: ctrl-p ctrl-q, or what `--detach-keys` says."""

from __future__ import annotations

from engine.errors import InvalidInput

DEFAULT = "ctrl-p,ctrl-q"
_NAMED = {"@": 0, "[": 27, "\\": 28, "]": 29, "^": 30, "_": 31}


def parse_keys(text: str) -> bytes:
    """The bytes of `ctrl-p,ctrl-q` or `a,b`. Raises InvalidInput."""
    found = bytearray()
    for key in (text or DEFAULT).split(","):
        control = key.lower().removeprefix("ctrl-") if len(key) > 1 else ""
        if control and len(control) == 1 and key.lower().startswith("ctrl-"):
            if control.isascii() and control.isalpha():
                found.append(ord(control) - ord("a") + 1)
                continue
            if control in _NAMED:
                found.append(_NAMED[control])
                continue
        if len(key) == 1 and key.isascii():
            found.append(ord(key))
            continue
        raise InvalidInput(f"invalid detach keys ({text}): Unknown character: '{key}'")
    return bytes(found)


class DetachKeys:
    """Watches what is typed for the sequence; a begun sequence is held back until it is decided."""

    def __init__(self, sequence: bytes) -> None:
        self.sequence = sequence
        self.matched = 0

    def take(self, typed: bytes) -> tuple[bytes, bool]:
        """What is to be sent on, and whether the sequence is complete (what follows it is dropped)."""
        passed = bytearray()
        for byte in typed:
            if byte == self.sequence[self.matched]:
                self.matched += 1
                if self.matched == len(self.sequence):
                    self.matched = 0
                    return bytes(passed), True
                continue
            held = self.sequence[: self.matched]
            self.matched = 0
            passed += held
            if byte == self.sequence[0]:
                self.matched = 1
            else:
                passed.append(byte)
        return bytes(passed), False
