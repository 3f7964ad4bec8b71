"""The files of a layer as a tree, every directory with what all in it costs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from engine.models import Change


@dataclass(slots=True)
class Node:
    """`size` is what the layer holds of it; `lost` are bytes of lower layers it hides, which stay on the disk."""

    path: str
    kind: str = ""  # A added, C changed, D removed; "" for a directory that is only passed through
    is_directory: bool = True
    size: int = 0
    lost: int = 0
    target: str = ""
    children: dict[str, Node] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2] or "/"


def tree(changes: Iterable[Change]) -> Node:
    """The changes below their root."""
    root = Node("/")
    for change in changes:
        parts = [part for part in change.path.split("/") if part]
        cost = change.size if change.kind != "D" else 0
        lost = change.size if change.kind == "D" else 0
        node = root
        node.size, node.lost = node.size + cost, node.lost + lost
        for depth, part in enumerate(parts):
            if part not in node.children:
                node.children[part] = Node("/" + "/".join(parts[: depth + 1]))
            node = node.children[part]
            node.size, node.lost = node.size + cost, node.lost + lost
        node.kind, node.is_directory, node.target = change.kind, change.is_directory, change.target
    return root


def shown(root: Node, unfolded: set[str]) -> Iterator[tuple[int, Node]]:
    """The nodes that can be seen, with their depth: the most expensive of a directory first."""
    waiting = [(0, node) for node in _costly_last(root)]
    while waiting:
        depth, node = waiting.pop()
        yield depth, node
        if node.path in unfolded:
            waiting += [(depth + 1, child) for child in _costly_last(node)]


def first_unfolded(root: Node) -> set[str]:
    """The way to what costs most: a directory is opened as long as most of its parent's cost is in it."""
    opened: set[str] = set()
    node = root
    while node.children:
        dearest = max(node.children.values(), key=lambda child: child.size)
        if not dearest.children or dearest.size * 2 < node.size or len(opened) >= 4:
            break
        opened.add(dearest.path)
        node = dearest
    return opened


def _costly_last(node: Node) -> list[Node]:
    return sorted(node.children.values(), key=lambda child: (-child.size, -child.lost, child.name))[::-1]
