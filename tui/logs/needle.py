"""Looking for bytes in a block of lines, by what of the C libraries is the faster way there."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable, Iterator

_CROWDED = 2048  # bytes from one place to the next on average, below which a call into the library costs more
_TRIED = 16  # places after which that is looked at


def _load() -> Callable[[int, int, bytes, int], int | None] | None:
    try:
        found = ctypes.CDLL(None).memmem
    except (OSError, AttributeError):
        return None
    found.restype = ctypes.c_void_p
    found.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]
    return found


_memmem = _load()


class Block:
    """The first `size` bytes of some memory that is not resized meanwhile."""

    def __init__(self, memory: bytes | bytearray, size: int) -> None:
        self._memory = memory
        self._size = size
        self._address = 0
        if isinstance(memory, bytearray) and _memmem is not None and size:
            self._address = ctypes.addressof(ctypes.c_char.from_buffer(memory))

    def places(self, needle: bytes) -> Iterator[tuple[int, int]]:
        """Of each line that has `needle`: where it stands for the first time, and where the line ends."""
        memory, size = self._memory, self._size
        at = count = 0
        if self._address and _memmem is not None:
            length = len(needle)
            while count < _TRIED or at > count * _CROWDED:
                found = _memmem(self._address + at, size - at, needle, length)
                if found is None:
                    return
                place = found - self._address
                at = memory.find(b"\n", place, size)
                if at < 0:
                    at = size
                yield place, at
                count += 1
        # One call for the whole block: for a million places, calls are what costs.
        for match in re.compile(re.escape(needle) + rb"[^\n]*").finditer(memory, at, size):
            yield match.span()

    def find(self, needle: bytes, begin: int, end: int) -> int:
        return self._memory.find(needle, begin, end)
