"""The top row: the engine's health, counts, the machine's load, the time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from textual import events
from textual.content import Content
from textual.widget import Widget

from tui.format import plural, size
from tui.sanitize import plain
from tui.state.world import World

if TYPE_CHECKING:
    from tui.app import Pilothouse

NAME = " PILOTHOUSE "


class Header(Widget):
    """One row, never more; what does not fit is left out from the least important on.

    A click on the name opens the palette, one on the rest says what the engine warns of.
    """

    app: Pilothouse

    def __init__(self, world: World) -> None:
        super().__init__(id="header")
        self._world = world

    def on_mount(self) -> None:
        self._world.watch(self._changed, "containers", "images", "info", "load")

    def _changed(self) -> None:
        self.refresh()

    def render(self) -> Content:
        width = self.size.width
        counts = self._counts()
        room = width - 12 - counts.cell_length - len("  00:00:00 ") - 2  # a long warning leaves counts and clock alone
        left = [
            Content.styled(NAME, "$ph-primary bold"),
            self._health().truncate(max(10, room), ellipsis=True),
        ]
        load = self._world.load
        wide = width >= 110
        right = []
        if load is not None:
            busy = "-" if load.cpu is None else f"{load.cpu:.0f}%"
            right.append(f"cpu {busy}" + (f" of {load.cpus}" if wide else ""))
            right.append(f"mem {size(load.used)}" + (f" / {size(load.memory)}" if wide else ""))
            right.append(f"disk {size(load.free_disk)} free" if wide else f"disk {size(load.free_disk)}")
        right.append(time.strftime("%H:%M:%S"))
        gap = "   " if wide else "  "
        line = Content(" ").join([*left, counts]) if wide else Content.assemble(*left, " ", counts)
        while len(right) > 1 and line.cell_length + len(gap.join(right)) + 3 > width:
            right.pop(-2)  # the disk first, the clock never
        tail = gap.join(right) + " "
        if line.cell_length + len(tail) + 1 > width:
            return line.truncate(width)
        return Content.assemble(line, " " * (width - line.cell_length - len(tail)), (tail, "$ph-muted"))

    def on_click(self, event: events.Click) -> None:
        if event.x < len(NAME):
            self.app.action_command_palette()
            return
        for warning in self._world.info.warnings if self._world.info is not None else ():
            self.app.operations.say(plain(warning))

    def _health(self) -> Content:
        world = self._world
        if world.trouble:
            return Content.styled(f"✗ {world.trouble}", "$ph-error bold")
        if not world.loaded:
            return Content.styled("opening…", "$ph-muted")
        info = world.info
        mode = "root" if info is None else f"root · cgroup v{plain(info.cgroup_version)}"
        shown = mode if self.size.width >= 110 else "root"
        if info is not None and info.warnings:
            # the sentences are long: help shows them, and `pilothouse info`
            return Content.styled(f"{shown} ! {plural(len(info.warnings), 'warning')}", "$ph-warning")
        return Content.styled(f"{shown} ok", "$ph-success")

    def _counts(self) -> Content:
        world = self._world
        if not world.loaded:
            return Content("")
        stopped = len(world.containers) - world.running
        words = (
            f" {world.running} running  {stopped} stopped"
            if self.size.width >= 110
            else (f" {world.running} run {stopped} stop")
        )
        return Content.styled(words, "$ph-foreground")
