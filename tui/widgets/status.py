"""The row above the footer: what is going on, else the last result, else a tip."""

from __future__ import annotations

import time

from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from tui.format import bar, size, span
from tui.operations import finished
from tui.sanitize import plain
from tui.state.pulls import Pull
from tui.state.world import World

SHOWN = 6.0  # seconds a result stays
SHOWN_FAILED = 12.0  # a failure takes longer to read
_NAME = 12  # cells of the name of what is pulled that stay
SIGNS = {"ok": ("✓", "$ph-success"), "failed": ("✗", "$ph-error"), "cancelled": ("■", "$ph-warning")}


class StatusRow(Widget):
    """Pulls are chips with a bar; `tip` is set by the pane that has the focus."""

    class PullClicked(Message):
        pass

    def __init__(self, world: World) -> None:
        super().__init__(id="status")
        self._world = world
        self._tip = ""

    def on_mount(self) -> None:
        self._world.watch(self._changed, "log")
        self._world.watch(self._paint, "pulls")

    def show_tip(self, tip: str) -> None:
        if tip != self._tip:
            self._tip = tip
            self.refresh()

    def on_click(self) -> None:
        if self._active():
            self.post_message(self.PullClicked())

    def _active(self) -> list[Pull]:
        return [pull for pull in self._world.pulls.values() if not pull.outcome]

    def _changed(self) -> None:
        if self._world.log and self._world.log[-1].state != "running":
            for shown in (SHOWN, SHOWN_FAILED):
                self.set_timer(shown + 0.05, self._paint)
        self._paint()

    def _paint(self) -> None:
        """Paint anew; the screen is laid out again only if the row needs another height."""
        result = None if self._active() else self._result()
        rows = min(3, -(-(result.cell_length + 1) // max(1, self.size.width))) if result is not None else 1
        self.refresh(layout=rows != self.size.height)

    def render(self) -> Content:
        result = self._result()
        active = self._active()
        if active:
            gaps = 3 * (len(active) - 1) + 1
            room = (self.size.width - gaps) // len(active)
            chips = [chip(pull, room, wide=self.size.width >= 110) for pull in active]
            # a fresh result stands before the chips, it is why the user looks here
            parts = [result, *chips] if result is not None else chips
            return Content.assemble(" ", Content("   ").join(parts)).truncate(self.size.width, ellipsis=True)
        if result is not None:  # wraps: the row grows for a failure that is longer (max-height: dashboard.tcss)
            return Content.assemble(" ", result)
        return Content.styled(f" {self._tip}", "$ph-muted").truncate(self.size.width, ellipsis=True)

    def _result(self) -> Content | None:
        now = time.time()
        for entry in reversed(self._world.log):
            if entry.state == "running":
                if entry.command and not self._active():
                    return Content.styled(f"… {plain(entry.command)}", "$ph-accent")
                continue
            shown = SHOWN_FAILED if entry.state == "failed" else SHOWN
            if entry.told or now - (entry.started + entry.took) > shown:
                return None
            sign, style = SIGNS[entry.state]
            return Content.assemble((f"{sign} ", style), (finished(entry), style if entry.state == "failed" else ""))
        return None


def chip(pull: Pull, room: int, *, wide: bool) -> Content:
    """pulling redis:7  ███████░░░ 71%  63/89M  12M/s  3s

    A name that is too long loses its beginning, so that how far it is stays on the screen.
    """
    fraction, remaining = pull.fraction, pull.remaining
    verb, name = "pulling" if fraction is not None else pull.action, plain(pull.reference)
    if fraction == 1:
        verb = "unpacking"  # everything has come, and it is not here yet
    parts: list[str] = []
    if fraction is not None:
        parts.append(f"{bar(fraction, 20 if wide else 10)} {int(fraction * 100)}%")
        parts.append(f"{size(pull.current)}/{size(pull.total)}")
    elif pull.current:
        parts.append(size(pull.current))
    if pull.speed > 0:
        parts.append(f"{size(pull.speed)}/s")
    if remaining is not None:
        parts.append(span(remaining))
    if wide and pull.layers:
        parts.append(f"layers {pull.finished}/{len(pull.layers)}" + (f", {pull.shared} shared" if pull.shared else ""))
        parts.append("P: show and cancel")
    while len(parts) > 1 and room - len("  ".join([verb, *parts])) < min(len(name), _NAME) + 1:
        parts.pop()
    if parts and room - len("  ".join([verb, *parts])) < min(len(name), _NAME) + 1:
        parts[0] = parts[0].rpartition(" ")[2]  # the bar: the number alone says it too
    told = "".join(f"  {part}" for part in parts)
    left = max(1, room - len(verb) - 1 - len(told))
    if len(name) > left:
        name = "…" + name[len(name) - left + 1 :]
    return Content.styled(f"{verb} {name}{told}", "$ph-accent")
