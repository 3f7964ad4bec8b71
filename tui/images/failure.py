"""A failed pull: what the other side said, the likely cause, and keys that do something about it."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Static

from engine.errors import EngineError
from tui.dialogs.dialog import Dialog
from tui.images.causes import details, diagnose, registry_of
from tui.sanitize import plain
from tui.state.pulls import Pull


class PullFailed(Dialog[None]):
    """Details are folded away; Enter unfolds them."""

    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter,space", "unfold", "Details", show=False)]

    def __init__(self, pull: Pull) -> None:
        super().__init__(f"Pull failed  {plain(pull.reference)}", "enter details  esc close")
        self._pull = pull
        self._error = pull.error or EngineError("it ended without saying why")
        self._diagnosis = diagnose(self._error, pull.reference)
        self._open = False

    def inside(self) -> ComposeResult:
        yield Static(self._text(), id="lines")

    def _text(self) -> Content:
        found = self._diagnosis
        parts: list[Content | str | tuple[str, str]] = [
            f"{found.who} said: ",
            (plain(found.said), "bold"),
            "\n\n",
            ("Likely cause   ", "$ph-secondary bold"),
            f"{plain(found.cause)}\n",
        ]
        for place, (key, what) in enumerate(found.remedies):
            head = "Try" if not place else ""
            parts += [(f"{head:<15}", "$ph-secondary bold"), (f"{key}  ", "$ph-primary bold"), f"{plain(what)}\n"]
        parts += ["\n", ("Details ▾" if self._open else "Details ▸ Enter", "$ph-muted")]
        if self._open:
            parts += [f"\n{plain(line)}" for line in self._details()]
        return Content.assemble(*parts)

    def _details(self) -> list[str]:
        return details(self._error, self._pull.reference, self._pull.ended - self._pull.started)

    def action_unfold(self) -> None:
        self._open = not self._open
        self.query_one("#lines", Static).update(self._text())

    def on_key(self, event: events.Key) -> None:
        if event.character not in {key for key, _ in self._diagnosis.remedies}:
            return
        event.stop()
        event.prevent_default()
        app, pull = self.app, self._pull
        if event.character == "y":
            app.copy(f"{self._diagnosis.said}\n" + "\n".join(self._details()))
        elif event.character == "r":
            self.dismiss(None)
            self._again()
        elif event.character == "E":
            self.dismiss(None)
            # by the app: an answer is given to who asked, and this dialog will be gone
            app.call_later(pull.edit or partial(app.ask_pull, pull.reference))
        elif event.character == "X":
            self.dismiss(None)
            app.open_prune()
        elif event.character == "L":
            from tui.images.login import LogIn

            app.push_screen(LogIn(registry_of(pull.reference)), self._logged_in)

    def _logged_in(self, accepted: bool | None) -> None:
        if accepted:
            self.dismiss(None)
            self._again()

    def _again(self) -> None:
        if self._pull.again is not None:
            self._pull.again()
