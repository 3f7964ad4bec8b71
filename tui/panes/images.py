"""The images in the store, and those that are just being pulled."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, ClassVar

from textual.binding import BindingType

from engine.models import Image
from tui import format as short
from tui import keymap, phrases
from tui.format import familiar
from tui.operations import command
from tui.panes.list_pane import ListPane
from tui.sanitize import plain
from tui.state.pulls import Pull
from tui.state.world import World
from tui.widgets.table import Cell, Column, Row, Table, cell

if TYPE_CHECKING:
    from engine.engine import Engine

_PULLING = "pull:"


def name_of(image: Image) -> str:
    """The first name of an image, or its short id if it has none."""
    return familiar(image.references[0]) if image.references else image.short_id


def prunable(images: list[Image]) -> int:
    """Bytes that images without a name and a user have for themselves."""
    kept = {layer.snapshot for image in images if image.references or image.used_by for layer in image.layers}
    dangling = (image for image in images if not image.references and not image.used_by)
    return sum(
        {
            layer.snapshot: layer.unpacked_size
            for image in dangling
            for layer in image.layers
            if layer.snapshot not in kept
        }.values()
    )


class ImagesPane(ListPane):
    BINDINGS: ClassVar[list[BindingType]] = keymap.bindings("images", "list")
    COLUMNS = (
        Column("name", "REPOSITORY:TAG", least=14, fair=24, most=40, end=True),
        Column("size", "SIZE", right=True, least=5),
        Column("used", "USED BY", drop=1, least=7, fair=10, most=20),
        Column("age", "AGE", drop=2, least=4),
        Column("id", "IMAGE ID", drop=3, least=12),
    )
    FILTER_HELP = "words, label:key=value, id:4f2a   Enter keep   Esc clear"

    def __init__(self, world: World) -> None:
        super().__init__(world, id="images")
        self.sorts = {
            "name": (name_of, False),
            "size": (lambda image: image.size, True),
            "used": (lambda image: len(image.used_by), True),
            "age": (lambda image: image.created, True),
        }

    def on_mount(self) -> None:
        self.world.watch(self.reload, "images", "containers", "pulls", "minute")
        self.world.watch(self.retitle, "volumes")
        self.reload()

    def items(self) -> list[Image]:
        return self.sorted([image for image in self.world.images if self.filter.fits_image(image)])

    def keys(self) -> Iterable[str]:
        return (image.id for image in self.world.images)

    def reload(self) -> None:
        items = self.items()
        pulls = [self._pull_row(pull) for pull in self.world.pulls.values() if not pull.outcome]
        rows = pulls + [self.row(image) for image in items]
        self.table.show(rows, [] if rows else self.empty(), self.keys())
        self.retitle()
        self.refresh_bindings()

    def row(self, item: Image) -> Row:
        users = [self.world.containers[key].name if key in self.world.containers else key[:12] for key in item.used_by]
        used = f"{plain(users[0])} +{len(users) - 1}" if len(users) > 1 else (plain(users[0]) if users else "-")
        more = f" +{len(item.references) - 1}" if len(item.references) > 1 else ""
        dim = "" if item.references else "muted"
        name: Cell = ((plain(name_of(item)), ""), (more, "muted")) if more else cell(plain(name_of(item)))
        if not item.references:
            name = cell(f"<none> {item.short_id[:6]}", "muted")
            used = used if users else "prunable"
        return Row(
            item.id,
            (
                name,
                cell(short.size(item.size), dim),
                cell(used, dim if users else "muted"),
                cell(short.span(time.time() - item.created) if item.created else "-", "muted"),
                cell(item.short_id, "muted"),
            ),
            ("■" if users else "□", "good" if users else "muted"),
        )

    def _pull_row(self, pull: Pull) -> Row:
        fraction, left = pull.fraction, pull.remaining
        bar = f"{short.bar(fraction, 10)} {int(fraction * 100)}%" if fraction is not None else f"{pull.action}…"
        return Row(
            _PULLING + pull.reference,
            (
                cell(plain(pull.reference), "accent"),
                cell(short.size(pull.current), "accent"),
                cell(bar, "accent"),
                cell(short.span(left) if left is not None else "", "muted"),
                cell(f"{short.size(pull.speed)}/s" if pull.speed else "", "muted"),
            ),
            ("↓", "accent"),
        )

    def empty(self) -> list[Cell]:
        if not self.world.loaded:
            return [cell(""), cell("Asking the engine…" if not self.world.trouble else self.world.trouble, "muted")]
        if self.filter:
            return self.nothing_fits(len(self.world.images))
        keys = self.app.preferences.keys
        return [
            cell(""),
            phrases.spans("No images. {app.pull} pulls one, for example nginx:alpine.", keys, "muted"),
            phrases.spans("{images.load} loads an archive: that needs no network.", keys, "muted"),
        ]

    def heading(self) -> tuple[str, str]:
        images = self.world.images
        shown = sum(1 for row in self.table.rows if not row.key.startswith(_PULLING))
        left = f"{{app.images}} Images{f' {self.count(shown, len(images))}' if images else ''}"
        others = f"{{app.containers}} Containers {len(self.world.containers)}  {{app.volumes}} Volumes"
        return left, "" if self.screen.has_class("-wide") else f"{others} {len(self.world.volumes)}"

    def word_clicked(self, place: int) -> None:
        self.app.dashboard.action_pane(("containers", "volumes")[place])

    def hint(self) -> str:
        spare = prunable(self.world.images)
        prune = f"prune {short.size(spare)}" if spare else "prune"
        return f"{{images.run}}:run  {{images.pull}}:pull  {{images.layers}}:layers  {{list.prune}}:{prune}"

    def tip(self) -> str:
        image = self.current()
        if image is None:
            return phrases.words("{app.pull} pulls an image.", self.app.preferences.keys)
        what = f"{plain(name_of(image))}: {short.plural(len(image.layers), 'layer')}, {image.platform}."
        return f"{what} {phrases.words('{images.run} runs it.', self.app.preferences.keys)}"

    def verb(self, key: str) -> str | None:
        if key.startswith("images.") and key != "images.load" and self.current() is None:
            return ""
        if key == "images.remove" and not self.chosen():
            return ""
        return None

    def current(self) -> Image | None:
        return next((image for image in self.world.images if image.id == self.table.cursor_key), None)

    def chosen(self) -> list[Image]:
        keys = self.table.chosen()
        return [image for image in self.world.images if image.id in keys]

    def follow(self, key: str) -> None:
        self.world.subject_image = key
        self.world.tell("subject")

    def on_table_activated(self, event: Table.Activated) -> None:
        event.stop()
        self.action_run()

    # keys -----------------------------------------------------------------------------------------

    def action_run(self) -> None:
        if self.table.cursor_key.startswith(_PULLING):
            self.app.show_pull(self.table.cursor_key.removeprefix(_PULLING))
        elif image := self.current():
            self.app.open_run_form(name_of(image))

    def action_pull(self) -> None:
        image = self.current()
        if image is not None and image.references and not self.app.failed_pull():  # the status row says: P shows why
            self.app.start_pull(familiar(image.references[0]))
        else:
            self.app.action_pull_image()

    def action_load(self) -> None:
        self.app.ask_load()

    def action_layers(self) -> None:
        if self.table.cursor_key.startswith(_PULLING):
            self.app.show_pull(self.table.cursor_key.removeprefix(_PULLING))
        elif self.current():
            self.app.dashboard.go_to_image()

    def action_remove(self) -> None:
        chosen = self.chosen()
        if self.only_hidden() or not chosen:
            return
        from tui.dialogs.remove import RemoveImages

        def remove(force: bool | None) -> None:
            if force is None:
                return
            # one with several names goes by its id, which Docker only takes by force
            force = bool(force) or any(len(image.references) > 1 for image in chosen)
            self._remove(chosen, force)

        self.app.push_screen(RemoveImages(chosen, self.world), remove)

    def _remove(self, images: list[Image], force: bool) -> None:
        def work(target: str) -> Callable[[Engine], Awaitable[object]]:
            return lambda engine: engine.remove_image(target, force=force)

        targets = [familiar(image.references[0]) if len(image.references) == 1 else image.short_id for image in images]
        self.app.operations.on_each(
            [(name_of(image), work(target)) for image, target in zip(images, targets, strict=True)],
            line=command("rmi", *(("-f",) if force else ()), *targets),
            done="removed",
            noun="image",
        )

    def action_copy(self) -> None:
        image = self.current()
        if image is None:
            return
        from tui.dialogs.choose import Choice, Choose

        offers = [
            *(("n", "name", familiar(reference)) for reference in image.references[:1]),
            ("i", "id", image.id),
            *(("d", "digest", digest) for digest in image.digests[:1]),
        ]
        choices = [Choice(text, key, label, plain(text)) for key, label, text in offers]
        self.app.push_screen(Choose(f"Copy from {plain(name_of(image))}", choices), self.app.copy)
