"""What can be done with containers from the keyboard: one method per key of the table."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING

from engine.errors import InvalidInput
from engine.frozen import replace
from engine.models import Container, State
from tui import phrases, urls
from tui.format import plural
from tui.operations import Action, command
from tui.panes.list_pane import ListPane
from tui.sanitize import plain

if TYPE_CHECKING:
    from engine.engine import Engine
    from tui.containers.columns import Offer

START = Action("start", "starting", "started", lambda engine, key: engine.start(key), starts=True)
STOP = Action("stop", "stopping", "stopped", lambda engine, key: engine.stop(key))
RESTART = Action("restart", "restarting", "restarted", lambda engine, key: engine.restart(key), starts=True)
PAUSE = Action("pause", "pausing", "paused", lambda engine, key: engine.pause(key))
UNPAUSE = Action("unpause", "unpausing", "unpaused", lambda engine, key: engine.unpause(key))


def goes(container: Container) -> bool:
    """Runs, or will again by itself: `s` stops it."""
    return container.running or container.state is State.RESTARTING


def _making_anew(removed: list[Container]) -> Action:
    """The way back from their removal: each with its name and options, and running if it ran. Its files are lost."""
    before = {container.id: container for container in removed}

    async def make(engine: Engine, key: str) -> Container:
        container = before[key]
        made = await engine.create(replace(container.options, name=container.name))
        return await engine.start(made.id) if goes(container) else made

    return Action("run", "making anew", "made anew, without its files:", make)


def _line_anew(removed: list[Container]) -> str:
    from engine.cli.options import command_line

    try:
        lines = [command_line(replace(container.options, name=container.name)) for container in removed]
    except InvalidInput:  # an entrypoint of several words has no form on the command line
        return command("run", *(container.name for container in removed))
    return plain("; ".join(lines))


class ContainerActions(ListPane):
    """The keys of the pane of the containers, which says what is chosen."""

    offers: tuple[Offer, ...]
    only: Container | None = None  # for as long as an action is about this one

    def chosen(self) -> list[Container]:
        raise NotImplementedError

    def current(self) -> Container | None:
        raise NotImplementedError

    def choose_columns(self, keys: Iterable[str]) -> None:
        raise NotImplementedError

    def act_on(self, container: Container, action: str) -> None:
        """Do what a key of this pane does, to one container, whatever is marked."""
        self.only = container
        try:
            getattr(self, f"action_{action}")()
        finally:
            self.only = None

    def verb(self, key: str) -> str | None:
        """What the key does now, for the footer; "" if it does nothing now, None for the table's word."""
        container = self.current()
        if not key.startswith("containers."):
            return None
        if container is None:
            return None if key == "containers.all" else ""
        chosen = self.chosen()
        if not chosen and key in ("containers.toggle", "containers.restart", "containers.remove"):
            return ""

        def number(of: list[Container]) -> str:
            """How many of the marked ones it is for."""
            return f" {len(of)}" if len(chosen) > 1 else ""

        running = [each for each in chosen if each.running]
        many = number(chosen)
        match key:
            case "containers.toggle":
                stops = [each for each in chosen if goes(each)]
                return f"Stop{number(stops)}" if stops else f"Start{many}"
            case "containers.pause":
                pauses = [each for each in running if each.state is not State.PAUSED]
                return f"Pause{number(pauses)}" if pauses else f"Unpause{number(running)}" if running else ""
            case "containers.kill":
                return f"Kill{number(running)}" if running else ""
            case "containers.shell" | "containers.attach":
                return None if container.running and container.state is not State.PAUSED else ""
            case "containers.merge":
                return f"Merge{many}" if many else ""
            case "containers.open":
                return None if container.running and urls.web_mapping(container) else ""
            case "containers.restart" | "containers.remove":
                return {"containers.restart": "Restart", "containers.remove": "Delete"}[key] + many
            case "containers.all":
                return "Running" if getattr(self, "show_all", True) else "All"
        return None

    def _act(
        self, action: Action, targets: list[Container], *, words: tuple[str, ...] = (), undo: Action | None = None
    ) -> None:
        line = command(action.command, *words, *(container.name for container in targets))
        self.app.operations.on_containers(action, targets, line=line, undo=undo)

    def _targets(self) -> list[Container] | None:
        """What is chosen; None if that is nothing, and has been said where it needs to be."""
        if self.only is None and self.only_hidden():
            return None
        return self.chosen() or None

    def action_start_or_stop(self) -> None:
        chosen = self._targets() or []
        running = [container for container in chosen if goes(container)]
        if running:
            self._act(STOP, running, undo=START)
        elif chosen:
            self._act(START, chosen, undo=STOP)

    def action_restart(self) -> None:
        if chosen := self._targets():
            self._act(RESTART, chosen)

    def action_pause(self) -> None:
        chosen = self._targets()
        if not chosen:
            return
        running = [container for container in chosen if container.running]
        going = [container for container in running if container.state is not State.PAUSED]
        if going:
            self._act(PAUSE, going, undo=UNPAUSE)
        elif running:
            self._act(UNPAUSE, running, undo=PAUSE)
        else:
            self._does_not_run("paused")

    def _does_not_run(self, participle: str) -> None:
        if container := self.current():
            self.app.operations.say(f"{plain(container.name)} does not run, so it cannot be {participle}", failed=True)

    def action_kill(self) -> None:
        chosen = self._targets()
        if not chosen:
            return
        running = [container for container in chosen if container.running]
        if not running:
            self._does_not_run("killed")
            return
        from tui.dialogs.choose import SIGNALS, Choose

        def send(name: str | None) -> None:
            if name:
                kill = Action("kill", "killing", f"sent {name} to", lambda engine, key: engine.kill(key, name))
                self._act(kill, running, words=() if name == "SIGKILL" else ("-s", name))

        self.app.push_screen(Choose(f"Send a signal to {self._names(running)}", SIGNALS), send)

    def action_rename(self) -> None:
        container = self.current()
        if container is None:
            return
        from tui.containers.rename import Rename

        def rename(name: str | None) -> None:
            if not name:
                return
            old = container.name
            to = Action("rename", "renaming", f"gave the name {plain(name)} to", lambda e, key: e.rename(key, name))
            back = Action(
                "rename", "renaming", f"gave the name {plain(old)} back to", lambda e, key: e.rename(key, old)
            )
            self.app.operations.on_containers(
                to,
                [container],
                line=command("rename", old, name),
                undo=back,
                undo_line=command("rename", name, old),
            )

        self.app.push_screen(Rename(container, self.world), rename)

    def action_report(self) -> None:
        if container := self.current():
            self.app.behind(self, "writing a report", self._report, container)

    async def _report(self, container: Container) -> None:
        from tui.containers.report import report, save

        text = await report(await self.app.engine_ready(), container)
        path = await asyncio.to_thread(save, container.name, text)
        self.app.copy_to_clipboard(text)
        self.app.operations.say(
            f"copied a report of {plain(container.name)}" + (f"; it is also in {path}" if path else ""),
            hint="look through its log lines before you publish it",
        )

    def action_columns(self) -> None:
        from tui.containers import columns
        from tui.containers.choose_columns import ChooseColumns

        def choose(keys: tuple[str, ...] | None) -> None:
            if keys is not None:
                self.choose_columns(keys)
                self.reload()
                columns.remember(keys, self.app.preferences.columns)

        self.app.push_screen(ChooseColumns(tuple(offer.column.key for offer in self.offers)), choose)

    def action_remove(self) -> None:
        chosen = self._targets()
        if not chosen:
            return
        from tui.dialogs.remove import RemoveContainers

        def remove(answer: bool | None) -> None:
            if answer is None:
                return
            words = (*(("-f",) if any(goes(each) for each in chosen) else ()), *(("-v",) if answer else ()))
            action = Action(
                "rm", "removing", "removed", lambda engine, key: engine.remove(key, force=True, volumes=bool(answer))
            )
            self.app.operations.on_containers(
                action,
                chosen,
                line=command("rm", *words, *(container.name for container in chosen)),
                undo=_making_anew(chosen),
                undo_line=_line_anew(chosen),
            )

        self.app.push_screen(RemoveContainers(chosen, self.app.engine_ready), remove)

    @staticmethod
    def _names(containers: list[Container]) -> str:
        if len(containers) == 1:
            return plain(containers[0].name)
        return plural(len(containers), "container")

    def action_rerun(self) -> None:
        if container := self.current():
            self.app.open_run_form(again=container)

    def action_logs(self) -> None:
        if self.current():
            self.app.dashboard.go_to_tab("logs")

    def action_merge(self) -> None:
        if self.only_hidden():
            return
        if len(self.chosen()) < 2:
            words = "mark two or more containers first, by {list.mark}: their logs are shown as one"
            if hidden := self.table.hidden_marks:
                words = f"{hidden} of the {len(self.table.marks)} marked cannot be seen; {self.how_to_see()}"
            self.app.operations.say(phrases.words(words, self.app.preferences.keys), failed=True)
            return
        self.app.dashboard.go_to_tab("logs")
        self.app.dashboard.logs.merge()

    def action_shell(self) -> None:
        if (container := self.current()) and container.state is State.PAUSED:
            words = (
                f"{plain(container.name)} is paused, and so would a shell in it be; {{containers.pause}} lets it go on"
            )
            self.app.operations.say(phrases.words(words, self.app.preferences.keys), failed=True)
        elif container and container.running:
            from tui.shell.opening import open_shell

            self.app.opening(self, "opening a shell", open_shell, self.app, container)
        else:
            self._does_not_run("entered")

    def action_attach(self) -> None:
        if (container := self.current()) and container.running:
            from tui.shell.opening import open_main

            self.app.opening(self, "attaching", open_main, self.app, container)
        else:
            self._does_not_run("attached to")

    def action_inspect(self) -> None:
        if self.current():
            self.app.dashboard.go_to_tab("inspect")

    def action_open(self) -> None:
        container = self.current()
        if container is None:
            return
        mapping = urls.web_mapping(container, self.world.ports.probes)
        if mapping is None or not container.running:
            why = "publishes no port" if mapping is None else "does not run"
            self.app.operations.say(f"{plain(container.name)} {why}: nothing to open", failed=True)
            return
        self.app.open_mapping(mapping, urls.found_address(mapping, self.world.ports.probe(container, mapping)))

    def action_copy(self) -> None:
        container = self.current()
        if container is None:
            return
        from engine.cli.options import command_line
        from tui.dialogs.choose import Choice, Choose

        mapping = urls.web_mapping(container)
        try:
            line = command_line(container.options)
        except InvalidInput:  # an entrypoint of several words has no form on the command line
            line = ""
        address = container.endpoint.ip_address if container.endpoint else ""
        offers = [
            ("n", "name", container.name),
            ("i", "id", container.id),
            ("u", "URL", urls.url(mapping) if mapping else ""),
            ("r", "run command", line),
            ("m", "image", container.image),
            ("a", "IP address", address),
        ]
        choices = [Choice(text, key, label, plain(text)) for key, label, text in offers if text]
        self.app.push_screen(Choose(f"Copy from {plain(container.name)}", choices), self.app.copy)
