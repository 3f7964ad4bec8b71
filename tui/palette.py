"""Every action of the dashboard by name, and every container to go to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from textual.app import ComposeResult
from textual.await_complete import AwaitComplete
from textual.command import (
    CommandInput,
    CommandList,
    CommandPalette,
    DiscoveryHit,
    Hit,
    Hits,
    Provider,
    SearchIcon,
)
from textual.containers import Horizontal, Vertical
from textual.errors import NoWidget
from textual.events import Click
from textual.reactive import var
from textual.widgets import LoadingIndicator

from tui import keymap
from tui.panes.detail_pane import ALIASES, TABS
from tui.sanitize import plain

if TYPE_CHECKING:
    from textual.dom import DOMNode

    from tui.app import Pilothouse

SORT = "This column of the list; again: the other way round, then as they come"
_TOLD = 0.01  # the score of what only its description matches: below everything that is called so


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the palette: its words, what is said below it, what it does, and what the command line calls that."""

    title: str
    help: str
    run: partial[Any]
    aliases: tuple[str, ...] = ()


class Results(CommandList):
    """Textual's list; a click on a line that has gone meanwhile, because more was typed, chooses nothing."""

    async def _on_click(self, event: Click) -> None:
        event.prevent_default()  # Textual's own handler would come next
        if event.style.meta.get("option", self.option_count) < self.option_count:
            await super()._on_click(event)


class Sign(SearchIcon):
    """Textual's own is an emoji, which few text consoles have."""

    icon = var("›")


class Palette(CommandPalette):
    """Textual's palette; a click beside it closes it also where the terminal has since become smaller."""

    def compose(self) -> ComposeResult:
        with Vertical(id="--container"):
            with Horizontal(id="--input"):
                yield Sign()
                yield CommandInput(placeholder=self._placeholder, select_on_focus=False)
            with Vertical(id="--results"):
                yield Results()
                yield LoadingIndicator()

    def _watch__list_visible(self) -> None:
        if self.query(Results):  # it may be on its way out: what was begun while it was open ends later
            super()._watch__list_visible()

    async def _watch__show_busy(self) -> None:
        if self.query(LoadingIndicator):
            await super()._watch__show_busy()

    def _on_click(self, event: Click) -> None:  # type: ignore[override]
        event.prevent_default()  # Textual's own handler, which comes next, survives neither that nor a second click
        try:
            beside = self.get_widget_at(event.screen_x, event.screen_y)[0] is self
        except NoWidget:
            beside = True
        if beside:
            self._cancel_gather_commands()
            self.dismiss()

    def dismiss(self, result: None = None) -> AwaitComplete:
        # as in Dialog, which cannot be a base beside Textual's palette: it takes styles from the first base alone
        return super().dismiss(result) if self.is_active else AwaitComplete.nothing()


class Actions(Provider):
    """The palette's entries are the rows of the table of keys, run on the pane they belong to."""

    @property
    def _pilothouse(self) -> Pilothouse:
        return cast("Pilothouse", self.app)

    def _owners(self) -> dict[str, DOMNode]:
        """For every id of the table that can be done now, the node that does it: the focused one's before others'."""
        dashboard = self._pilothouse.dashboard
        focused = dashboard.focused
        nodes: list[DOMNode] = [*(focused.ancestors_with_self if focused is not None else ()), dashboard]
        hidden = [pane for pane in dashboard.lists() if pane is not dashboard.listed]
        nodes += [node for node in dashboard.query("*") if node not in hidden]
        owners: dict[str, DOMNode] = {}
        for node in (*nodes, *hidden):
            for bindings in node._bindings.key_to_bindings.values():
                for binding in bindings:
                    if binding.id:
                        owners.setdefault(binding.id, node)
        return owners

    def _entries(self) -> list[Entry]:
        entries: list[Entry] = []
        owners = self._owners()
        for key in keymap.KEYS:
            if key.palette and key.id in owners:
                name = f"{keymap.PANES[key.pane]}: {key.label}" if key.pane != "app" else key.label
                run = partial(self._pilothouse.run_action, key.action, owners[key.id])
                title = f"{name}  ({self._pilothouse.keys_of(key.id)[0]})"
                entries.append(Entry(title, key.help, run, key.aliases))
        dashboard = self._pilothouse.dashboard
        if self._pilothouse.world.containers and not dashboard.has_class("-welcome"):
            for tab, name in TABS.items():
                if not name.startswith("{"):  # those have a key of their own and stand above
                    told = "This tab of the selected container"
                    entries.append(Entry(name, told, partial(dashboard.go_to_tab, tab), ALIASES.get(tab, ())))
        pane = dashboard.listed
        for column in pane.table.columns:
            if column.key in pane.sorts and pane.table.rows:
                entries.append(Entry(f"Sort by {column.title}", SORT, partial(pane.sort_by, column.key)))
        for container in self._pilothouse.world.containers.values():
            go = partial(self._pilothouse.dashboard.select, container.id)
            entries.append(Entry(f"Go to {plain(container.name)}", plain(container.image), go))
        return entries

    async def discover(self) -> Hits:
        for entry in self._entries():
            yield DiscoveryHit(entry.title, entry.run, help=entry.help)

    async def search(self, query: str) -> Hits:
        """What is called so; below that, what is told in these words or is the command line's verb."""
        matcher, asked = self.matcher(query), query.strip().lower()
        for entry in self._entries():
            told = " ".join((entry.help, *entry.aliases)).lower()
            if (score := matcher.match(entry.title)) > 0:
                yield Hit(score, matcher.highlight(entry.title), entry.run, text=entry.title, help=entry.help)
            elif len(asked) > 1 and re.search(rf"\b{re.escape(asked)}", told):
                yield Hit(_TOLD, entry.title, entry.run, text=entry.title, help=entry.help)
