"""Which image to pull, and how far the pulls are."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Button, Input, Static

from engine.errors import InvalidInput
from tui import format as short
from tui.dialogs.dialog import Dialog
from tui.sanitize import plain
from tui.state.pulls import LayerPull, Pull
from tui.state.world import World
from tui.widgets.table import Cell, cell
from tui.widgets.text_view import TextView
from tui.widgets.tick import Tick

HELP = "A name alone means docker.io/library/NAME:latest."


class AskPull(Dialog[str]):
    """Answers with a reference that can be read as one. `first` stands in the field already, with `note` under it."""

    def __init__(self, first: str = "", note: str = "") -> None:
        super().__init__("Pull an image", "enter pull in the background  esc close")
        self._first = first
        self._note = note

    def inside(self) -> ComposeResult:
        yield Input(
            self._first,
            placeholder="nginx:alpine, ghcr.io/owner/name:tag, registry:5000/name@sha256:…",
            compact=True,
            select_on_focus=True,
        )
        yield Static(self._verdict(self._first)[1], id="verdict", markup=False)

    def on_input_changed(self, event: Input.Changed) -> None:
        self.query_one("#verdict", Static).update(self._verdict(event.value.strip())[1])

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if self._verdict(event.value.strip())[0]:
            self.dismiss(event.value.strip())

    def _verdict(self, text: str) -> tuple[bool, str]:
        from engine.reference import parse

        if not text:
            return False, HELP
        try:
            name = parse(text).canonical
        except InvalidInput as error:
            return False, f"✗ {plain(str(error))}"
        return True, self._note if self._note and text == self._first else f"→ {plain(name)}"


class PullProgress(Dialog[str]):
    """The pulls that run, one at a time, layer by layer. Escape cancels the one shown; what it has is kept."""

    AUTO_FOCUS = "#background"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("b", "background", show=False),
        Binding("escape", "cancel", show=False),
        Binding("n,P", "another", show=False),
        Binding("right_square_bracket,greater_than_sign,pagedown", "other(1)", show=False),
        Binding("left_square_bracket,less_than_sign,pageup", "other(-1)", show=False),
        Binding("left,up", "app.focus_previous", show=False),
        Binding("right,down", "app.focus_next", show=False),
    ]

    def __init__(self, world: World, reference: str = "") -> None:
        super().__init__("Pull", "b background  n pull another  esc cancel the pull")
        self._world = world
        self._reference = reference

    def inside(self) -> ComposeResult:
        yield TextView(id="layers")
        yield Tick("then run it: opens the form", id="option", compact=True)
        with Horizontal(id="buttons"):
            yield Button("Background  b", id="background", compact=True)
            yield Button("Cancel the pull  esc", id="cancel", compact=True)

    def on_mount(self) -> None:
        self._world.watch(self._update, "pulls")
        self._update()

    def on_resize(self) -> None:
        self.call_after_refresh(self._update)  # the title fills the frame, whose width is known only then

    def on_unmount(self) -> None:
        self._world.forget(self._update)

    def _pulls(self) -> list[Pull]:
        return [pull for pull in self._world.pulls.values() if not pull.outcome]

    def _shown(self) -> Pull | None:
        pulls = self._pulls()
        return next((pull for pull in pulls if pull.reference == self._reference), pulls[0] if pulls else None)

    def _update(self) -> None:
        view = next(iter(self.query(TextView)), None)
        if view is None or not self.is_active:  # not composed yet, on its way out, or under another dialog
            return
        pull = self._shown()
        if pull is None:
            self.dismiss(None)
            return
        pulls = self._pulls()
        if pull.reference != self._reference:
            self._reference = pull.reference
            with self.prevent(Tick.Changed):
                self.query_one("#option", Tick).value = pull.then_run
        frame = self.query_one("#dialog")
        many = f"{pulls.index(pull) + 1} of {len(pulls)} pulls" if len(pulls) > 1 else ""
        count = f"{pull.finished} of {short.plural(len(pull.layers), 'layer')}" if pull.layers else ""
        right = "  ".join(word for word in (many, count) if word)
        room = frame.outer_size.width - len(right) - 16  # corners, blanks, pieces of line, `Pull`
        name = plain(pull.reference)
        if 8 < room < len(name):
            name = "…" + name[1 - room :]  # the tag is at its end
        line = "━" * max(1, room - len(name))
        frame.border_title = Content.assemble(
            (f" Pull  {name} ", "reverse bold"), (line if right else "", "$ph-focus"), f" {right} " if right else ""
        )
        other = "] next pull  " if many else ""
        self.tell(Content.styled(f"{other}b background  n pull another  esc cancel the pull", "$ph-muted"))
        lines = pull_lines(pull, view.size.width)
        view.styles.height = min(len(lines), max(3, self.app.size.height - 8))
        view.show(lines)

    def on_checkbox_changed(self, event: Tick.Changed) -> None:
        if pull := self._shown():
            pull.then_run = event.value

    def action_other(self, step: int) -> None:
        pulls = self._pulls()
        pull = self._shown()
        if pull is not None:
            self._reference = pulls[(pulls.index(pull) + step) % len(pulls)].reference
            with self.prevent(Tick.Changed):
                self.query_one("#option", Tick).value = self._world.pulls[self._reference].then_run
            self._update()

    def action_background(self) -> None:
        self.dismiss(None)

    def action_cancel(self) -> None:
        if pull := self._shown():
            pull.cancel()
        if len(self._pulls()) <= 1:
            self.dismiss(None)

    def action_another(self) -> None:
        app = self.app
        self.dismiss(None)
        app.call_later(app.ask_pull)  # by the app: an answer is given to who asked, and this dialog will be gone

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self.action_cancel() if event.button.id == "cancel" else self.action_background()


def pull_lines(pull: Pull, width: int = 70) -> list[Cell]:
    """What it is, in one line if `width` allows it, a line per layer, the total."""
    from engine.reference import parse

    name = plain(parse(pull.reference).canonical)
    what = f"{pull.platform}   digest {plain(pull.digest)[:19]}…" if pull.digest else ""
    if what and len(name) + len(what) + 4 <= width:
        name, what = f"{name}   {what}", ""
    lines: list[Cell] = [cell(line, "muted") for line in (name, what) if line]
    lines.append(cell(""))
    if not pull.layers:
        lines.append(cell(f"{pull.action}…", "muted"))
    lines += [_layer_line(layer) for layer in pull.layers.values()]
    total = f"{short.size(pull.current)} / {short.size(pull.total)}" if pull.total else short.size(pull.current)
    remaining = f"   eta {short.span(pull.remaining)}" if pull.remaining is not None else ""
    notes = []
    if pull.saved:
        notes.append(f"saved {short.size(pull.saved)} ({short.plural(pull.shared, 'shared layer')})")
    if pull.resumed:
        notes.append(f"{short.size(pull.resumed)} were here from before")
    lines += [cell(""), cell(f"total  {total}   {short.size(pull.speed)}/s{remaining}")]
    return [*lines, cell("   ".join(notes), "muted")] if notes else lines


def _layer_line(layer: LayerPull) -> Cell:
    name, size = layer.digest.removeprefix("sha256:")[:12], short.size(layer.total) if layer.total else "?"
    head = (f"{name}  {size:>6}  ", "")
    if layer.action == "exists":
        return (head, ("shared: already here", "muted"))
    if layer.action == "done":
        return (head, ("✓ done", "good"))
    if layer.action == "downloading":
        speed = (f"  {short.size(layer.speed):>5}/s" if layer.speed else "", "")
        if not layer.total:
            return (head, (f"{short.size(layer.current)}", "accent"), speed)
        share = layer.current / layer.total
        return (head, (f"{short.bar(share, 20)} {int(share * 100)}%".ljust(25), "accent"), speed)
    if layer.action == "unpacking" and layer.total:
        return (head, (f"{short.bar(layer.unpacked / layer.total, 20)} unpacking", "accent"))
    return (head, (layer.action, "muted"))
