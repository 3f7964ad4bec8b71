"""The terminal's driver: Textual's, which hears Escape at once, and ends when the terminal is lost."""

from __future__ import annotations

import contextlib
import os
import selectors
import threading
from codecs import getincrementaldecoder
from collections.abc import Callable
from typing import IO, Any

from textual.drivers.linux_driver import LinuxDriver

from tui import keyboard


class Outlet:
    """The terminal as a file that never fails: what cannot be written is dropped, and `lost` is called once.

    Textual's thread that writes would end with the error, and the dashboard wait for it for ever, holding a processor,
    with nobody there to see it.
    """

    def __init__(self, file: IO[str], lost: Callable[[], object]) -> None:
        self._file = file
        self._lost = lost
        self._open = True

    def write(self, text: str) -> None:
        self._try(self._file.write, text)

    def flush(self) -> None:
        self._try(self._file.flush)

    def fileno(self) -> int:
        return self._file.fileno()

    def _try(self, do: Callable[..., object], *arguments: str) -> None:
        if not self._open:
            return
        try:
            do(*arguments)
        except OSError:
            self._open = False
            self._lost()


class Notice(threading.Event):
    """An event that a thread can wait for beside descriptors: it is readable while it is set."""

    def __init__(self) -> None:
        super().__init__()
        self._fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def fileno(self) -> int:
        return self._fd

    def set(self) -> None:
        super().set()
        os.eventfd_write(self._fd, 1)

    def clear(self) -> None:
        super().clear()
        with contextlib.suppress(BlockingIOError):  # it was not set
            os.eventfd_read(self._fd)

    def __del__(self) -> None:  # Textual's driver still uses it when it has been closed
        os.close(self._fd)


class TerminalDriver(LinuxDriver):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._file: Any = Outlet(self._file, self._end)
        self.exit_event: Notice = Notice()

    def run_input_thread(self) -> None:
        """Read keys until the driver is told to stop.

        Textual's looks ten times a second whether it is, and only then for a lone Escape: a tenth of what an idle
        dashboard costs.
        """
        keys, decode = keyboard.Keyboard(), getincrementaldecoder("utf-8")(errors="replace").decode
        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            selector.register(self.exit_event, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                ready = [key.fd for key, _ in selector.select(keyboard.PATIENCE if keys.waits else None)]
                if self.fileno in ready:
                    read = os.read(self.fileno, 1 << 12)
                    if not read:
                        return  # no key will come any more
                    for event in keys.feed(decode(read)):
                        self.process_message(event)
                for event in keys.tick():
                    self.process_message(event)

    def _end(self) -> None:
        """Called by the thread that writes."""
        self._loop.call_soon_threadsafe(self._app.exit)
