"""The dialog that gives a container another name, checked while it is typed."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.widgets import Input, Static

from engine.containers import names
from engine.errors import InvalidInput
from engine.models import Container
from tui.dialogs.dialog import Dialog
from tui.sanitize import plain
from tui.state.world import World


class Rename(Dialog[str]):
    """Answers with the new name."""

    def __init__(self, container: Container, world: World) -> None:
        super().__init__(f"Rename {plain(container.name)}", "enter rename  esc cancel")
        self._container = container
        self._world = world

    def inside(self) -> ComposeResult:
        yield Input(self._container.name, select_on_focus=True, id="name")
        yield Static(id="verdict", markup=False)

    def problem(self, name: str) -> str:
        """Why it cannot be called that; empty if it can."""
        if not name:
            return "type a name"
        holder = next((each for each in self._world.containers.values() if each.name == name), None)
        if holder is not None and holder.id != self._container.id:
            return f"another container is called {plain(name)}: it is {holder.state}"
        try:
            names.validate(name)
        except InvalidInput as error:
            return plain(str(error))
        return ""

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        problem = self.problem(event.value.strip())
        told = f"✗ {problem}" if problem else "✓ free" if event.value.strip() != self._container.name else ""
        self.query_one("#verdict", Static).update(told)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        name = event.value.strip()
        if not self.problem(name):
            self.dismiss(name if name != self._container.name else None)
