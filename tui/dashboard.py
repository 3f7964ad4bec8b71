"""The main screen: where the panes stand, which tab is chosen, where the focus goes.

How the panes are laid out at which size is dashboard.tcss's business; here only classes are set.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container as Box
from textual.content import Content
from textual.screen import Screen
from textual.timer import Timer
from textual.widget import Widget

from tui import keymap
from tui.panes.command_log import CommandLogPane
from tui.panes.containers import ContainersPane
from tui.panes.detail_pane import TABS
from tui.panes.images import ImagesPane
from tui.panes.logs import LogsPane
from tui.panes.pane import Pane
from tui.panes.ports import PortsPane
from tui.panes.stats import StatsPane
from tui.state import kept
from tui.state.world import World
from tui.widgets.footer import Footer
from tui.widgets.header import Header
from tui.widgets.status import StatusRow

if TYPE_CHECKING:
    from tui.app import Pilothouse
    from tui.panes.list_pane import ListPane
    from tui.panes.volumes import VolumesPane
    from tui.welcome.pane import WelcomePane

# Panes that are made when they are first wanted: the first paint waits neither for their code nor for their styles.
LATE = {
    "inspect": ("tui.inspect.pane", "InspectPane"),
    "processes": ("tui.processes.pane", "ProcessesPane"),
    "files": ("tui.files.pane", "FilesPane"),
    "shell": ("tui.shell.pane", "ShellPane"),
    "env": ("tui.panes.details", "TextPane"),
    "events": ("tui.panes.details", "TextPane"),
    "image": ("tui.images.pane", "ImagePane"),
}
LEAST_WIDTH, LEAST_HEIGHT = 40, 10


class Room(Widget):
    """Shown instead of everything where there is no room for anything."""

    def render(self) -> Content:
        return Content(f"{LEAST_WIDTH}x{LEAST_HEIGHT} needed, now {self.size.width}x{self.size.height}")


class Dashboard(Screen[None]):
    app: Pilothouse

    BINDINGS: ClassVar[list[BindingType]] = keymap.bindings("app")
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012 (an instance variable in Screen)
        (0, "-w-nano"),
        (LEAST_WIDTH, "-w-tiny"),
        (60, "-narrow"),
        (120, "-wide"),
    ]
    VERTICAL_BREAKPOINTS = [  # noqa: RUF012
        (0, "-h-nano"),
        (LEAST_HEIGHT, "-h-tiny"),
        (16, "-low"),
        (28, "-mid"),
        (36, "-tall"),
    ]

    def __init__(self, world: World) -> None:
        super().__init__(classes="-tab-logs")
        self.world = world
        self.tab = "logs"
        self.header = Header(world)
        self.status = StatusRow(world)
        self.footer = Footer()
        self.containers = ContainersPane(world)
        self.containers.add_class("-active")
        self.active: Pane = self.containers  # has, or last had, the focus
        self.images = ImagesPane(world)
        self.volumes: VolumesPane | None = None  # made when there is one, or when it is wanted
        self.logs = LogsPane(world)
        self._tabs: dict[str, Pane] = {
            "logs": self.logs,
            "ports": PortsPane(world),
            "stats": StatsPane(world),
        }
        self._pulse: Timer | None = None
        self._welcome: WelcomePane | None = None
        self._welcomed = False  # Escape was pressed there, or another pane was wanted

    def compose(self) -> ComposeResult:
        yield self.header
        with Box(id="body"):
            with Box(id="left", classes="-here"):
                yield self.containers
                yield self.images
                yield CommandLogPane(self.world)
            with Box(id="right"):
                yield from self._tabs.values()
        yield self.status
        yield self.footer
        room = Room()
        room.id = "room"
        yield room

    def on_mount(self) -> None:
        self.containers.enter()
        kept.restore(self)
        self.world.watch(self._tell_tip, "subject", "containers", "stats")
        self.world.watch(self._pulls_changed, "pulls")
        self.world.watch(self._consider_welcome, "containers", "images", "pulls")
        self.world.watch(self._consider_tour, "containers")
        self.world.watch(self._consider_volumes, "volumes")
        self._pulse = self.set_interval(0.1, lambda: self.world.tell("pulls"), pause=True)

    def pane(self, tab: str) -> Pane:
        """The pane of a tab of the details, or `image`; made and mounted if it was not wanted before."""
        pane = self._tabs.get(tab)
        if pane is None:
            module, name = LATE[tab]
            kind = getattr(import_module(module), name)
            pane = next((other for other in self._tabs.values() if type(other) is kind), None)
            if pane is None:
                pane = kind(self.world)
                assert pane is not None
                self.query_one("#right").mount(pane, before=self._tabs["ports"])
                pane.call_after_refresh(self.world.tell, "subject")  # it was not there to hear of it
            self._tabs[tab] = pane
        return pane

    def _consider_volumes(self) -> None:
        """Where there is room their list stands below the images, if there are any."""
        if self.world.volumes:
            self._make_volumes()
        self.set_class(bool(self.world.volumes), "-has-volumes")

    def _make_volumes(self) -> VolumesPane:
        if self.volumes is None:
            from tui.panes.volumes import VolumesPane

            self.volumes = VolumesPane(self.world)
            self.query_one("#left").mount(self.volumes, after=self.images)
        return self.volumes

    def _pulls_changed(self) -> None:
        """Progress is painted ten times a second while something is pulled, and not at all otherwise."""
        if self._pulse is not None:
            if any(not pull.outcome for pull in self.world.pulls.values()):
                self._pulse.resume()
            else:
                self._pulse.pause()

    # the first run --------------------------------------------------------------------------------

    def _consider_welcome(self) -> None:
        """The welcome stands in the place of the lists as long as there is nothing to list."""
        world = self.world
        nothing = not (world.containers or world.images or any(not pull.outcome for pull in world.pulls.values()))
        wanted = world.loaded and nothing and not self._welcomed
        if wanted == self.has_class("-welcome"):
            return
        self.set_class(wanted, "-welcome")
        if not wanted:
            if self.active is self._welcome:
                self.enter(self.containers)
            return
        if self._welcome is None:
            from tui.welcome.pane import WelcomePane

            self._welcome = WelcomePane(world)
            self.query_one("#body").mount(self._welcome, before=0)
        self.enter(self._welcome)

    def leave_welcome(self) -> None:
        """Show the empty lists instead, until the next start."""
        self._welcomed = True
        self._consider_welcome()

    def _consider_tour(self) -> None:
        """The tour begins when there is something to show, unless it was dismissed once."""
        if self.world.loaded and self.world.containers:
            self.world.forget(self._consider_tour)
            from tui.welcome import tour

            if not tour.is_done():
                self._show_tour()

    def _show_tour(self) -> None:
        from tui.welcome.tour import Tour

        self.mount(Tour(), before=self.status)

    def focus_previous(self, selector: str | type[Widget] = "*") -> Widget | None:
        """Shift+Tab goes from a list to the end of what belongs to it: the list before it would change the details."""
        if self.focused is self.listed.table:
            others = set(self.lists()) - {self.listed}
            beside = [each for each in self.focus_chain if not others.intersection(each.ancestors_with_self)]
            if beside:  # on a screen of a few rows nothing can have the focus
                self.set_focus(beside[-1])
                return self.focused
        return super().focus_previous(selector)

    @property
    def focus_chain(self) -> list[Widget]:
        """Tab goes from a list to its details, then to all else, the other lists last."""
        here, others = self.listed, set(self.lists()) - {self.listed}
        details = self.query_one("#right")

        def turn(widget: Widget) -> int:
            around = widget.ancestors_with_self
            return 0 if here in around else 1 if details in around else 3 if others.intersection(around) else 2

        # the row of a filter that was kept is come back to by the key that opened it, or by a click
        chain = [each for each in super().focus_chain if each.has_focus or each.id != "filter"]
        return sorted(chain, key=turn)

    # what the user looks at -----------------------------------------------------------------------

    def lists(self) -> list[ListPane]:
        """The lists that there are, in the order of their keys."""
        return [self.containers, self.images, *([self.volumes] if self.volumes is not None else [])]

    @property
    def listed(self) -> ListPane:
        """The list that was chosen last: where only one has room, the one that is shown."""
        chosen = "volumes" if self.has_class("-list-volumes") else "images" if self.has_class("-list-images") else ""
        return next((pane for pane in self.lists() if pane.id == chosen), self.containers)

    @property
    def alone(self) -> bool:
        """Only one pane is shown."""
        return any(self.has_class(name) for name in ("-zoom", "-w-tiny", "-h-tiny"))

    def beside(self) -> frozenset[str]:
        """Tabs that stand beside the others now (the same rule as in dashboard.tcss)."""
        roomy = self.has_class("-wide") and (self.has_class("-mid") or self.has_class("-tall"))
        return frozenset(("ports", "stats")) if roomy and not self.alone else frozenset()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        pane = next((node for node in event.widget.ancestors_with_self if isinstance(node, Pane)), None)
        if pane is not None:
            self._activate(pane)

    def _activate(self, pane: Pane) -> None:
        self.active = pane
        for other in self.query(Pane):
            other.set_class(other is pane, "-active")
        left = pane in self.lists() or pane.id == "commands"
        self.query_one("#left").set_class(left, "-here")
        self.query_one("#right").set_class(not left, "-here")
        if pane in self.lists():
            self._list(pane)
        self._tell_tip()
        self._retitle()

    def _list(self, pane: Pane) -> None:
        """One of the lists is chosen."""
        self.set_class(pane is self.volumes, "-list-volumes")
        self._about_image(pane is self.images)

    def _about_image(self, image: bool) -> None:
        if self.has_class("-list-images") != image:
            if image:
                self.pane("image")
            self.set_class(image, "-list-images", "-about-image")
            self.call_after_refresh(self.world.tell, "subject")

    def _retitle(self) -> None:
        for pane in self.query(Pane):
            if pane.display:
                pane.retitle()

    def _tell_tip(self) -> None:
        self.status.show_tip(self.active.tip())

    def on_screen_suspend(self) -> None:
        self.footer.refresh()  # what works now is what the dialog above says

    def on_screen_resume(self) -> None:
        self.footer.refresh()

    def on_resize(self) -> None:
        self.call_after_refresh(self._settle)

    def _settle(self) -> None:
        """After a change of size: frames to the new width, and the focus back if there was no room for anything."""
        if self.tab in self.beside():  # it has come out of the tabs: another takes its place there
            self._choose("logs")
        elif (here := self.active.id) in TABS and here not in self.beside() and here != self.tab:
            self.go_to_tab(here)  # it has gone back among the tabs: whoever was in it must see it
        self._retitle()
        if self.focused is None and not (self.has_class("-w-nano") or self.has_class("-h-nano")):
            self.active.enter()

    # going places ---------------------------------------------------------------------------------

    def enter(self, pane: Pane) -> None:
        """Show a pane and give it the focus; it must be marked active first where only one pane is shown."""
        self._activate(pane)
        self.call_after_refresh(pane.enter)

    def go_to_tab(self, tab: str) -> None:
        """Show a tab of the selected container and go there."""
        self._about_image(False)
        self._choose(tab)
        self.enter(self.pane(tab))

    def go_to_image(self) -> None:
        self.enter(self.pane("image"))

    def choose_tab(self, tab: str) -> None:
        """Show a tab without going there; a name that is none is left."""
        if tab in TABS:
            self._choose(tab)

    def _choose(self, tab: str) -> None:
        self.pane(tab)
        if tab not in self.beside():
            for name in TABS:
                self.set_class(name == tab, f"-tab-{name}")
            self.tab = tab
        self.call_after_refresh(self.world.tell, "subject")
        self.call_after_refresh(self._retitle)

    def select(self, container_id: str) -> None:
        """Put the cursor on a container, as soon as it is in the list."""
        if not self.containers.table.select(container_id):
            self.containers.show_all = True
            self.containers.close_filter(keep=False)
            self.containers.table.select(container_id)

    # keys -----------------------------------------------------------------------------------------

    def action_pane(self, name: str) -> None:
        if self.has_class("-welcome"):
            self.leave_welcome()
        lists = {"containers": lambda: self.containers, "images": lambda: self.images, "volumes": self._make_volumes}
        if name in lists:
            pane = lists[name]()
            self._list(pane)
            self.enter(pane)
            self.call_after_refresh(self.world.tell, "subject")
        else:
            self.go_to_tab(name)

    def action_next_tab(self, step: int) -> None:
        if self.has_class("-about-image"):
            return
        tabs = [tab for tab in TABS if tab not in self.beside()]
        place = tabs.index(self.tab) if self.tab in tabs else 0
        tab = tabs[(place + step) % len(tabs)]
        in_details = self.query_one("#right").has_class("-here")
        self._choose(tab)
        if in_details:
            self.enter(self.pane(tab))

    def action_zoom(self) -> None:
        self.toggle_class("-zoom")
        if self.tab in self.beside():
            self._choose("logs")
        self.call_after_refresh(self.active.enter)
        self.call_after_refresh(self._retitle)

    def action_find(self) -> None:
        pane = self.active
        if type(pane).find is Pane.find:  # nothing to find there: `/` means the list
            pane = self.listed
            self._activate(pane)
        pane.find()

    def action_back(self) -> None:
        if self.active.back():
            return
        if self.has_class("-zoom"):
            self.action_zoom()
        elif self.query_one("#right").has_class("-here") or self.active.id == "commands":
            self.enter(self.listed)

    def action_run_form(self) -> None:
        self.app.open_run_form()

    def on_paste(self, event: events.Paste) -> None:
        """What is pasted where nothing is typed: a `docker run …` line can only be meant for the form."""
        from tui import run_line

        if run_line.is_run_line(event.text):
            self.app.open_run_form(line=event.text)

    def action_pull_image(self) -> None:
        self.app.action_pull_image()

    def action_choose_theme(self) -> None:
        from tui.dialogs.theme_picker import ThemePicker

        self.app.push_screen(ThemePicker())

    def action_undo(self) -> None:
        if sentence := self.app.operations.undo():
            self.app.operations.say(sentence, failed=True)

    def action_tour(self) -> None:
        shown = next(iter(self.query("#tour").results()), None)
        if shown is None:
            self._show_tour()
        else:
            shown.next()  # type: ignore[attr-defined]

    def action_tour_end(self) -> None:
        for shown in self.query("#tour").results():
            shown.end()  # type: ignore[attr-defined]

    def action_help(self) -> None:
        from tui.dialogs.help import Help

        self.app.push_screen(Help(self.active.id or "containers"))

    def action_command_palette(self) -> None:
        self.app.action_command_palette()

    def action_leave(self) -> None:
        self.app.action_leave()

    def on_status_row_pull_clicked(self) -> None:
        self.app.action_pull_image()
