"""Two names that give each other their file all the time, as a hostile container would do it in a volume."""

from __future__ import annotations

import ctypes
import os
import threading
from pathlib import Path


class Exchanging:
    """A thread that exchanges a name with a link, without a moment in which one is missing: renameat2(2).

    Afterwards each has its own again.
    """

    def __init__(self, usual: Path, link: Path) -> None:
        self._usual, self._link = usual, link
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.turns = 0

    def _run(self) -> None:
        while not self._over.is_set():
            self._exchange()

    def _exchange(self) -> None:
        if self._libc.renameat2(-100, os.fsencode(self._usual), -100, os.fsencode(self._link), 2) == 0:
            self.turns += 1

    def __enter__(self) -> Exchanging:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        assert self.turns > 100
        if self._usual.is_symlink():
            self._exchange()
