"""A failed pull: what the other side said, the likely cause, and keys that do something about it."""

from __future__ import annotations

import textwrap
from functools import partial
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Static

from engine.errors import EngineError
from tui.dialogs.dialog import Dialog
from tui.images.causes import DETAIL, details, diagnose, registry_of
from tui.sanitize import plain
from tui.state.pulls import Pull

LABEL = 15  # cells before the text
_SHORT = {"L": "log in", "E": "edit", "r": "retry", "y": "copy", "X": "make room"}  # of the remedies, for the footer


class PullFailed(Dialog[None]):
    """Details are folded away; Enter unfolds them."""

    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "unfold", "Details", show=False),
        *(Binding(key, f"remedy({key!r})", show=False) for key in _SHORT),
    ]

    def __init__(self, pull: Pull) -> None:
        super().__init__(f"Pull failed  {plain(pull.reference)}", "enter details  esc close")
        self._pull = pull
        self._error = pull.error or EngineError("it ended without saying why")
        self._diagnosis = diagnose(self._error, pull.reference)
        self._open = False

    def inside(self) -> ComposeResult:
        yield Static(self._text(), id="lines")

    def on_resize(self) -> None:
        self._show()

    def keys(self) -> list[tuple[str, str, str]]:
        return [*((key, key, _SHORT[key]) for key, _ in self._diagnosis.remedies), *super().keys()]

    def _text(self) -> Content:
        found, room = self._diagnosis, self.frame_width - 6
        parts: list[Content | str | tuple[str, str]] = [
            f"{found.who} said: ",
            (plain(found.said), "bold"),
            "\n\n",
            (f"{'Likely cause':<{LABEL}}", "$ph-secondary bold"),
            f"{_hung(found.cause, room, LABEL)}\n",
        ]
        for place, (key, what) in enumerate(found.remedies):
            head = "Try" if not place else ""
            parts += [(f"{head:<{LABEL}}", "$ph-secondary bold"), (f"{key}  ", "$ph-primary bold")]
            parts.append(f"{_hung(what, room, LABEL + 3)}\n")
        parts += ["\n", ("Details ▾" if self._open else "Details ▸ Enter", "$ph-muted")]
        if self._open:
            for line in self._details():
                parts.append(f"\n{line[:DETAIL]}{_hung(line[DETAIL:], room, DETAIL)}")
        return Content.assemble(*parts)

    def _details(self) -> list[str]:
        return details(self._error, self._pull.reference, self._pull.ended - self._pull.started)

    def _show(self) -> None:
        self.query_one("#lines", Static).update(self._text())

    def action_unfold(self) -> None:
        self._open = not self._open
        self._show()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action != "remedy" or parameters[0] in {key for key, _ in self._diagnosis.remedies}

    def action_remedy(self, key: str) -> None:
        app, pull = self.app, self._pull
        if key == "y":
            app.copy(f"{self._diagnosis.said}\n" + "\n".join(self._details()))
        elif key == "r":
            self.dismiss(None)
            self._again()
        elif key == "E":
            self.dismiss(None)
            # by the app: an answer is given to who asked, and this dialog will be gone
            app.call_later(pull.edit or partial(app.ask_pull, pull.reference))
        elif key == "X":
            self.dismiss(None)
            app.open_prune()
        elif key == "L":
            from tui.images.login import LogIn

            app.push_screen(LogIn(registry_of(pull.reference)), self._logged_in)

    def _logged_in(self, accepted: bool | None) -> None:
        if accepted:
            self.dismiss(None)
            self._again()

    def _again(self) -> None:
        if self._pull.again is not None:
            self._pull.again()


def _hung(text: str, room: int, indent: int) -> str:
    """The text in lines that begin below its first word, which stands after `indent` cells."""
    return f"\n{' ' * indent}".join(textwrap.wrap(plain(text), max(8, room - indent)))
