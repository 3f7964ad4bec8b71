"""What nothing needs, what of it would go, and the bytes that would be freed."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content

from engine.errors import EngineError
from engine.models import Pruned, Stock, Stored
from tui import format as short
from tui.dialogs.dialog import Dialog
from tui.operations import command
from tui.sanitize import plain
from tui.widgets.table import Column, Row, Table, cell

KINDS = {
    "container": "stopped container",
    "image": "unused image",
    "volume": "unused volume",
    "leftovers": "unfinished pulls",
}
ROOM = 8  # rows of the screen that are not the list's


class Prune(Dialog[None]):
    """Rows with check boxes: what can be had again is ticked, what cannot is not. `y` prunes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space,enter", "tick", "Toggle", show=False, priority=True),
        Binding("a,A", "tick_all", "All", show=False),
        Binding("y", "prune", "Prune", show=False),
    ]

    def __init__(self) -> None:
        super().__init__("Prune: what would go", "nothing deleted yet")
        self._stock: Stock | None = None
        self._items: list[Stored] = []
        self._ticked: set[str] = set()
        self.table = Table(
            (
                Column("tick", "", least=3),
                Column("kind", "", least=8, fair=14, drop=1),
                Column("name", "", least=10, fair=12, end=True),
                Column("note", "", least=9, fair=14, most=34),
                Column("size", "", right=True, least=6),
            )
        )

    def inside(self) -> ComposeResult:
        self.table.styles.height = 3
        self.table.show([], [cell("Measuring…", "muted")])
        yield self.table

    def on_mount(self) -> None:
        self.app.behind(self, "measuring what could go", self._measure)

    async def _measure(self) -> None:
        engine = await self.app.engine_ready()
        try:
            self._stock = await engine.stock()
        except EngineError as error:
            self.table.show([], [cell(plain(str(error)), "bad")])
            return
        self._items = offered(self._stock)
        self._ticked = {item.key for item in self._items if harmless(item)}
        self.table.styles.height = min(max(3, len(self._items)), max(3, self.app.size.height - ROOM))
        self._paint()

    def _paint(self) -> None:
        if self._stock is None:
            return
        gone = {item.key for item in self._stock.gone(self._ticked)}
        self.table.show(
            [self._row(item, gone) for item in self._items],
            [] if self._items else [cell(""), cell("Nothing to prune: everything here is in use.", "muted")],
        )
        won, total = self._stock.won(self._ticked), self._stock.size()
        frees = f"frees {short.size(won)} of {short.size(total)}"
        self.tell(Content.assemble((frees, "bold"), "  space toggle  a all  y prune  esc cancel"))

    def _row(self, item: Stored, gone: set[str]) -> Row:
        ticked = item.key in self._ticked
        words, tone = note(item, self._stock, ticked and item.key not in gone)
        kind = "dangling image" if item.kind == "image" and item.dangling else KINDS[item.kind]
        return Row(
            item.key,
            (
                cell("[x]" if ticked else "[ ]", "title" if ticked else "muted"),
                cell(kind),
                cell(_name(item)),
                cell(words, tone),
                cell(short.size(item.size)),
            ),
        )

    def on_table_highlighted(self, event: Table.Highlighted) -> None:
        event.stop()

    def on_table_activated(self, event: Table.Activated) -> None:
        event.stop()
        self.action_tick()

    def action_tick(self) -> None:
        if self.table.cursor_key:
            self._ticked ^= {self.table.cursor_key}
            self._paint()

    def action_tick_all(self) -> None:
        every = {item.key for item in self._items}
        self._ticked = set() if self._ticked == every else every
        self._paint()

    def action_prune(self) -> None:
        if self._stock is None or not self._stock.gone(self._ticked):
            return
        gone = self._stock.gone(self._ticked)
        keys = [item.key for item in gone]
        self.dismiss(None)
        self.app.operations.run(line(gone), lambda engine: engine.prune(keys), done=told)


def _name(item: Stored) -> str:
    if item.kind == "leftovers":
        return "layers"  # the kind says of what
    return plain(item.name if len(item.name) < 64 else item.name[:12])


def offered(stock: Stock) -> list[Stored]:
    """What may go now, or once stopped containers have gone: containers first, then by size."""
    stopped = {item.id for item in stock.of("container") if not item.active}
    found = [item for item in stock.items if not item.active or (item.users and stopped.issuperset(item.users))]
    order = list(KINDS)
    return sorted(found, key=lambda item: (order.index(item.kind), not item.dangling, -item.size))


def harmless(item: Stored) -> bool:
    """Ticked from the start: as `system prune` without flags."""
    return item.kind in ("container", "leftovers") or (item.kind == "image" and item.dangling and not item.users)


def note(item: Stored, stock: Stock | None, stays: bool) -> tuple[str, str]:
    """What is to be known before it goes, and the tone to say it in."""
    names = {each.id: each.name for each in stock.of("container")} if stock else {}
    users = ", ".join(plain(names.get(user, user[:12])) for user in item.users)
    if stays:
        return f"kept by {users}", "warn"
    if item.kind == "volume":
        return ("DATA LOSS" + (f", of {users}" if users else "")), "bad"
    if item.kind == "container":
        return "with its log", "muted"
    return (f"once {users} {'are' if len(item.users) > 1 else 'is'} gone" if users else ""), "muted"


def line(gone: list[Stored]) -> str:
    """The equal command line: a prune if it is all of a kind, else the names."""
    kinds = {item.kind for item in gone}
    names = {kind: [plain(item.name) for item in gone if item.kind == kind] for kind in kinds}
    parts = [command("volume", "rm", *names["volume"])] if "volume" in kinds else []
    kinds -= {"volume"}
    if kinds in ({"container"}, {"image"}):
        parts.insert(0, command("rm", *names["container"]) if "container" in kinds else command("rmi", *names["image"]))
    elif kinds:
        parts.insert(0, command("system", "prune", *(["-a"] if "image" in kinds else [])))
    return " && ".join(parts)


def told(result: object) -> str:
    """What a prune has done, in a sentence."""
    if not isinstance(result, Pruned):
        return "pruned"
    images = sum(1 for removed in result.images if removed.untagged) or bool(result.images)
    counts = ((len(result.containers), "container"), (images, "image name"), (len(result.volumes), "volume"))
    words = [short.plural(int(count), noun) for count, noun in counts if count]
    what = f" ({', '.join(words)})" if words else ""
    problems = f"; {plain(result.problems[0])}" if result.problems else ""
    return f"pruned: {short.size(result.won)} freed{what}{problems}"
