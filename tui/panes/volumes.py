"""The volumes: what each holds, and which containers use it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from textual.binding import BindingType

from engine.errors import EngineError
from engine.models import Volume
from tui import format as short
from tui import keymap, phrases
from tui.operations import Work, command
from tui.panes.list_pane import ListPane
from tui.sanitize import plain
from tui.state import kept
from tui.state.world import World
from tui.widgets.table import Column, Row, Table, cell

if TYPE_CHECKING:
    from tui.widgets.table import Cell

REST = (
    10.0  # seconds at the least between two measurements of everything; they take a twentieth of the time at the most
)
SHARE = 20


def name_of(volume: Volume) -> str:
    """As it is shown: of the 64 digits of an anonymous one, twelve."""
    return volume.name[:12] if volume.anonymous and len(volume.name) == 64 else volume.name


class VolumesPane(ListPane):
    BINDINGS: ClassVar[list[BindingType]] = keymap.bindings("volumes", "list")
    COLUMNS = (
        Column("name", "VOLUME", least=12, fair=24, most=60, end=True),
        Column("size", "SIZE", right=True, least=5),
        Column("used", "USED BY", least=7, fair=10, most=40),
        Column("age", "AGE", drop=1, least=4),
    )
    FILTER_HELP = "words, name:data, status:unused   Enter keep   Esc clear"

    def __init__(self, world: World) -> None:
        super().__init__(world, id="volumes")
        self.sizes: dict[str, int] = {}  # bytes, as far as they were measured
        self._changed = asyncio.Event()
        self.sorts = {
            "name": (lambda volume: volume.name, False),
            "size": (lambda volume: self.sizes.get(volume.name, -1), True),
            "used": (lambda volume: len(volume.users), True),
            "age": (lambda volume: volume.created, True),
        }

    def on_mount(self) -> None:
        self.world.watch(self.reload, "volumes", "containers", "minute")
        self.world.watch(self._changed.set, "volumes")
        kept.restore_list(self, "volumes")
        self.app.behind(self, "measuring volumes", self._measure_again_and_again)

    def on_show(self) -> None:
        self._changed.set()

    async def _measure_again_and_again(self) -> None:
        """Sizes come one by one, in a thread of the engine's, and only while somebody can see them."""
        engine = await self.app.engine_ready()
        while True:
            self._changed.clear()
            began = time.monotonic()
            for volume in list(self.world.volumes) if self.is_on_screen else ():
                try:
                    size = await engine.volume_size(volume.name)
                except (EngineError, OSError):
                    continue  # it went meanwhile, or cannot be read: it stays without a number
                if self.sizes.get(volume.name) != size:
                    self.sizes[volume.name] = size
                    self.reload()
            try:
                async with asyncio.timeout(max(REST, SHARE * (time.monotonic() - began))):
                    await self._changed.wait()
            except TimeoutError:
                pass

    # rows -----------------------------------------------------------------------------------------

    def items(self) -> list[Volume]:
        return self.sorted([each for each in self.world.volumes if self.filter.fits_volume(each, self._users(each))])

    def keys(self) -> Iterable[str]:
        return (volume.name for volume in self.world.volumes)

    def _users(self, volume: Volume) -> list[str]:
        known = self.world.containers
        return [known[key].name if key in known else key[:12] for key in volume.users]

    def row(self, item: Volume) -> Row:
        users = self._users(item)
        size = self.sizes.get(item.name)
        used: Cell = cell("unused", "muted")
        if users:
            more = ((f" +{len(users) - 1}", "muted"),) if len(users) > 1 else ()
            used = ((plain(users[0]), ""), *more)
        name: Cell = cell(plain(name_of(item)))
        if item.anonymous:
            name = ((plain(name_of(item)), "muted"), (" anonymous", "muted"))
        return Row(
            item.name,
            (
                name,
                cell(short.size(size) if size is not None else "…", "" if size else "muted"),
                used,
                cell(short.span(time.time() - item.created), "muted"),
            ),
            ("■" if users else "□", "good" if users else "muted"),
        )

    def empty(self) -> list[Cell]:
        if not self.world.loaded:
            return [cell(""), cell("Asking the engine…" if not self.world.trouble else self.world.trouble, "muted")]
        if self.filter and self.world.volumes:
            return self.nothing_fits(len(self.world.volumes))
        return [
            cell(""),
            (("No volumes. A container creates one with ", "muted"), ("-v name:/path", "title"), (".", "muted")),
            phrases.spans("{app.run} opens the form, which has a line for it.", self.app.preferences.keys, "muted"),
        ]

    # the frame ------------------------------------------------------------------------------------

    def heading(self) -> tuple[str, str]:
        volumes = self.world.volumes
        left = f"{{app.volumes}} Volumes{f' {self.count(len(self.table.rows), len(volumes))}' if volumes else ''}"
        others = f"{{app.containers}} Containers {len(self.world.containers)}  {{app.images}} Images"
        return left, "" if self.screen.has_class("-wide") else f"{others} {len(self.world.images)}"

    def word_clicked(self, place: int) -> None:
        self.app.dashboard.action_pane(("containers", "images")[place])

    def hint(self) -> str:
        words = [
            f"{{{id}}}:{word}"
            for id, word in (("volumes.user", "who uses it"), ("volumes.remove", "remove"))
            if self.verb(id) != ""
        ]
        return "  ".join([*words, "{list.prune}:prune", f"{{list.sort}}:{self.order() or 'sort'}"])

    def tip(self) -> str:
        volume = self.current()
        if volume is None:
            return "A volume keeps files beyond the life of the containers that use it."
        users = ", ".join(map(plain, self._users(volume)))
        what = f"used by {users}" if users else "no container uses it; it stays until it is removed"
        return f"{plain(name_of(volume))}: {what}."

    def verb(self, key: str) -> str | None:
        if not key.startswith("volumes."):
            return None
        volume, chosen = self.current(), self.chosen()
        if key == "volumes.user":
            return None if volume is not None and volume.users else ""
        many = f" {len(chosen)}" if len(chosen) > 1 else ""
        return f"Delete{many}" if any(not each.users for each in chosen) else ""

    def current(self) -> Volume | None:
        return next((volume for volume in self.world.volumes if volume.name == self.table.cursor_key), None)

    def chosen(self) -> list[Volume]:
        names = self.table.chosen()
        return [volume for volume in self.world.volumes if volume.name in names]

    def on_table_activated(self, event: Table.Activated) -> None:
        event.stop()
        self.action_user()

    # keys -----------------------------------------------------------------------------------------

    def action_user(self) -> None:
        """Go to the newest of the containers that use it."""
        volume = self.current()
        if volume is None:
            return
        if not volume.users:
            self.app.operations.say(f"no container uses {plain(name_of(volume))}", failed=True)
            return
        self.app.dashboard.select(volume.users[0])
        self.app.dashboard.action_pane("containers")

    def action_remove(self) -> None:
        if self.only_hidden():
            return
        chosen = self.chosen()
        free = [volume for volume in chosen if not volume.users]
        if chosen and not free:
            users = ", ".join(dict.fromkeys(plain(name) for volume in chosen for name in self._users(volume)))
            names = ", ".join(plain(name_of(volume)) for volume in chosen)
            self.app.operations.say(f"{names}: in use by {users}", failed=True, hint="remove the container first")
            return
        if not free:
            return
        from tui.dialogs.remove import RemoveVolumes

        def remove(answer: bool | None) -> None:
            if answer is not None:
                self._remove(free)

        self.app.push_screen(RemoveVolumes(free, self.sizes, kept=len(chosen) - len(free)), remove)

    def _remove(self, volumes: list[Volume]) -> None:
        def work(name: str) -> Work:
            return lambda engine: engine.remove_volume(name)

        self.app.operations.on_each(
            [(name_of(volume), work(volume.name)) for volume in volumes],
            line=command("volume", "rm", *(volume.name for volume in volumes)),
            done="removed",
            noun="volume",
        )

    def action_copy(self) -> None:
        volume = self.current()
        if volume is None:
            return
        from tui.dialogs.choose import Choice, Choose

        offers = [
            ("n", "name", volume.name),
            ("p", "path on this machine", volume.path),
            ("v", "flag that mounts it", f"-v {volume.name}:/data"),
        ]
        choices = [Choice(text, key, label, plain(text)) for key, label, text in offers]
        self.app.push_screen(Choose(f"Copy from {plain(name_of(volume))}", choices), self.app.copy)
