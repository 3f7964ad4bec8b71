"""What a first run shows: what the engine finds on this machine, and something small to try."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.widgets import Input, Static

from engine.engine import Engine
from engine.errors import InvalidInput
from engine.models import Container, PortMapping, Progress, RunOptions
from tui import keymap
from tui.panes.pane import Pane
from tui.sanitize import plain
from tui.state.world import World
from tui.welcome import checks
from tui.widgets.table import Column, Row, Table, cell

DEMO = "demo"


@dataclass(frozen=True, slots=True)
class Choice:
    """Something to run. `size` is what a pull costs; `then` is the tab shown when it runs."""

    options: RunOptions
    size: str
    words: str
    port: int = 0
    then: str = "logs"


_DETACHED = {"detach": True}
CHOICES: dict[str, Choice] = {
    "nginx": Choice(
        RunOptions("nginx:alpine", name="web", ports=(PortMapping(80, 8080),), detach=True),
        "20 MB", "a web page at http://localhost:{port}", 8080,
    ),
    "redis": Choice(
        RunOptions("redis:7-alpine", name="redis", ports=(PortMapping(6379, 6379),), detach=True),
        "16 MB", "a database on port {port}", 6379,
    ),
    "alpine": Choice(
        RunOptions("alpine", name="shell", tty=True, interactive=True, detach=True),
        "4 MB", "an interactive shell", then="attach",
    ),
    "busybox": Choice(
        RunOptions("busybox", ("sh", "-c", "while :; do date; sleep 1; done"), name="clock", detach=True),
        "2 MB", "prints the date every second: a log to play with",
    ),
}  # fmt: skip


class WelcomePane(Pane):
    """Stands where the lists will, until there is a container or an image, or Escape is pressed."""

    BINDINGS: ClassVar[list[BindingType]] = keymap.bindings("welcome")

    def __init__(self, world: World) -> None:
        super().__init__(world, id="welcome")
        self._checks: list[checks.Check] = []
        self._registry: checks.Check | None = None
        self._explained = False
        self._ports: dict[str, int] = {}
        self.table = Table((Column("name", "", most=20), Column("size", "", right=True), Column("words", "", most=60)))

    def compose(self) -> ComposeResult:
        yield Static(
            "No containers yet, and no images. Pilothouse needs no Docker daemon:\n"
            "it runs images itself, as root, in Linux namespaces.",
            id="welcome-words",
            markup=False,
        )
        yield Static("… trying what a container needs", id="welcome-checks", markup=False)
        yield Static("Pick something small to try, or type any image name (/):", id="welcome-pick", markup=False)
        yield self.table
        yield Input(
            placeholder="Image: any name, such as python:3.12-slim or ghcr.io/owner/name",
            compact=True,
            id="welcome-image",
        )
        yield Static("", id="welcome-keys", markup=False)

    def on_mount(self) -> None:
        self._show_choices()
        self._show_keys()
        self.app.behind(self, "looking at this machine", self._look)
        self.app.behind(self, "looking for a registry", self._look_for_registry)

    def enter(self) -> None:
        self.table.focus()

    # what it says ---------------------------------------------------------------------------------

    def heading(self) -> tuple[str, str]:
        return "Welcome aboard", ""

    def tip(self) -> str:
        return "Nothing is pulled or started until you press Enter."

    async def _look(self) -> None:
        engine = await self.app.engine_ready()
        self._checks = await checks.of_machine(self.app.settings)
        self._show_checks()
        for name, choice in CHOICES.items():
            if choice.port:
                self._ports[name] = await engine.free_port(choice.port)
        self._show_choices()

    async def _look_for_registry(self) -> None:
        self._registry = await checks.of_registry()
        self._show_checks()
        self._show_choices()

    def _show_checks(self) -> None:
        found = [*self._checks, *([self._registry] if self._registry else [])]
        if not self._checks:
            return
        width = max(len(check.words) for check in found) + 4
        per_row = max(1, min(3, (self.size.width - 4) // width)) if self.size.width else 2
        parts: list[Content] = []
        for place, check in enumerate(found):
            sign, tone = ("✓ ", "$ph-success") if check.good else ("! ", "$ph-warning")
            last = place % per_row == per_row - 1
            parts.append(Content.assemble((sign, tone), plain(check.words).ljust(0 if last else width - 2)))
            if last and place + 1 < len(found):
                parts.append(Content("\n"))
        troubles = [check for check in found if not check.good]
        if self._explained:
            for check in troubles:
                parts.append(Content.assemble("\n", ("! ", "$ph-warning"), f"{check.words}: ", plain(check.how)))
            if not troubles:
                parts.append(Content("\nEverything a container needs is here."))
        elif troubles:
            parts.append(Content.styled(f"   ({self.app.keys_of('welcome.how')[0]}: how)", "$ph-muted"))
        self.query_one("#welcome-checks", Static).update(Content.assemble(*parts))

    def _show_choices(self) -> None:
        offline = self._registry is not None and not self._registry.good
        demo = Row(
            DEMO,
            (cell("the demo"), cell("0 B"), cell("three containers of this machine's own files")),
            ("◆", "accent"),
        )
        rows = [
            Row(
                name,
                (
                    cell(choice.options.image, "muted" if offline else ""),
                    cell(choice.size, "muted"),
                    cell(choice.words.format(port=self._ports.get(name, choice.port)), "muted" if offline else ""),
                ),
                ("✗", "bad") if offline else ("○", "good"),
            )
            for name, choice in CHOICES.items()
        ]
        # offline, what works stands first; the rest stays: a mirror or a proxy may still answer
        self.table.show([demo, *rows] if offline else [*rows, demo])
        if offline and self.table.cursor_key == next(iter(CHOICES)):
            self.table.select(DEMO)
        load = self.app.keys_of("welcome.load")[0]
        words = f"No network: load an archive ({load}). The demo needs none either:" if offline else ""
        self.query_one("#welcome-pick", Static).update(
            words or f"Pick something small to try, or type any image name ({self.app.keys_of('app.find')[0]}):"
        )

    def _show_keys(self) -> None:
        def key(id: str) -> str:
            return self.app.keys_of(id)[0]

        self.query_one("#welcome-keys", Static).update(
            f"{key('welcome.run')} runs the choice · {key('welcome.form')} opens the full form · "
            f"{key('welcome.demo')} the demo · {key('app.back')}: empty dashboard"
        )

    def on_resize(self) -> None:
        super().on_resize()
        self._show_checks()

    # keys -----------------------------------------------------------------------------------------

    def find(self) -> None:
        self.query_one(Input).focus()

    def back(self) -> bool:
        if self.query_one(Input).has_focus:
            self.table.focus()
        else:
            self.app.dashboard.leave_welcome()
        return True

    def on_table_activated(self, event: Table.Activated) -> None:
        event.stop()
        self.action_run()

    def action_run(self) -> None:
        key = self.table.cursor_key
        if key == DEMO:
            self.action_demo()
        elif key in CHOICES:
            self._run(CHOICES[key], self._ports.get(key, 0))

    def action_form(self) -> None:
        self.app.open_run_form(self._chosen())

    def action_pull(self) -> None:
        if reference := self._chosen():
            self.app.start_pull(reference)

    def action_load(self) -> None:
        self.app.ask_load()

    def action_how(self) -> None:
        self._explained = not self._explained
        self._show_checks()

    def action_demo(self) -> None:
        def start(_: Engine) -> list[str]:
            # an engine of its own, which blocks instead of waiting: that is how the command line's code drives it
            from engine.cli.demo import start
            from engine.cli.drive import drive

            engine = Engine.open(self.app.settings, threads=False)
            drive(engine.__aenter__())
            try:
                return start(engine)
            finally:
                drive(engine.__aexit__(None, None, None))

        async def work(engine: Engine) -> list[str]:
            import asyncio

            return await asyncio.to_thread(start, engine)

        self.app.operations.run("pilothouse demo --no-dash", work, done="the demo runs: three containers")

    def _chosen(self) -> str:
        choice = CHOICES.get(self.table.cursor_key)
        return choice.options.image if choice else ""

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if not event.value.strip():
            return
        from engine.reference import parse

        try:
            parse(event.value.strip())
        except InvalidInput as error:
            self.app.operations.say(plain(str(error)), failed=True)
            return
        self._run(Choice(RunOptions(event.value.strip(), detach=True), "", ""), 0)

    def _run(self, choice: Choice, port: int) -> None:
        options = choice.options
        if port:
            options = replace(options, ports=(replace(options.ports[0], host_port=port),))
        from engine.cli.options import command_line
        from tui.pulling import with_progress

        dashboard = self.app.dashboard

        def then(made: object) -> None:
            if isinstance(made, Container) and made.id in self.world.containers:
                dashboard.select(made.id)
                if choice.then == "attach":
                    self.app.call_after_refresh(dashboard.containers.run_action, "attach")

        def work(engine: Engine, progress: Callable[[Progress], None]) -> object:
            return engine.run(options, progress=progress)

        with_progress(
            self.app.operations,
            self.world,
            options.image,
            plain(command_line(options)),
            work,  # type: ignore[arg-type]
            done=lambda made: f"started {plain(made.name)}" if isinstance(made, Container) else "started",
            then=then,
            again=partial(self._run, choice, port),
            edit=partial(self.app.open_run_form, options.image),
            over=self.app.pull_over,
            at_once=True,
        )
