"""The containers: running, or all; every row follows the engine's events."""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import partial
from typing import Any, ClassVar

from textual.binding import BindingType

from engine.models import Container, State
from tui import format as short
from tui import keymap, phrases
from tui.containers import columns
from tui.containers.columns import Offer, Seen
from tui.panes.container_actions import ContainerActions, goes
from tui.state.world import World
from tui.story import story
from tui.widgets.table import Cell, Row, Table, cell

GOES_ON = {State.PAUSED: "{containers.pause} lets it go on.", State.CREATED: "{containers.toggle} starts it."}


class ContainersPane(ContainerActions):
    BINDINGS: ClassVar[list[BindingType]] = keymap.bindings("containers", "list")
    FILTER_HELP = "words, status:exit, image:redis, label:key=value, id:4f2a   Enter keep   Esc clear"

    def __init__(self, world: World) -> None:
        super().__init__(world, id="containers")
        self.show_all = True
        self.offers: tuple[Offer, ...] = ()
        self._ordered = False  # by readings, where the order depends on those: there are none in the beginning
        self.choose_columns(columns.DEFAULT)

    def on_mount(self) -> None:
        self.world.watch(self.reload, "containers")
        self.world.watch(self._reload_empty, "images")
        self.world.watch(self.retitle, "volumes")
        self.world.watch(self.remeasure, "stats", "ports")
        self.choose_columns(columns.remembered(self.app.preferences.columns))
        self.reload()

    def choose_columns(self, keys: Iterable[str]) -> None:
        """Show these columns; `reload` must follow."""
        self.offers = columns.chosen(keys)
        self.table.set_columns(columns.placed(self.offers))
        self.sorts = {offer.column.key: (partial(self._sort_value, offer), offer.falling) for offer in self.offers}
        self.sorted_alike = frozenset(offer.column.key for offer in self.offers if offer.like in self.sorts)
        if self.table.sort_column not in self.sorts:
            self.table.sort_column = ""

    def _sort_value(self, offer: Offer, item: Container) -> Any:
        return offer.sort(self._seen(item))

    def _reload_empty(self) -> None:
        """What an empty list says depends on whether there are images."""
        if not self.table.rows:
            self.reload()

    def remeasure(self) -> None:
        """New readings: the numbers change, but not what can be done nor how many rows there are."""
        if not self.is_on_screen:
            return
        if self.sorted_live:
            rows = [self.row(container) for container in self.items()]
            untouched = not self._ordered and self.table.rows and self.table.cursor_key == self.table.rows[0].key
            self._ordered = self._ordered or any(history.latest for history in self.world.stats.values())
            self.table.show(rows, self.table.message, self.keys())
            if untouched and rows:  # it stood at the top of an order that was none yet
                self.table.select(rows[0].key)
            return
        containers = self.world.containers
        self.table.update([self.row(containers[key]) for key in self.table.visible_keys() if key in containers])

    @property
    def sorted_live(self) -> bool:
        """Sorted by what changes by itself."""
        offer = columns.BY_KEY.get(self.table.sort_column)
        return offer is not None and offer.live

    def _seen(self, container: Container) -> Seen:
        return Seen(container, self.world, time.time(), self.size.width)

    # rows -----------------------------------------------------------------------------------------

    def items(self) -> list[Container]:
        return self.sorted([container for container in self._listed() if self.filter.fits_container(container)])

    def sorted(self, items: list[Container]) -> list[Container]:
        """Those sorted by readings keep their places while the list is used: rows would go from under the mouse."""
        items = super().sorted(items)
        if self.sorted_live and self.table.in_use and self.table.rows:
            places = {row.key: place for place, row in enumerate(self.table.rows)}
            items.sort(key=lambda item: places.get(item.id, len(places)))
        return items

    def keys(self) -> Iterable[str]:
        return self.world.containers

    def how_to_see(self) -> str:
        return super().how_to_see() if self.filter_text.strip() else "{containers.all} shows all"

    def _listed(self) -> list[Container]:
        """What there is before the filter; one that asks for a state looks at those at rest too."""
        every = self.world.containers.values()
        if self.show_all or self.filter.asks_for_state:
            return list(every)
        return [container for container in every if goes(container)]

    def row(self, item: Container) -> Row:
        seen = self._seen(item)
        glyph = ("◌", "accent") if item.id in self.world.pending else (short.glyph(item), short.tone(item))
        return Row(item.id, tuple(offer.show(seen) for offer in self.offers), glyph)

    def empty(self) -> list[Cell]:
        world = self.world
        keys = self.app.preferences.keys
        if self.filter and world.containers:
            lines = self.nothing_fits(len(self._listed()))
            if hidden := sum(1 for container in world.containers.values() if self.filter.fits_container(container)):
                more = f"{hidden} more {'does' if hidden == 1 else 'do'}, not running: {{containers.all}} shows all."
                lines.append(phrases.spans(more, keys, "muted"))
            return lines
        if world.trouble:
            return [cell(""), cell("The engine cannot be used:", "bad"), cell(world.trouble, "bad")]
        if not world.loaded:
            return [cell(""), cell("Asking the engine…", "muted")]
        if world.containers:
            stopped = short.plural(len(world.containers), "container")
            return [
                cell(""),
                phrases.spans(f"None runs; {stopped} stopped. {{containers.all}} shows all.", keys, "muted"),
            ]
        if not world.images:
            return [
                cell("Welcome aboard.", "title"),
                cell("No containers yet, and no images."),
                phrases.spans("{app.pull} pulls an image    {app.run} runs a container from any image", keys),
                (
                    *phrases.spans("{app.help} shows the keys    ", keys),
                    ("pilothouse demo", "title"),
                    (" shows it all, without a network", ""),
                ),
            ]
        return [
            cell(""),
            phrases.spans("No containers. {app.run} runs one; {app.images} shows the images.", keys, "muted"),
        ]

    # the frame ------------------------------------------------------------------------------------

    def heading(self) -> tuple[str, str]:
        every = self.world.containers
        count = f" {self.count(len(self.table.rows), len(every))}" if every else ""
        only = "" if self.show_all or self.filter.asks_for_state else " (running)"
        left = f"{{app.containers}} Containers{count}{only}"
        others = f"{{app.images}} Images {len(self.world.images)}  {{app.volumes}} Volumes {len(self.world.volumes)}"
        return left, "" if self.screen.has_class("-wide") else others

    def word_clicked(self, place: int) -> None:
        self.app.dashboard.action_pane(("images", "volumes")[place])

    def hint(self) -> str:
        if self.filter_text and not self.table.has_focus:
            return ""
        mark = "{list.mark}:mark  " if self.size.width >= 60 else ""
        return (
            f"{mark}{{containers.all}}:{'running' if self.show_all else 'all'}  {{app.find}}:filter"
            f"  {{list.sort}}:{self.order() or 'sort'}"
        )

    def tip(self) -> str:
        container = self.current()
        if container is None:
            words = "{app.run} runs a container, {app.pull} pulls an image, {app.help} shows the keys."
            return phrases.words(words, self.app.preferences.keys)
        hint = phrases.words(GOES_ON.get(container.state, ""), self.app.preferences.keys)
        return f"{story(container)} {hint}".rstrip()

    def follow(self, key: str) -> None:
        self.world.subject = key
        self.world.tell("subject")

    def current(self) -> Container | None:
        return self.only or self.world.containers.get(self.table.cursor_key)

    def chosen(self) -> list[Container]:
        """The marked containers, or the one under the cursor."""
        if self.only is not None:
            return [self.only]
        return [self.world.containers[key] for key in self.table.chosen() if key in self.world.containers]

    def on_table_activated(self, event: Table.Activated) -> None:
        event.stop()
        self.action_logs()

    def action_show_all(self) -> None:
        self.show_all = not self.show_all
        self.reload_other()
