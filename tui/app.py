"""The dashboard as a program: opens the engine behind the first paint, holds what all screens share."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events
from textual._styles_cache import StylesCache
from textual.app import App
from textual.binding import Binding, BindingType
from textual.css.query import NoMatches
from textual.widget import MountError

from engine.errors import EngineError
from tui import config, keymap, theming, urls
from tui.config import Preferences
from tui.dashboard import Dashboard
from tui.operations import Operations, explain
from tui.reports import write_report
from tui.sanitize import plain
from tui.state import kept, memory
from tui.state.feed import Feed
from tui.state.world import World
from tui.type_ahead import TypeAhead

if TYPE_CHECKING:
    from textual.command import Provider
    from textual.dom import DOMNode
    from textual.driver import Driver
    from textual.worker import Worker

    from engine.engine import Engine
    from engine.models import Container, PortMapping
    from engine.settings import Settings
    from tui.shell.session import Session
    from tui.state.pulls import Pull

FEW = 50  # containers: all are looked at each time, at 0.1 ms each, not only those on screen
ALONE = 30.0  # seconds without a key or the mouse after which it looks half as often at use and ports
FRESH = 10.0  # seconds after which a failed pull no longer interrupts what the user does: P shows it


def _palette() -> type[Provider]:
    from tui.palette import Actions

    return Actions


def _is_leaving(node: DOMNode) -> bool:
    """Whether a node, or all of the dashboard, is on its way out."""
    return node._pruning or node.app._exit or not node.is_attached


class Pilothouse(App[None]):
    """One engine, one world, the operations on them; the main screen is `dashboard`."""

    TITLE = "Pilothouse"
    CSS_PATH = Path(__file__).with_name("dashboard.tcss")
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {_palette}
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+z", "suspend_process", "Suspend", show=False, system=True)]

    def __init__(
        self,
        settings: Settings,
        *,
        theme: str | None = None,
        preferences: Preferences | None = None,
        open_engine: Callable[[Settings], Engine] | None = None,
    ) -> None:
        self.preferences = preferences or config.load()
        self._theme_trouble = ""
        self._first_theme = self._chosen_theme(theme)
        super().__init__()
        self._first_theme = self._fitting(self._first_theme)
        self.settings = settings
        self.world = World()
        self.operations = Operations(self, self.world, self.engine_ready)
        self.dashboard = Dashboard(self.world)
        self._open_engine = open_engine
        self._engine: Engine | None = None
        self._type_ahead = TypeAhead(self, self._heard)
        self._opened = asyncio.Event()
        self._used = time.monotonic()
        self.shells: dict[str, Session] = {}  # by container, also those that were left for the dashboard
        self.register_theme(self._first_theme.to_textual())
        self.theme = self._first_theme.name

    def _chosen_theme(self, name: str | None) -> theming.Palette:
        """What was asked for, else what was chosen last time, else what config.toml names.

        A mistake in a theme that was asked for is raised; one in another theme is told on the status row.
        """
        if name:
            return theming.load(name)
        try:
            return theming.load(memory.theme(self.preferences.theme) or theming.DEFAULT)
        except EngineError as error:
            self._theme_trouble = str(error)
            return theming.load(theming.DEFAULT)

    def _fitting(self, palette: theming.Palette) -> theming.Palette:
        """As it is, or for a terminal with no more than sixteen colours, or for one that shall show none."""
        if self.console.color_system == "standard":
            palette = theming.sixteen(palette)
        return theming.colourless(palette) if self.no_color else palette

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return theming.variables(self._first_theme.colors)

    def keys_of(self, id: str) -> list[str]:
        """The keys in force for an id of the table, as they are written on a keyboard; the first is the one shown."""
        return [keymap.display(key) for key in self.preferences.keys[id]]

    def wear(self, palette: theming.Palette) -> None:
        """Put a theme on, also one whose file has changed since it was worn last."""
        if palette.name in self.available_themes:
            self.unregister_theme(palette.name)
        self.register_theme(self._fitting(palette).to_textual())
        self.theme = palette.name

    def get_driver_class(self) -> type[Driver]:
        found = super().get_driver_class()
        from textual.drivers.linux_driver import LinuxDriver

        if found is not LinuxDriver:  # a browser's, or a test's
            return found
        from tui.driver import TerminalDriver

        return TerminalDriver

    def get_default_screen(self) -> Dashboard:
        return self.dashboard

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Textual's own keys for these would be taken from the program in a terminal."""
        if action in ("quit", "command_palette", "help_quit") and getattr(self.focused, "takes_every_key", False):
            return False
        return super().check_action(action, parameters)

    async def on_event(self, event: events.Event) -> None:
        """Keys, pastes and clicks go one after the other."""
        if isinstance(event, events.InputEvent | events.Paste):
            self._used = time.monotonic()
        if isinstance(event, events.Key | events.Paste | events.MouseDown | events.MouseUp) and not event.is_forwarded:
            await self._type_ahead.take(event)
            return
        await super().on_event(event)

    async def _heard(self, event: events.Event) -> None:
        """A press on what is just being removed is for nothing: Textual fails on it."""
        if isinstance(event, events.MouseDown) and self.screen_stack:
            under, _ = self.screen.get_widget_and_offset_at(*event.screen_offset)
            if under is not None and under.parent is None and under is not self.screen:
                return
        await super().on_event(event)

    def on_unmount(self) -> None:
        for session in self.shells.values():
            session.close()

    # the engine -----------------------------------------------------------------------------------

    def on_mount(self) -> None:
        self.set_keymap(self.preferences.changed)
        if troubles := [trouble for trouble in (*self.preferences.troubles, self._theme_trouble) if trouble]:
            count = f"{len(troubles)} mistakes (`pilothouse keys` tells all): " if troubles[1:] else ""
            self.operations.say(f"{count}{plain(troubles[0])}", failed=True)
        if not self.is_headless:
            # a terminal must never be left raw: what would kill the process closes the dashboard instead
            for number in (signal.SIGTERM, signal.SIGHUP):
                asyncio.get_running_loop().add_signal_handler(number, self.exit)
        # the shell has written over the screen meanwhile, and Textual only paints what it believes to have changed
        self.app_resume_signal.subscribe(self, lambda _: self.screen.refresh(layout=True))
        # the first paint does not wait for the engine, nor for its import
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        # Its keys are Textual's memories of what a widget showed, of up to a thousand that were removed: 40 MB.
        self.world.watch(StylesCache.get_inner_outer.cache_clear, "minute")
        self.behind(self, "following the engine", self._live)
        self.behind(self, "measuring", self._measure)

    async def _live(self) -> None:
        """Open the engine and follow it until the dashboard is closed."""
        from engine.engine import Engine

        try:
            async with (self._open_engine or Engine)(self.settings) as engine:
                self._engine = engine
                self._opened.set()
                await Feed(engine, self.world).follow()
        except Exception as error:  # whatever it is, the user must learn that nothing on the screen is live any more
            sentence, hint = explain(error, "following the engine")
            self.world.trouble = f"{sentence} ({hint})" if hint else sentence
            self.world.tell("info", "containers", "images")

    async def engine_ready(self) -> Engine:
        """The engine, as soon as it is open."""
        await self._opened.wait()
        assert self._engine is not None
        return self._engine

    async def _measure(self) -> None:
        """At every full second: the machine's load, and the readings of the containers; every minute, that it is over.

        What is told of the past, how old an image is, would else stand still until something else changes.
        """
        from tui.state.readings import Readings

        readings, minute = Readings(self.settings, self.world), time.time() // 60
        skipped = False
        while True:
            if time.time() // 60 != minute:
                minute = time.time() // 60
                self.world.tell("minute")
            skipped = not skipped and self.is_alone
            if skipped:
                self.world.tell("load")  # the clock goes on
            else:
                shown = self._on_screen()
                await readings.take(self._engine, shown, self._off_screen(shown))
            await asyncio.sleep(1.0 - time.time() % 1.0)

    @property
    def is_alone(self) -> bool:
        """Nobody has used it for a while: it looks less often at what changes by itself."""
        return not self.was_used_since(time.monotonic() - ALONE)

    def was_used_since(self, moment: float) -> bool:
        """Whether there was a key or the mouse after `moment` (CLOCK_MONOTONIC)."""
        return self._used > moment

    def _on_screen(self) -> list[Container]:
        """The containers whose row is visible, and the one the details are about; of a few, all."""
        if len(self.world.containers) <= FEW:
            return list(self.world.containers.values())
        pane = self.dashboard.containers
        keys = dict.fromkeys(pane.table.visible_keys() if pane.is_on_screen else ())
        if pane.table.sort_column == "log":  # which logs most is known only of those that were looked at
            keys = dict.fromkeys(self.world.containers)
        if self.world.subject:
            keys[self.world.subject] = None
        return [container for key in keys if (container := self.world.containers.get(key)) is not None]

    def _off_screen(self, shown: list[Container]) -> list[Container]:
        """The others whose use is read as well: a history without holes, and an order that is right."""
        others = [container for container in self.world.containers.values() if container.running]
        if len(others) > FEW and not self.dashboard.containers.sorted_live:
            return []
        seen = {container.id for container in shown}
        return [container for container in others if container.id not in seen]

    def behind(
        self, owner: DOMNode, doing: str, work: Callable[..., Coroutine[Any, Any, object]], *arguments: object
    ) -> Worker[object]:
        """Run `work` in the background for `owner`, with which it ends; started again, it replaces what still runs."""
        guarded: Callable[[], Any] = partial(self._guarded, owner, doing, work, *arguments)
        return owner.run_worker(guarded, exclusive=True, group=doing, exit_on_error=False)

    def opening(
        self, owner: DOMNode, doing: str, work: Callable[..., Coroutine[Any, Any, object]], *arguments: object
    ) -> None:
        """As `behind`, for work that opens a screen: keys that are typed meanwhile are for that."""
        self._type_ahead.opens(self.behind(owner, doing, work, *arguments))

    async def _guarded(
        self, owner: DOMNode, doing: str, work: Callable[..., Coroutine[Any, Any, object]], *arguments: object
    ) -> None:
        """A failure becomes a sentence on the status row (and a report if nobody foresaw it)."""
        try:
            await work(*arguments)
        except Exception as error:  # the border of the user interface
            if isinstance(error, NoMatches | MountError) and _is_leaving(owner):
                return  # Textual takes a node's children away before it cancels the node's work
            sentence, hint = explain(error, doing)
            self.operations.say(sentence, failed=True, hint=hint)

    def _fatal_error(self) -> None:
        # instead of Textual's traceback on the user's terminal: a sentence, and the traceback in a file
        error = sys.exception()
        path = write_report(error, "showing the dashboard") if error is not None else ""
        name = f"{type(error).__name__}: {plain(str(error))}" if error is not None else "unknown"
        where = f" A report was written to {path}." if path else ""
        from rich.text import Text

        self._exit_renderables.append(Text(f"Pilothouse had to close its dashboard ({name}).{where} Containers go on."))
        self.world.forget_all()
        self._close_messages_no_wait()

    # what dialogs and panes ask for ---------------------------------------------------------------

    def copy(self, text: str | None) -> None:
        """To the clipboard, by the terminal (OSC 52). Of more than a line it is told how many there are."""
        if text:
            self.copy_to_clipboard(text)
            lines, shown = len(text.splitlines()), plain(text)
            what = f"{lines} lines" if lines > 1 else shown if len(shown) <= 60 else f"{shown[:59]}…"
            self.operations.say(f"copied {what}")

    def open_mapping(self, mapping: PortMapping, address: str = "") -> None:
        """Show a published port in the browser; over ssh, or without one, copy the address and say how to get there.

        `address` is its URL where more is known than the mapping tells.
        """
        address = address or urls.url(mapping)
        if self.is_web:  # the browser that shows this dashboard
            self.open_url(address)
            self.operations.say(f"opened {address}")
        elif urls.over_ssh():
            self.copy_to_clipboard(address)
            self.operations.say(f"copied {address}; from your own machine: {urls.tunnel(mapping)}")
        elif urls.open_in_browser(address):
            self.operations.say(f"opened {address}")
        else:
            self.copy_to_clipboard(address)
            self.operations.say(f"no browser here: copied {address}")

    def action_command_palette(self) -> None:
        from tui.palette import Palette

        if not any(isinstance(screen, Palette) for screen in self.screen_stack):
            self.push_screen(Palette())  # without Textual's ID: the one before may still be on its way out

    def open_run_form(self, image: str = "", *, again: Container | None = None, line: str = "") -> None:
        """A new container: of `image`, or of a `docker run …` line, or `again` one with its options, to be edited."""
        from tui.dialogs.run_form import RunForm

        form = RunForm(self.world, image, again=again)
        self.push_screen(form)
        if line:
            form.call_after_refresh(form.paste, line)

    def action_pull_image(self) -> None:
        """The pull that failed last, if none was started since; else those that run; else which image to pull."""
        from tui.dialogs.pull import PullProgress

        if failed := self.failed_pull():
            self._pull_failed(self.world.pulls.pop(failed.reference))
        elif any(not pull.outcome for pull in self.world.pulls.values()):
            self.push_screen(PullProgress(self.world), self.start_pull)
        else:
            self.ask_pull()

    def failed_pull(self) -> Pull | None:
        """The one that failed last, if nobody has seen why yet, and none was started since."""
        pulls = self.world.pulls.values()
        last = max((pull for pull in pulls if pull.outcome == "failed"), key=lambda pull: pull.ended, default=None)
        return last if last and last.ended >= max(pull.started for pull in pulls) else None

    def show_pull(self, reference: str) -> None:
        """The progress of one of the pulls that run."""
        from tui.dialogs.pull import PullProgress

        self.push_screen(PullProgress(self.world, reference), self.start_pull)

    def ask_pull(self, reference: str = "") -> None:
        """Ask which image to pull; one whose pull was cancelled is offered, to go on with."""
        from tui.dialogs.pull import AskPull
        from tui.format import size

        broken = next((pull for pull in reversed(self.world.pulls.values()) if pull.outcome == "cancelled"), None)
        if reference or broken is None:
            self.push_screen(AskPull(reference), self.start_pull)
            return
        note = f"Enter goes on with it: {size(broken.current)} of {size(broken.total)} are here."
        self.push_screen(AskPull(broken.reference, note), self.start_pull)

    def start_pull(self, reference: str | None) -> None:
        if reference:
            from tui.pulling import start_pull

            start_pull(self.operations, self.world, reference, over=self.pull_over)

    def ask_load(self) -> None:
        """Ask for an archive, and load the images in it."""
        from tui.dialogs.load import AskArchive
        from tui.loading import start_load

        self.push_screen(AskArchive(), lambda path: start_load(self.operations, path) if path else None)

    def pull_over(self, pull: Pull) -> None:
        """A pull has ended, well or not."""
        if pull.outcome == "done" and pull.then_run:
            self.open_run_form(pull.reference)
        elif pull.outcome == "failed" and self.screen is self.dashboard and pull.ended - pull.started < FRESH:
            self._pull_failed(self.world.pulls.pop(pull.reference, pull))
            pull.told = True

    def _pull_failed(self, pull: Pull) -> None:
        from tui.images.failure import PullFailed

        self.push_screen(PullFailed(pull))

    def open_prune(self) -> None:
        from tui.dialogs.prune import Prune

        self.push_screen(Prune())

    def exit(self, *arguments: Any, **named: Any) -> None:
        """However it is closed, the next run begins where this one ended."""
        if self._opened.is_set():
            kept.keep(self.dashboard)
        self.world.forget_all()
        super().exit(*arguments, **named)

    def action_help_quit(self) -> None:
        """ctrl+c: who presses it wants to leave. Textual would name a key of its own, in a toast over the frames."""
        typing = self.focused is not None and self.focused.check_consume_key("q", "q")
        first = "Esc, then " if typing or self.screen is not self.dashboard else ""
        self.operations.say(f"{first}{self.keys_of('app.quit')[0]} closes the dashboard; containers go on")

    async def action_quit(self) -> None:
        """ctrl+q is Textual's: it leaves with the same words as our own key."""
        self.action_leave()

    def action_leave(self) -> None:
        from tui.format import plural

        pulls = [pull.reference for pull in self.world.pulls.values() if not pull.outcome]
        running = self.world.running
        words = [f"{plural(running, 'container')} {'runs' if running == 1 else 'run'} on."] if running else []
        if pulls:
            words.append(f"Stopped pulling {', '.join(plain(name) for name in pulls)}; finished layers are kept.")
        from rich.text import Text

        self.exit(message=Text(" ".join(words)) if words else None)


def run(settings: Settings, *, theme: str | None = None, keys: str = "", probe: bool = True) -> int:
    """Open the dashboard and stay until it is closed; the exit code is for the command line.

    `keys` is a preset; `probe` False asks published ports nothing, whatever config.toml says.

    Raises: InvalidInput for an unknown theme or preset, or a mistake in a theme.
    """
    preferences = config.load(preset=keys)
    if not probe:
        preferences = replace(preferences, probe=False)
    app = Pilothouse(settings, theme=theme, preferences=preferences)
    app.run()
    return app.return_code or 0
