"""What was started and is over again while its success is still being told: the success alone would not be true."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from engine.models import Container, State
from tui import format as short
from tui.sanitize import plain
from tui.state.world import Entry
from tui.story import reading

if TYPE_CHECKING:
    from tui.state.world import World

WATCHED = 6.0  # seconds after a start: as long as the row says that it went well


class ShortLived:
    """Looks after containers of one action that started them, and tells of those that end, in one sentence.

    An end that the user asks for meanwhile, by another action, is none of its business. `alarm` is called with the
    sentence of each end.
    """

    def __init__(
        self, world: World, ids: Iterable[str], began: float, alarm: Callable[[str], object] | None = None
    ) -> None:
        self._world = world
        self._began = began  # an end before this is of an earlier run
        self._ids = list(ids)
        self._alarm = alarm
        self._until = time.time() + WATCHED
        self._ended: list[str] = []
        self._entry = Entry("", began, state="ok")
        world.watch(self._look, "containers")
        self._look()

    def _look(self) -> None:
        if time.time() > self._until or not self._ids:
            self._world.forget(self._look)
            return
        for id in [*self._ids]:
            container = self._world.containers.get(id)
            if id in self._world.pending:
                self._ids.remove(id)
            elif container is None:
                self._ids.remove(id)
                self._look_back(id)
            elif container.finished >= self._began and container.state in (State.EXITED, State.RESTARTING):
                self._ids.remove(id)
                self._tell(ended(container), failed=bool(container.exit_code))

    def _look_back(self, id: str) -> None:
        """It is gone, as `--rm` asks: how it ended only the events know."""
        for event in reversed(self._world.events):
            if event.id == id and event.action == "die" and event.time >= self._began:
                code = event.attributes.get("exitCode", "")
                self._tell(f"{plain(event.name)} exited ({plain(code)}) and was removed", failed=code != "0")
                return

    def _tell(self, sentence: str, *, failed: bool) -> None:
        entry, log = self._entry, self._world.log
        if entry in log:
            log.remove(entry)
        self._ended.append(sentence)
        entry.started, entry.sentence = time.time(), "; ".join(self._ended)
        if failed:
            entry.state = "failed"
        log.append(entry)
        self._world.tell("log")
        if self._alarm is not None:
            self._alarm(sentence)


def ended(container: Container) -> str:
    """`web exited (127) after 3 ms: its command was not found in the image`."""
    ran = short.ran(container)
    again = ", and will be started again" if container.state is State.RESTARTING else ""
    why = f": {reading(container)}" if container.exit_code or container.oom_killed else ""
    return f"{plain(container.name)} exited ({container.exit_code}){f' after {ran}' if ran else ''}{again}{why}"
