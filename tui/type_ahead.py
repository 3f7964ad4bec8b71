"""Keys that come faster than the dashboard: each waits until the one before has done what it does.

Textual gives a key to what has the focus when it arrives. Of `/web`, typed or pasted at once, the letters would go to
the list as keys of its own, because the line that `/` opens has the focus only a moment later. What opens only after
some work, a shell, has the keys too that are typed meanwhile. What is pasted waits with them, and so does a click: it
would otherwise go before the keys that were pressed before it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from textual.events import Key, MouseDown, MouseUp
from textual.worker import WorkerError

from tui.keyboard import apart

if TYPE_CHECKING:
    from textual.events import Paste
    from textual.message_pump import MessagePump
    from textual.screen import Screen
    from textual.worker import Worker

    from tui.app import Pilothouse

    Given = Key | Paste | MouseDown | MouseUp

PATIENCE = 1.0  # seconds: what takes longer than this does not hold up the keys that follow
LOOK = 0.02  # seconds after which it is looked whether what is waited for is still there
OPENING = 10.0  # seconds that keys wait for the screen they are meant for; then they are dropped


class TypeAhead:
    """`handle` gives a key, what was pasted, or a button of the mouse to Textual."""

    def __init__(self, app: Pilothouse, handle: Callable[[Given], Awaitable[None]]) -> None:
        self._app = app
        self._handle = handle
        self._waiting: deque[tuple[Given, Screen[object]]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._opening: Worker[object] | None = None
        self._opened_from: Screen[object] | None = None

    def opens(self, work: Worker[object]) -> None:
        """`work` opens a screen: keys wait until it is there. Without one they are dropped: none is for the list."""
        self._opening, self._opened_from = work, self._app.screen
        if not self._busy():
            self._task = asyncio.create_task(self._go_on())

    def _busy(self) -> bool:
        return self._task is not None and not self._task.done()

    async def take(self, key: Given) -> None:
        """Handle the key at once, or after those that are waiting. Escape at once gives up a screen that is opening."""
        if self._busy():
            escape = isinstance(key, Key) and key.key == "escape"
            if escape and self._opening is not None and not self._waiting:
                self._opening.cancel()
            else:
                self._waiting.append((key, self._app.screen))
            return
        if await self._handled(key):
            self._task = asyncio.create_task(self._go_on())

    async def _go_on(self) -> None:
        try:
            await self._settled()
            await self._opened()
            while self._waiting:
                key, seen = self._waiting.popleft()
                if isinstance(key, MouseDown) and self._app.screen is not seen:
                    self._app.screen.suppress_click()  # what it was on is not what is there now, where its end comes
                    continue
                if await self._handled(key):
                    await self._settled()
                    await self._opened()
        except Exception as error:  # what Textual does when a key fails that did not wait
            self._app._handle_exception(error)

    async def _handled(self, key: Given) -> bool:
        """Give it to Textual. True: it may move the focus; text in a field, or in a terminal, does not."""
        if not isinstance(key, Key):
            await self._handle(key)
            return False
        focused = self._app.focused
        everything = getattr(focused, "takes_every_key", False)
        if not everything and (two := apart(key)) and key.key not in self._app.screen.active_bindings:
            key, behind = two
            self._waiting.appendleft((behind, self._app.screen))
        text = focused is not None and (focused.check_consume_key(key.key, key.character) or everything)
        await self._handle(key)
        return not text

    async def _opened(self) -> None:
        """The screen that is being opened is there, or will not be."""
        if self._opening is None:
            return
        try:
            async with asyncio.timeout(OPENING):
                await self._opening.wait()
        except (TimeoutError, WorkerError):
            pass
        finally:
            self._opening = None
        if self._app.screen is self._opened_from:
            # but for the end of a press: whatever has heard of its beginning waits for it
            self._waiting = deque(each for each in self._waiting if isinstance(each[0], MouseUp))
            self._app.screen.suppress_click()
        else:
            await self._settled()

    async def _settled(self) -> None:
        """The key has gone its way, from what has the focus up to the app, and what it opened has the focus."""
        app = self._app
        try:
            async with asyncio.timeout(PATIENCE):
                for node in (*(app.focused or app.screen).ancestors_with_self, app):
                    await _has_come_to_it(node, node.call_later)
                await _has_come_to_it(app.screen, app.screen.call_after_refresh)
                await _has_come_to_it(app, app.call_later)
        except TimeoutError:
            pass


async def _has_come_to_it(node: MessagePump, call: Callable[[Callable[[], object]], bool]) -> None:
    """Until a callback given to `call` is called, or `node`, whose method that is, has gone: Escape closed a dialog."""
    called = asyncio.Event()
    if not call(called.set):
        return
    while not called.is_set() and node.is_running:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK):
                await called.wait()
