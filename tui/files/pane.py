"""What the selected container changed of its image's files, as a tree; Enter shows a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import BindingType

from engine.errors import EngineError
from engine.models import Change
from tui import format as short
from tui import keymap
from tui.files.content import LIMIT, lines_of, note_of
from tui.inspect.outline import Node, Outline
from tui.inspect.search import OutlinePane
from tui.sanitize import plain
from tui.state.world import World
from tui.widgets.table import Cell, Column, cell

AGAIN = 3.0  # seconds between two looks while the tab is shown
FEW = 60  # changes that are shown unfolded at once
_COLUMNS = (
    Column("name", "FILE", least=12, fair=30, most=200),
    Column("size", "SIZE", right=True, least=5),
    Column("change", "CHANGE", drop=1, least=7),
)
_TONES = {"A": "good", "C": "warn", "D": "bad"}
_WORDS = {"A": "added", "C": "changed", "D": "deleted"}


class FilesPane(OutlinePane):
    TAB = "files"
    BINDINGS: ClassVar[list[BindingType]] = keymap.bindings("files")

    def __init__(self, world: World) -> None:
        super().__init__(world, id="files", columns=_COLUMNS, opened=set())
        self._changes: dict[str, Change] = {}
        self._subject = ""
        self._looking = False

    def on_mount(self) -> None:
        super().on_mount()
        self.set_interval(AGAIN, self.update_if_shown)

    def update(self) -> None:
        container = self.world.container
        if container is None:
            self._show("", [], [cell("No container is selected.", "muted")])
        elif not self._looking or self._subject != container.id:
            self._looking = True
            self.app.behind(self, "comparing files", self._load, container.id)

    async def _load(self, container_id: str) -> None:
        try:
            changes = await (await self.app.engine_ready()).changes(container_id)
        except EngineError as error:
            self._show(container_id, [], [cell(plain(str(error)), "bad")])
            return
        finally:
            self._looking = False
        if container_id == self.world.subject:
            self._show(container_id, changes, [cell("It has changed none of its image's files.", "muted")])

    def _show(self, subject: str, changes: Sequence[Change], message: list[Cell]) -> None:
        found = {change.path: change for change in changes}
        first = subject != self._subject
        if not first and found == self._changes and self.outline.total:
            return
        self._subject, self._changes = subject, found
        if first:
            self.outline.opened = {change.path for change in changes} if len(changes) <= FEW else set()
        self.outline.plant(tree(changes), message)
        if first:
            self.outline.action_cursor_first()
        self.retitle()

    def hint(self) -> str:
        if self.outline.search or not self._changes:
            return super().hint()
        counts = "  ".join(f"{kind} {sum(change.kind == kind for change in self._changes.values())}" for kind in _WORDS)
        size = sum(change.size for change in self._changes.values() if change.kind != "D")
        return f"{counts}  {short.size(size)}  {{app.find}}:search"

    def tip(self) -> str:
        node = self.outline.current
        change = self._changes.get(node.key) if node is not None else None
        return f"{_WORDS[change.kind]}: {plain(change.path)}" if change is not None else ""

    def verb(self, key: str) -> str | None:
        if key == "tree.open" and (node := self.outline.current) is not None and not node.children:
            return "View"
        return super().verb(key)

    # a file ---------------------------------------------------------------------------------------

    def on_outline_chosen(self, event: Outline.Chosen) -> None:
        event.stop()
        change = self._changes.get(event.key)
        if change is None:
            return
        name = plain(change.path)
        if change.kind == "D":
            self.app.operations.say(f"{name} is gone from the container", failed=True)
        elif change.is_directory:
            empty = "is an empty directory" if change.kind == "A" else "itself was changed, nothing in it"
            self.app.operations.say(f"{name} {empty}")
        else:
            self.app.behind(self, "reading a file", self._read, self._subject, change.path)

    async def _read(self, container_id: str, path: str) -> None:
        file = await (await self.app.engine_ready()).read_file(container_id, path, limit=LIMIT)
        from tui.files.viewer import Viewer

        self.app.push_screen(Viewer(plain(path), lines_of(file), note_of(file)))

    def action_copy_path(self) -> None:
        if (node := self.outline.current) is not None:
            self.app.copy(node.key)


def tree(changes: Sequence[Change]) -> list[Node]:
    """The changes, sorted by path, as nested nodes; the size of a directory is that of all that is in it now."""
    roots: list[Node] = []
    above: list[tuple[str, Node]] = []
    totals: dict[str, int] = {}
    for change in changes:
        size = 0 if change.kind == "D" else change.size
        parent = change.path
        while parent := parent.rpartition("/")[0]:
            totals[parent] = totals.get(parent, 0) + size
    for change in changes:
        while above and not change.path.startswith(f"{above[-1][0]}/"):
            above.pop()
        node = _node(change, totals.get(change.path, 0))
        (above[-1][1].children if above else roots).append(node)
        above.append((change.path, node))
    return roots


def _node(change: Change, total: int) -> Node:
    tone = _TONES[change.kind]
    name = plain(change.path.rpartition("/")[2]) + ("/" if change.is_directory else "")
    if change.target:
        name += f" → {plain(change.target)}"
    size = total if change.is_directory and change.kind != "D" else change.size
    cells = (
        cell(name, "muted" if change.kind == "D" else ""),
        cell(short.size(size) if size else "-", "muted"),
        cell(_WORDS[change.kind], tone),
    )
    return Node(change.path, cells, glyph=(change.kind, tone), words=change.path.lower())
