"""A tree that folds, drawn as a table: the first cell of a row is indented and says whether there is more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.message import Message

from tui import keymap
from tui.widgets.table import Cell, Column, Row, Span, Table

OPENED, CLOSED, LEAF = "▾ ", "▸ ", "  "
INDENT = "  "


@dataclass(slots=True)
class Node:
    """`key` names it for ever, whether it is shown or not. The first of `cells` is its label."""

    key: str
    cells: tuple[Cell, ...]
    children: list[Node] = field(default_factory=list)
    glyph: Span = (" ", "")
    words: str = ""  # what a search looks at, lower case


class Outline(Table):
    """Rows are those of open nodes; while something is searched for, those that fit and the ones above them."""

    BINDINGS: ClassVar[list[BindingType]] = keymap.bindings("tree")

    @dataclass
    class Chosen(Message):
        """Enter on a node without children."""

        outline: Outline
        key: str

    def __init__(self, columns: Sequence[Column], *, opened: set[str] | None = None) -> None:
        super().__init__(columns)
        self.roots: list[Node] = []
        self.opened: set[str] = opened or set()
        self.search = ""
        self.fitting = 0  # nodes that the search fits
        self.total = 0
        self._without: list[Cell] = []  # what is said where there is no node at all
        self._by_key: dict[str, Node] = {}
        self._parents: dict[str, str] = {}

    @property
    def current(self) -> Node | None:
        return self._by_key.get(self.cursor_key)

    def node(self, key: str) -> Node | None:
        return self._by_key.get(key)

    def plant(self, roots: Sequence[Node], message: Sequence[Cell] = ()) -> None:
        """Replace the tree; what was open stays open, the cursor stays where it was."""
        self.roots = list(roots)
        self._by_key.clear()
        self._parents.clear()
        waiting = [("", node) for node in roots]
        while waiting:
            parent, node = waiting.pop()
            self._by_key[node.key] = node
            self._parents[node.key] = parent
            waiting += [(node.key, child) for child in node.children]
        self.total = len(self._by_key)
        self._without = list(message)
        self.show_open()

    def look_for(self, text: str) -> None:
        """Show only what holds `text`, and what is above it; "" shows all again."""
        self.search = text.strip().lower()
        self.show_open()
        if self.search and self.rows and not self._fits(self.cursor_key):
            self.select(next(row.key for row in self.rows if self._fits(row.key)))

    def show_open(self) -> None:
        wanted = self._wanted()
        rows = [self._row_of(node, depth, wanted) for node, depth in self._shown(wanted)]
        sought = bool(self.search and self.total)
        self.show(rows, [((f"0 of {self.total} match. Esc clears.", "muted"),)] if sought else self._without)

    def _fits(self, key: str) -> bool:
        return self.search in self._by_key[key].words

    def _wanted(self) -> set[str] | None:
        """The keys that a search lets through, with all above them."""
        if not self.search:
            return None
        fitting = [key for key in self._by_key if self._fits(key)]
        self.fitting = len(fitting)
        wanted: set[str] = set()
        for key in fitting:
            while key and key not in wanted:
                wanted.add(key)
                key = self._parents[key]
        return wanted

    def _shown(self, wanted: set[str] | None) -> Iterator[tuple[Node, int]]:
        waiting = [(node, 0) for node in reversed(self.roots)]
        while waiting:
            node, depth = waiting.pop()
            if wanted is not None and node.key not in wanted:
                continue
            yield node, depth
            if self._is_open(node, wanted):
                waiting += [(child, depth + 1) for child in reversed(node.children)]

    def _is_open(self, node: Node, wanted: set[str] | None) -> bool:
        if wanted is not None and any(child.key in wanted for child in node.children):
            return True
        return node.key in self.opened

    def _row_of(self, node: Node, depth: int, wanted: set[str] | None) -> Row:
        mark = (OPENED if self._is_open(node, wanted) else CLOSED) if node.children else LEAF
        label, *rest = node.cells
        return Row(node.key, (((INDENT * depth + mark, "muted"), *label), *rest), node.glyph)

    # keys -----------------------------------------------------------------------------------------

    def action_open(self) -> None:
        node = self.current
        if node is None:
            return
        if node.children:
            self.opened ^= {node.key}
            self.show_open()
        else:
            self.post_message(self.Chosen(self, node.key))

    def action_unfold(self) -> None:
        node = self.current
        if node is not None and node.children:
            if node.key in self.opened or self.search:
                self.action_cursor_down()
            else:
                self.action_open()

    def action_fold(self) -> None:
        node = self.current
        if node is None:
            return
        if node.children and node.key in self.opened and not self.search:
            self.action_open()
        elif parent := self._parents.get(node.key):
            self.select(parent)

    def action_unfold_all(self) -> None:
        """Everything, or, if all is open, nothing."""
        every = {node.key for node in self._by_key.values() if node.children}
        self.opened = set() if every <= self.opened else self.opened | every
        self.show_open()

    def on_click(self, event: events.Click) -> None:
        before = self.cursor_key
        super().on_click(event)
        if event.chain == 1 and self.cursor_key == before and (node := self.current) and node.children:
            self.action_open()  # the second click on a row, however slow

    def on_table_activated(self, event: Table.Activated) -> None:
        event.stop()
        if (node := self.current) and not node.children:
            self.post_message(self.Chosen(self, node.key))
