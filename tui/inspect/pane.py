"""Everything that is known of the selected container, as a tree that folds and can be searched."""

from __future__ import annotations

import json
import re
from typing import Any, ClassVar

from textual.binding import BindingType

from engine.errors import EngineError
from tui import keymap
from tui.inspect.outline import Node, Outline
from tui.inspect.search import OutlinePane
from tui.sanitize import plain
from tui.state.world import World
from tui.widgets.table import Cell, Column, cell

_COLUMNS = (Column("name", "", least=10, fair=24, most=48), Column("value", "", least=8, fair=20, most=100_000))
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LONGEST_SHOWN = 2000  # characters of one value in its row
_OPEN_FIRST = frozenset((".State", ".Config"))


class InspectPane(OutlinePane):
    TAB = "inspect"
    BINDINGS: ClassVar[list[BindingType]] = keymap.bindings("inspect")

    def __init__(self, world: World) -> None:
        super().__init__(world, id="inspect", columns=_COLUMNS, opened=set(_OPEN_FIRST))
        self._document: object = None
        self._values: dict[str, object] = {}
        self._subject = ""

    def update(self) -> None:
        container = self.world.container
        if container is None:
            self._plant(None, [cell("No container is selected.", "muted")])
        else:
            self.app.behind(self, "inspecting", self._load, container.id)

    async def _load(self, container_id: str) -> None:
        try:
            document = await (await self.app.engine_ready()).inspect_container(container_id)
        except EngineError as error:
            self._plant(None, [cell(plain(str(error)), "bad")])
            return
        if container_id == self.world.subject:
            self._plant(document, [])

    def _plant(self, document: Any, message: list[Cell]) -> None:
        if document is not None and document == self._document:
            return
        first = self._subject != self.world.subject
        self._subject, self._document = self.world.subject, document
        self._values = {}
        self.outline.plant(nodes(document, self._values) if document is not None else [], message)
        if first:
            self.outline.action_cursor_first()
        self.retitle()

    def on_outline_chosen(self, event: Outline.Chosen) -> None:
        event.stop()
        from tui.files.viewer import Viewer
        from tui.sanitize import plain_lines

        text = as_text(self._values.get(event.key))
        self.app.push_screen(Viewer(plain(event.key), [cell(line) for line in plain_lines(text)]))

    def action_copy_value(self) -> None:
        if (node := self.outline.current) is not None:
            self.app.copy(as_text(self._values[node.key]))

    def action_copy_path(self) -> None:
        if (node := self.outline.current) is not None:
            self.app.copy(node.key)

    def tip(self) -> str:
        node = self.outline.current
        return plain(node.key) if node is not None else ""


def nodes(document: Any, values: dict[str, object]) -> list[Node]:
    """The tree below a JSON object or array; `values` is filled with what stands at each path."""
    return [_node(path, name, value, values) for path, name, value in members("", document)]


def members(path: str, value: Any) -> list[tuple[str, str, Any]]:
    """Path, name and value of what is in an object or array; paths as jq(1) writes them."""
    if isinstance(value, dict):
        return [(f"{path}{_step(name, first=not path)}", name, inner) for name, inner in value.items()]
    if isinstance(value, list):
        return [(f"{path or '.'}[{place}]", f"[{place}]", inner) for place, inner in enumerate(value)]
    return []


def _step(name: str, *, first: bool) -> str:
    if _PLAIN_NAME.fullmatch(name):
        return f".{name}"
    return f"{'.' if first else ''}[{json.dumps(name, ensure_ascii=False)}]"


def _node(path: str, name: str, value: Any, values: dict[str, object]) -> Node:
    values[path] = value
    children = [_node(*member, values) for member in members(path, value)]
    shown = _shown(value)
    return Node(path, (cell(plain(name), "title"), shown), children, words=f"{name} {_searched(value)}".lower())


def _shown(value: Any) -> Cell:
    if isinstance(value, dict):
        return cell(f"{{{len(value)}}}" if value else "{}", "muted")
    if isinstance(value, list):
        return cell(f"[{len(value)}]" if value else "[]", "muted")
    if isinstance(value, str):
        return cell(plain(f'"{value[:_LONGEST_SHOWN]}{"…" if len(value) > _LONGEST_SHOWN else ""}"'))
    return cell(json.dumps(value), "accent")


def _searched(value: Any) -> str:
    return "" if isinstance(value, dict | list) else value if isinstance(value, str) else json.dumps(value)


def as_text(value: object) -> str:
    """A value to be copied: text as it is, all else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
