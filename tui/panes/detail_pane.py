"""What the details of the selected container have in common: the tabs in the frame."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import BindingType

from tui import keymap
from tui.panes.pane import Pane
from tui.sanitize import plain

TABS: dict[str, str] = {
    "logs": "{app.logs} Logs",
    "ports": "{app.ports} Ports",
    "stats": "Stats",
    "env": "Env",
    "inspect": "Inspect",
    "processes": "Processes",
    "files": "Files",
    "shell": "Shell",
    "events": "Events",
}
ALIASES: dict[str, tuple[str, ...]] = {"processes": ("top",)}  # of tabs, as those of keys in tui.keymap


class DetailPane(Pane):
    """One tab; where there is room, some tabs stand beside the others as panes of their own."""

    TAB: ClassVar[str] = ""
    BINDINGS: ClassVar[list[BindingType]] = keymap.bindings("container")

    @property
    def tab(self) -> str:
        return self.TAB

    def heading(self) -> tuple[str, str]:
        name = self.who()
        number, _, title = TABS[self.tab].rpartition(" ")
        left = " · ".join(part for part in (name, title) if part)
        left = f"{number} {left}" if number else left
        if self.tab in self.app.dashboard.beside():
            return left, ""
        return left, "  ".join(TABS[tab] for tab in self._others())

    def who(self) -> str:
        """Whose details these are."""
        container = self.world.container
        return plain(container.name) if container else ""

    def _others(self) -> list[str]:
        beside = self.app.dashboard.beside()
        return [tab for tab in TABS if tab != self.tab and tab not in beside]

    def word_clicked(self, place: int) -> None:
        """Go to that tab; where not all have room, the sign for more goes to the first that has none."""
        self.app.dashboard.go_to_tab(self._others()[place])

    def verb(self, key: str) -> str | None:
        """What the key does now; "" if it does nothing, None for the table's word."""
        container = self.world.container
        return "" if key.startswith("container.") and not (container is not None and container.running) else None

    def action_shell(self) -> None:
        self._act("shell")

    def action_attach(self) -> None:
        self._act("attach")

    def _act(self, action: str) -> None:
        if (container := self.world.container) is not None:
            self.app.dashboard.containers.act_on(container, action)

    def on_mount(self) -> None:
        self.world.watch(self.update_if_shown, "subject", "containers")
        self.update_if_shown()

    def on_show(self) -> None:
        self.update_if_shown()

    def update_if_shown(self) -> None:
        """Nothing is computed for a tab nobody sees."""
        if self.display and self.is_on_screen:
            self.update()
            self.retitle()

    def update(self) -> None:
        """Paint what the world holds now."""
