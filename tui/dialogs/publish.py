"""Another port of a running container, made reachable."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input, Static

from engine.errors import EngineError
from engine.models import Container, PortMapping
from tui.dialogs.dialog import Dialog
from tui.sanitize import plain

if TYPE_CHECKING:
    from engine.engine import Engine


class Publish(Dialog[PortMapping]):
    """Answers with a mapping that was free when Enter was pressed."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("f2", "fix", "Next free port", show=False)]

    def __init__(
        self, container: Container, port: str, engine: Callable[[], Awaitable[Engine]], *, protocol: str = "tcp"
    ) -> None:
        super().__init__(f"Publish a port of {plain(container.name)}", "enter publish  f2 next free port  esc close")
        self._offer = f"{port}:{port}" + ("" if protocol == "tcp" else f"/{protocol}") if port else ""
        self._engine = engine
        self._mapping: PortMapping | None = None

    def inside(self) -> ComposeResult:
        yield Static("As -p takes it: 8080:80, 127.0.0.1:8080:80, 53:53/udp, or 80 for any free port.", markup=False)
        yield Input(self._offer, placeholder="8080:80", compact=True)
        yield Static("", id="verdict", markup=False)

    def on_input_changed(self) -> None:
        self.app.behind(self, "checking a port", self._check)

    async def _check(self) -> bool:
        from engine.cli.ports import parse_port

        self._mapping, verdict = None, ""
        text = self.query_one(Input).value.strip()
        if text:
            try:
                (mapping,) = parse_port(text)
                engine = await self._engine()
                holder = (
                    await engine.port_holder(mapping.host_ip, mapping.host_port, mapping.protocol)
                    if mapping.host_port
                    else ""
                )
                verdict = f"✗ {mapping.host_port} is taken by {plain(holder)}" if holder else "✓ free"
                self._mapping = None if holder else mapping
            except (EngineError, ValueError) as error:  # ValueError: a range of ports is several mappings
                verdict = f"✗ {plain(str(error))}" if isinstance(error, EngineError) else "✗ one port at a time"
        self.query_one("#verdict", Static).update(verdict)
        return self._mapping is not None

    async def on_input_submitted(self) -> None:
        if await self._check():
            self.dismiss(self._mapping)

    async def action_fix(self) -> None:
        from engine.cli.ports import parse_port, spell_port

        field = self.query_one(Input)
        try:
            mapping = parse_port(field.value.strip())[0]
            free = await (await self._engine()).free_port(
                max(mapping.host_port or mapping.container_port, 1024), mapping.protocol
            )
        except EngineError as error:
            self.query_one("#verdict", Static).update(f"✗ {plain(str(error))}")
            return
        field.value = spell_port(PortMapping(mapping.container_port, free, mapping.host_ip, mapping.protocol))
