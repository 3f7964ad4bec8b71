"""User and password for a registry, tried at once; the password is never shown."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Button, Input, Label, Static

from engine.errors import EngineError
from tui.dialogs.dialog import Dialog
from tui.sanitize import plain


class LogIn(Dialog[bool]):
    """Answers True when the registry has accepted them and they are kept."""

    AUTO_FOCUS = "#user"

    def __init__(self, registry: str) -> None:
        super().__init__(f"Log in to {plain(registry)}", "enter log in  esc close")
        self._registry = registry

    def inside(self) -> ComposeResult:
        with Horizontal(classes="field"):
            yield Label("User")
            yield Input(id="user", compact=True)
        with Horizontal(classes="field"):
            yield Label("Password")
            yield Input(password=True, placeholder="or an access token", id="password", compact=True)
        yield Static("Kept where `docker login` keeps them.", id="verdict", markup=False)
        with Horizontal(id="buttons"):
            yield Button("Log in", id="go", compact=True)
            yield Button("Cancel  esc", id="cancel", compact=True)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        password = self.query_one("#password", Input)
        if event.input.id == "user" and not password.value:
            password.focus()
        else:
            self._go()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self._go() if event.button.id == "go" else self.action_close()

    def _go(self) -> None:
        self._say("asking the registry…")
        self.app.behind(self, "logging in", self._try)

    async def _try(self) -> None:
        user, password = (self.query_one(name, Input).value for name in ("#user", "#password"))
        engine = await self.app.engine_ready()
        try:
            file = await engine.login(self._registry, user.strip(), password)
        except EngineError as error:
            self._say(f"✗ {plain(str(error))}")
            return
        where = f"; the password is kept unencrypted in {plain(file)}" if file else ""
        self.app.operations.say(f"logged in to {plain(self._registry)}{where}")
        self.dismiss(True)

    def _say(self, words: str) -> None:
        self.query_one("#verdict", Static).update(words)
