"""Who has a port of this host, and which is the next free one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.widgets import Input, Static

from engine.errors import EngineError
from tui.dialogs.dialog import Dialog
from tui.sanitize import plain

if TYPE_CHECKING:
    from engine.engine import Engine

LAST = 65535


class FreePort(Dialog[str]):
    """Answers with the number of a port that was free when it was last asked."""

    def __init__(self, start: int, engine: Callable[[], Awaitable[Engine]]) -> None:
        super().__init__("Find a free port", "enter copy the free one  esc close")
        self._start = start
        self._engine = engine
        self._free = 0

    def inside(self) -> ComposeResult:
        yield Static("From which port on? 8080, or 53/udp.", markup=False)
        yield Input(str(self._start), compact=True)
        yield Static("", id="verdict", markup=False)

    def on_input_changed(self) -> None:
        self.app.behind(self, "looking for a free port", self._check)

    async def _check(self) -> None:
        self._free = 0
        number, _, protocol = self.query_one(Input).value.strip().partition("/")
        protocol = protocol.lower() or "tcp"
        if not (number.isascii() and number.isdigit() and 0 < int(number[:6]) <= LAST and protocol in ("tcp", "udp")):
            self._say("a number from 1 to 65535" if number else "")
            return
        port = int(number)
        try:
            engine = await self._engine()
            holder = await engine.port_holder("", port, protocol)
            self._free = await engine.free_port(port, protocol)
        except EngineError as error:
            self._say(f"✗ {plain(str(error))}")
            return
        if self._free == port:
            self._say(f"✓ {port} is free")
            return
        taken = f"✗ {port} is taken" + (f" by {plain(holder)}" if holder else "")
        self._say(f"{taken}; next free: {self._free}" if self._free else f"{taken}; none above is free")

    def _say(self, words: str) -> None:
        self.query_one("#verdict", Static).update(words)

    async def on_input_submitted(self) -> None:
        await self._check()
        if self._free:
            self.dismiss(str(self._free))
