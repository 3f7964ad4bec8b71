"""What the selected image is made of: facts, layers with what made them, and the files of a layer with their cost."""

from __future__ import annotations

import textwrap
import time
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.widgets import Static

from engine.errors import EngineError
from engine.models import Image
from tui import format as short
from tui import keymap
from tui.format import familiar
from tui.images import layer_tree
from tui.images.layer_tree import Node
from tui.panes.images import name_of
from tui.panes.pane import Pane
from tui.sanitize import plain
from tui.state.world import World
from tui.widgets.table import Column, Row, Table, cell

LABEL = 10  # cells before what is told of the image
LAYERS = (
    Column("size", "SIZE", right=True, least=5),
    Column("made", "MADE BY", least=12, fair=30, most=400),
    Column("shared", "SHARED", drop=1, least=6, most=20),
)
FILES = (
    Column("size", "COST", right=True, least=5),
    Column("path", "FILE", least=12, most=400),
    Column("note", "", drop=1, least=7, most=30),
)
WORDS = {"A": ("added", "good"), "C": ("changed", "warn"), "D": ("removed", "bad"), "": ("", "")}
GLYPHS = {"A": ("+", "good"), "C": ("~", "warn"), "D": ("-", "bad"), "": (" ", "")}


class ImagePane(Pane):
    """Enter on a layer shows its files; Escape leads back to the layers."""

    BINDINGS: ClassVar[list[BindingType]] = keymap.bindings("layers")

    def __init__(self, world: World) -> None:
        super().__init__(world, id="image")
        self.facts = Static("", id="facts")
        self.steps = Table(LAYERS, id="image-layers")
        self.made = Static("", id="made", markup=False)
        self.files = Table(FILES, id="image-files")
        self._shown = ""
        self._layer: int | None = None  # whose files are shown
        self._root: Node | None = None
        self._unfolded: set[str] = set()
        self._seen: dict[str, Node] = {}

    def compose(self) -> ComposeResult:
        self.files.display = False
        yield self.facts
        yield self.steps
        yield self.made
        yield self.files

    def enter(self) -> None:
        (self.files if self.files.display else self.steps).focus()

    def on_mount(self) -> None:
        self.world.watch(self.update_if_shown, "subject", "images", "minute")

    def on_show(self) -> None:
        self.update_if_shown()

    def update_if_shown(self) -> None:
        if not self.display:
            return
        image = self.world.image
        if self._shown != self.world.subject_image:
            self._shown = self.world.subject_image
            self._close_files()
        self._tell_facts()
        self.steps.show(layer_rows(image, self.world.images) if image else [])
        self._tell_made()
        self.retitle()

    def on_resize(self) -> None:
        super().on_resize()
        self._tell_facts()

    def _tell_facts(self) -> None:
        image = self.world.image
        none = Content.styled("No image is selected.", "$ph-muted")
        self.facts.update(facts(image, self.world, self.content_size.width) if image else none)

    def heading(self) -> tuple[str, str]:
        image = self.world.image
        if image is None:
            return "Image", ""
        name = plain(name_of(image))
        if self._layer is None:
            return f"{name} · Layers", ""
        size = short.size(image.layers[self._layer].unpacked_size) if self._layer < len(image.layers) else "?"
        return f"{name} · Layer {self._layer + 1} of {len(image.layers)} · {size}", ""

    def hint(self) -> str:
        return "{layers.files}:unfold  {app.back}:layers" if self._layer is not None else "{layers.files}:files"

    def tip(self) -> str:
        if self._layer is not None:
            return "A directory costs what is in it; - was removed: it stays in the layer below."
        return "Enter shows what files a layer adds, and what each costs."

    def back(self) -> bool:
        if self._layer is None:
            return False
        self._close_files()
        self.steps.focus()
        return True

    def on_table_highlighted(self, event: Table.Highlighted) -> None:
        event.stop()
        self._tell_made()

    def _tell_made(self) -> None:
        """The command of the step under the cursor, whole: in its row there is seldom room for it."""
        image, key = self.world.image, self.steps.cursor_key
        self.made.update(plain(made_by(image, int(key))) if image is not None and key else "")

    def on_table_activated(self, event: Table.Activated) -> None:
        event.stop()
        self.action_files()

    # keys -----------------------------------------------------------------------------------------

    def action_files(self) -> None:
        image = self.world.image
        if image is None:
            return
        if self._layer is not None:
            self._fold(None)
            return
        place = layer_place(image, self.steps.cursor_key)
        if place is None:
            self.app.operations.say("this step made no layer: it only changed the configuration")
            return
        self._layer = place
        self._root, self._unfolded = None, set()
        self.files.show([], [cell("Reading the layer…", "muted")])
        self.facts.display = self.steps.display = self.made.display = False
        self.files.display = True
        self.files.focus()
        self.retitle()
        self.app.behind(self, "reading a layer", self._read, image.id, place)

    async def _read(self, image_id: str, place: int) -> None:
        engine = await self.app.engine_ready()
        try:
            changes = await engine.layer_files(image_id, place)
        except (EngineError, OSError) as error:
            self.files.show([], [cell(plain(str(error)), "bad")])
            return
        self._root = layer_tree.tree(changes)
        self._unfolded = layer_tree.first_unfolded(self._root)
        self._paint_files()

    def action_unfold(self) -> None:
        self._fold(False)

    def action_fold(self) -> None:
        self._fold(True)

    def _fold(self, fold: bool | None) -> None:
        """Fold or unfold the directory under the cursor (None: the other of the two); from within, go to it."""
        node = self._seen.get(self.files.cursor_key)
        if self._layer is None or node is None:
            return
        opened = node.path in self._unfolded
        if fold and not opened:
            self.files.select(node.path.rpartition("/")[0])
        elif opened and fold is not False:
            self._unfolded.discard(node.path)
        elif node.children and not fold:
            self._unfolded.add(node.path)
        self._paint_files()

    def _paint_files(self) -> None:
        if self._root is None:
            return
        visible = list(layer_tree.shown(self._root, self._unfolded))
        self._seen = {node.path: node for _, node in visible}
        rows = [self._file_row(depth, node) for depth, node in visible]
        self.files.show(rows, [] if rows else [cell("This layer holds no files.", "muted")])

    def _file_row(self, depth: int, node: Node) -> Row:
        arrow = ("▾ " if node.path in self._unfolded else "▸ ") if node.children else "  "
        slash = "/" if node.is_directory else ""
        link = f" → {plain(node.target)}" if node.target else ""
        note, tone = WORDS[node.kind]
        if node.kind == "C" and node.is_directory:
            note, tone = "", ""
        if node.lost:
            note = f"{note}: {short.size(node.lost)} below".removeprefix(": ")
        cost = short.size(node.size) if node.size or not (node.is_directory or node.target) else "-"
        return Row(
            node.path,
            (
                cell("-" if node.kind == "D" else cost, "" if node.size else "muted"),
                # the name in the first span: what follows that one the table drops whole where it is too long
                (("  " * depth + arrow + plain(node.name) + slash, tone if node.kind == "D" else ""), (link, "muted")),
                cell(note, tone or "muted"),
            ),
            GLYPHS[node.kind] if note else (" ", ""),
        )

    def _close_files(self) -> None:
        self._layer, self._root = None, None
        self.files.display = False
        self.facts.display = self.steps.display = self.made.display = True
        self.retitle()

    def action_copy(self) -> None:
        """The path of a file, or the command that made a layer."""
        image = self.world.image
        if self._layer is not None:
            self.app.copy(self.files.cursor_key)
        elif image is not None and self.steps.cursor_key:
            self.app.copy(made_by(image, int(self.steps.cursor_key)))


def layer_place(image: Image, key: str) -> int | None:
    """The layer (0 is the lowest) that a row of the history made; None if it made none."""
    if not key:
        return None
    row = int(key)
    if not image.history:
        return row
    if image.history[row].empty_layer:
        return None
    place = sum(1 for entry in image.history[:row] if not entry.empty_layer)
    return place if place < len(image.layers) else None


def made_by(image: Image, row: int) -> str:
    """The command that made a layer, as a Dockerfile would have it."""
    if not image.history:
        return image.layers[row].digest
    entry = image.history[row]
    words = " ".join(entry.created_by.split())
    if words.startswith("/bin/sh -c #(nop) "):
        words = words.removeprefix("/bin/sh -c #(nop) ").strip()
    elif words.startswith("/bin/sh -c "):
        words = "RUN " + words.removeprefix("/bin/sh -c ").strip()
    return words or entry.comment


def layer_rows(image: Image, images: list[Image]) -> list[Row]:
    """One row for every step of the history, as it was built: the lowest layer first."""
    holders: dict[str, int] = {}
    for other in images:
        for snapshot in {layer.snapshot for layer in other.layers}:
            holders[snapshot] = holders.get(snapshot, 0) + 1
    rows = []
    for number in range(len(image.history) or len(image.layers)):
        place = layer_place(image, str(number))
        layer = image.layers[place] if place is not None else None
        others = holders.get(layer.snapshot, 1) - 1 if layer else 0
        tone = "" if layer else "muted"
        rows.append(
            Row(
                str(number),
                (
                    cell(short.size(layer.unpacked_size) if layer else "-", tone),
                    cell(plain(made_by(image, number)), tone),
                    cell(f"with {short.plural(others, 'other')}" if others else "", "muted"),
                ),
                ("■", "accent") if layer and layer.unpacked_size else ("·", "muted"),
            )
        )
    return rows


def facts(image: Image, world: World, width: int) -> Content:
    """A line for each thing worth knowing; one that needs more goes on below its beginning."""
    config = image.config
    known = (world.containers.get(key) for key in image.used_by)
    users = ", ".join(container.name for container in known if container)
    run = " ".join((*(config.entrypoint or ()), *(config.cmd or ())))
    age = f"  {short.span(time.time() - image.created)} old" if image.created else ""
    shared = _shared(image, world.images)
    size = f"{short.size(image.size)} unpacked" + (f", {short.size(shared)} shared" if shared else "")
    unused = "" if image.used_by else ", prune removes it"
    lines = [
        ("name", ", ".join(familiar(name) for name in image.references) or "<none>: dangling" + unused),
        ("id", f"{image.short_id}  {image.platform}  {size}{age}"),
        ("used by", users or "no container"),
        ("runs", run or "nothing of its own"),
    ]
    if config.exposed_ports or config.volumes:
        lines.append(("exposes", " ".join((*config.exposed_ports, *config.volumes))))
    parts: list[tuple[str, str] | str] = []
    for label, text in lines:
        room = max(20, width - LABEL)
        body = f"\n{'':{LABEL}}".join(textwrap.wrap(plain(text), room, break_on_hyphens=False))
        parts += [(f" {label:<{LABEL - 1}}", "$ph-secondary bold"), f"{body}\n"]
    return Content.assemble(*parts).rstrip()


def _shared(image: Image, images: list[Image]) -> int:
    """Bytes of the layers that other images have too."""
    others = {layer.snapshot for other in images if other.id != image.id for layer in other.layers}
    return sum({layer.snapshot: layer.unpacked_size for layer in image.layers if layer.snapshot in others}.values())
