"""The one question before something is lost, with what would be lost."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Button, Static

from engine.errors import EngineError
from tui import format as short
from tui.dialogs.dialog import Dialog
from tui.sanitize import plain
from tui.widgets.tick import Tick

if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.models import Container, Image, Volume
    from tui.state.world import World

SHOWN = 8  # lines; the rest is counted


class Question(Dialog[bool]):
    """`y` or the first button does it; the focus starts on Cancel, so that Enter loses nothing."""

    AUTO_FOCUS = "#cancel"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "yes", "Yes", show=False),
        Binding("left,up", "app.focus_previous", show=False),
        Binding("right,down", "app.focus_next", show=False),
    ]
    verb = "Remove"
    option = ""

    def lines(self) -> list[str]:
        raise NotImplementedError

    def inside(self) -> ComposeResult:
        yield Static("\n".join(self.lines()), id="lines", markup=False)
        if self.option:
            yield Tick(self.option, id="option", compact=True)
        with Horizontal(id="buttons"):
            yield Button(f"{self.verb}  y", id="yes", variant="error", compact=True)
            yield Button("Cancel  esc", id="cancel", compact=True)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "yes":
            self.action_yes()
        else:
            self.dismiss(None)

    def action_yes(self) -> None:
        self.dismiss(self.query_one("#option", Tick).value if self.option else False)


class RemoveContainers(Question):
    """Answers whether their anonymous volumes go too, or None."""

    option = "also their anonymous volumes (-v)"

    def __init__(self, containers: Sequence[Container], engine: Callable[[], Awaitable[Engine]]) -> None:
        count = len(containers)
        title = f"Remove {plain(containers[0].name)}?" if count == 1 else f"Remove {count} containers?"
        super().__init__(title, "y remove  esc cancel")
        self._containers = list(containers)
        self._engine = engine
        self._sizes: dict[str, int] = {}

    def on_mount(self) -> None:
        self.app.behind(self, "measuring what would be lost", self._measure)

    async def _measure(self) -> None:
        """What each has written, filled in as it becomes known: the question must not wait for it."""
        engine = await self._engine()
        for container in self._containers[:SHOWN]:
            try:
                self._sizes[container.id] = (await engine.size(container.id))[0]
            except EngineError:
                continue  # it went meanwhile, or cannot be measured: the question stands without the number
            self.query_one("#lines", Static).update("\n".join(self.lines()))

    def lines(self) -> list[str]:
        lines = []
        for container in self._containers[:SHOWN]:
            size = self._sizes.get(container.id)
            written = f"the {short.size(size)} it wrote" if size is not None else "what it wrote"
            lost = "its log is lost" if size == 0 else f"{written} and its log are lost"
            running = "runs now, will be killed; " if container.running else ""
            lines.append(f"{short.glyph(container)} {plain(container.name)}  {running}{lost}")
        if len(self._containers) > SHOWN:
            lines.append(f"  and {len(self._containers) - SHOWN} more")
        return [*lines, "", "Images, named volumes and bound directories stay."]


class RemoveImages(Question):
    """Answers whether to force it (containers use it), or None."""

    def __init__(self, images: Sequence[Image], world: World) -> None:
        from tui.panes.images import name_of

        self._name_of = name_of
        count = len(images)
        title = f"Remove {plain(name_of(images[0]))}?" if count == 1 else f"Remove {count} images?"
        super().__init__(title, "y remove  esc cancel")
        self._images = list(images)
        self._world = world
        self._used = any(image.used_by for image in images)

    def lines(self) -> list[str]:
        lines = []
        for image in self._images[:SHOWN]:
            known = (self._world.containers.get(key) for key in image.used_by)
            users = ", ".join(plain(container.name) for container in known if container)
            use = f"used by {users}" if users else "not used by a container"
            names = f", {len(image.references)} names" if len(image.references) > 1 else ""
            lines.append(f"{plain(self._name_of(image))}  {short.size(image.size)}{names}  {use}")
        if len(self._images) > SHOWN:
            lines.append(f"and {len(self._images) - SHOWN} more")
        if self._used:
            lines += ["", "Containers that use an image keep what they need; its name goes."]
        return [*lines, "", "It can be pulled again as long as its registry has it."]

    def action_yes(self) -> None:
        self.dismiss(self._used)


class RemoveVolumes(Question):
    """Of volumes that no container uses; answers False, or None."""

    def __init__(self, volumes: Sequence[Volume], sizes: Mapping[str, int], *, kept: int) -> None:
        from tui.panes.volumes import name_of

        self._name_of = name_of
        count = len(volumes)
        title = f"Remove volume {plain(name_of(volumes[0]))}?" if count == 1 else f"Remove {count} volumes?"
        super().__init__(title, "y remove  esc cancel")
        self._volumes = list(volumes)
        self._sizes = sizes
        self._kept = kept

    def lines(self) -> list[str]:
        lines = []
        for volume in self._volumes[:SHOWN]:
            size = self._sizes.get(volume.name)
            held = "all it holds is" if size is None else "it is empty" if size == 0 else f"its {short.size(size)} are"
            lost = held if size == 0 else f"DATA LOSS: {held} gone for good"
            lines.append(f"{plain(self._name_of(volume))}  {lost}")
        if len(self._volumes) > SHOWN:
            lines.append(f"and {len(self._volumes) - SHOWN} more")
        stay = [
            f"{short.plural(self._kept, 'marked volume')} in use: {'it stays' if self._kept == 1 else 'they stay'}."
        ]
        return [
            *lines,
            "",
            "No container uses it." if len(self._volumes) == 1 else "No container uses them.",
            *(stay if self._kept else []),
        ]
