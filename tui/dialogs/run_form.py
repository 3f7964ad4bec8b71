"""A new container: judged while it is typed, with the command line that does the same."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from functools import partial
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Button, Input, Static

from engine.errors import EngineError, InvalidInput
from engine.models import Container, Image
from tui import run_line
from tui.dialogs.dialog import Dialog
from tui.dialogs.run_checks import Sight, Verdict, check, fix
from tui.dialogs.run_rows import Field, Line, Lines
from tui.images.rerun import run_in_place
from tui.operations import command
from tui.run_line import Fields, PortRow
from tui.sanitize import plain
from tui.state import run_memory
from tui.state.world import World
from tui.widgets.radio import Radio
from tui.widgets.tick import Tick

FIRST = {
    "image": ("Image", "nginx, or a `docker run …` line"),
    "name": ("Name", "random"),
    "command": ("Command", "the image's own"),
}
GROUPS = {
    "ports": ("Ports", ("host: 8080", "80")),
    "env": ("Env", ("TZ=Europe/Oslo",)),
    "volumes": ("Volumes", ("./site:/srv:ro, or data:/data",)),
}
MORE = {
    "memory": ("Memory", "no limit; 256m, 1g"),
    "cpus": ("CPUs", "no limit; 0.5"),
    "user": ("User", "the image's; 1000:1000"),
    "workdir": ("Workdir", "the image's; /srv"),
    "hostname": ("Hostname", "its id"),
    "restart": ("Restart", "no; always, unless-stopped, on-failure:3"),
    "entrypoint": ("Entrypoint", "the image's"),
    "options": ("Options", "any other flag: --cap-drop ALL --init"),
}
ROOM = 8  # rows of the dialog that are not fields


class Body(VerticalScroll, can_focus=False, inherit_bindings=False):
    """The fields: scrolled by moving the focus, never by keys of its own."""


class RunForm(Dialog[None]):
    """Only the image is needed. Run never greys out: it leads to the first problem.

    :param again: a container whose options are to be edited; the new one may take its place.
    :param fields: what the form begins with.
    :param first: the field that has the focus; without it the first that is not filled in.
    """

    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+g", "go", show=False, priority=True),
        Binding("f2", "fix", show=False, priority=True),
        Binding("f3", "copy_line", show=False, priority=True),
        Binding("f4", "clear", show=False, priority=True),
        Binding("down", "row(1)", show=False),
        Binding("up", "row(-1)", show=False),
    ]

    def __init__(
        self,
        world: World,
        image: str = "",
        *,
        again: Container | None = None,
        fields: Fields | None = None,
        first: str = "",
    ) -> None:
        super().__init__(f"Run {plain(again.name)} again" if again else "Run a container")
        self._world = world
        self._again = again
        self._begins = first
        self._lines = {name: Line(name, label, (hint,)) for name, (label, hint) in (FIRST | MORE).items()}
        self._groups = {name: Lines(name, label, hints) for name, (label, hints) in GROUPS.items()}
        self._ticks = {
            "detach": Tick("Detach (-d)", value=True, id="detach", compact=True),
            "remove": Tick("Remove (--rm)", id="remove", compact=True),
        }
        self._pull = Radio("Pull:", ("missing", "always", "never"), id="pull")
        self._verdicts: dict[str, Verdict] = {}
        self._prefilled_for = ""
        self._sure = False
        self._remembered = False
        self._refused = ""  # a whole line that has a mistake
        self._unread = False  # the mistake is told in full
        given = fields or (self._options_of(again) if again else Fields(image=image))
        self._given = given != Fields(image=image)
        self._put(given)
        self._first = self.fields()

    @staticmethod
    def _options_of(container: Container) -> Fields:
        try:
            return replace(run_line.fields_from(container.options), name=container.name)
        except InvalidInput:  # an entrypoint of several words has no form on the command line
            return Fields(image=container.image, name=container.name)

    def inside(self) -> ComposeResult:
        with Body(id="form"):
            for name in FIRST:
                yield self._lines[name]
            yield from self._groups.values()
            with Horizontal(id="choices"):
                yield from self._ticks.values()
                yield self._pull
            if self._again is not None:
                name = plain(self._again.name)
                yield Tick(f"In the place of {name}: what that wrote is lost", value=True, id="replace", compact=True)
            yield Button("", id="toggle-more", compact=True)
            yield Vertical(id="more")
        yield Static("", id="left-out", markup=False)
        yield Static("", id="line", markup=False)
        with Horizontal(id="buttons"):
            yield Button("Run  ctrl+g", id="go", compact=True)
            yield Button("Pull only", id="pull-only", compact=True)
            yield Button("Copy command  f3", id="copy", compact=True)
            yield Button("Cancel  esc", id="cancel", compact=True)

    def on_mount(self) -> None:
        self._show_more(any(self._lines[name].values[0] for name in MORE))
        name = self._begins or ("name" if self._lines["image"].values[0] else "image")
        self._lines[name].inputs[0].focus()
        self.call_after_refresh(self._show_beginnings)
        self.call_after_refresh(self._check)

    def _show_beginnings(self) -> None:
        """What stood in a field before it had a width was scrolled out of it."""
        for field in self.query(Input):
            field.scroll_to(0, 0, animate=False, immediate=True)

    def on_resize(self, event: events.Resize) -> None:
        self.query_one("#form").styles.max_height = max(4, event.size.height - ROOM)
        self.set_class(event.size.height < 30, "-compact")
        self.set_class(event.size.width < 72, "-slim")

    # what stands in it ----------------------------------------------------------------------------

    def fields(self) -> Fields:
        return Fields(
            **{name: line.values[0] for name, line in self._lines.items()},
            ports=tuple(PortRow(*values) for values in self._groups["ports"].values),
            env=tuple(value for (value,) in self._groups["env"].values),
            volumes=tuple(value for (value,) in self._groups["volumes"].values),
            detach=self._ticks["detach"].value,
            remove=self._ticks["remove"].value,
            pull=self._pull.value,
        )

    def _put(self, fields: Fields) -> None:
        for name, line in self._lines.items():
            line.values = (getattr(fields, name),)
        self._groups["ports"].fill([(row.host, row.container) for row in fields.ports])
        self._groups["env"].fill([(value,) for value in fields.env])
        self._groups["volumes"].fill([(value,) for value in fields.volumes])
        for name, tick in self._ticks.items():
            tick.value = getattr(fields, name)
        self._pull.value = fields.pull

    @property
    def _replaced(self) -> Container | None:
        tick = next(iter(self.query("#replace")), None)
        return self._again if isinstance(tick, Tick) and tick.value else None

    def _show_more(self, shown: bool) -> None:
        more = self.query_one("#more")
        more.display = shown
        if shown and not more.children:  # half of all fields: the form opens faster without them
            more.mount_all(self._lines[name] for name in MORE)
        names = "memory, cpus, user, workdir, hostname, restart, entrypoint…"
        self.query_one("#toggle-more", Button).label = f"More ▾ {names}" if shown else f"More ▸ {names}"

    # judging --------------------------------------------------------------------------------------

    def on_input_changed(self) -> None:
        self._sure = False
        self._check()

    def on_field_pasted(self, event: Field.Pasted) -> None:
        if event.field is self._image_field:
            self._take_line()

    def on_checkbox_changed(self) -> None:
        self._sure = False
        self._check()

    def on_radio_changed(self) -> None:
        self._sure = False
        self._check()

    def on_lines_changed(self) -> None:
        self._check()

    def paste(self, text: str) -> None:
        """As if it had been pasted into the first field."""
        self._image_field.post_message(events.Paste(text))

    @property
    def _image_field(self) -> Input:
        return self._lines["image"].inputs[0]

    def _take_line(self) -> bool:
        """Let a whole `docker run …` line fall into the fields; False if none stands in Image.

        One that is typed is whole at Enter: its first words would be an image already.
        """
        field = self._image_field
        if not run_line.is_run_line(field.value):
            return False
        if field.value.endswith("\\"):  # it goes on in the next line, from a terminal that sends a paste key by key
            field.replace(" ", len(field.value) - 1, len(field.value))
            return True
        try:
            fields, left_out = run_line.fields_of(field.value)
        except InvalidInput:
            self._refused = field.value
            self._check()  # which tells why
            return True
        notice = self.query_one("#left-out", Static)
        notice.display = bool(left_out)
        notice.update(f"! left out, not supported yet: {plain(', '.join(left_out))}")
        self._given = True
        self._put(fields)
        self._show_more(any(getattr(fields, name) for name in MORE))
        return True

    def _check(self) -> None:
        if self.is_mounted:
            self.app.behind(self, "checking the run form", self._judge)

    async def _sight(self) -> Sight:
        image = self._local(self._lines["image"].values[0])
        return Sight(await self.app.engine_ready(), self._world, image, self._replaced)

    async def _judge(self) -> None:
        sight = await self._sight()
        self._prefill(sight.image)
        fields = self.fields()
        untaken = run_line.is_run_line(fields.image)  # a line that is being typed, or has a mistake in it
        line = "" if untaken else run_line.line_of(fields)
        before = f"{command('rm', '-f', sight.replaced.name)} && " if sight.replaced else ""
        self.query_one("#line", Static).update(f"$ {before}{plain(line)}" if line else "")
        self._verdicts = await check(sight, fields)
        unread = untaken and fields.image == self._refused.strip()
        if untaken and not unread:  # what has no end yet is no mistake
            self._verdicts["image"] = Verdict(True, "Enter fills the form", neutral=True)
        for each in [*self._lines.values(), *(line for group in self._groups.values() for line in group.lines)]:
            each.say(self._verdicts.get(each.key))
        if unread or self._unread:
            notice = self.query_one("#left-out", Static)
            notice.display = self._unread = unread
            notice.update(f"✗ {self._verdicts['image'].words}" if unread else "")
        self._tell(Content.styled("last values; f4 clears  ", "$ph-muted") if self._remembered else Content(""))

    def _tell(self, before: Content) -> None:
        """In the lower edge: how many problems there are, the one that is nearest if it fits, what F2 would do."""
        frame, focused = self.query_one("#dialog"), self._focused_key()
        if self._sure:  # stands until something else is typed, also when a verdict comes late
            self.tell(Content.styled("changed: esc again throws it away", "$ph-warning"))
            return
        problems = [key for key, verdict in self._verdicts.items() if not verdict.good]
        problems.sort(key=lambda key: key != focused)
        keys = [focused, *problems] if focused in self._verdicts else problems
        mends = next((self._verdicts[key].mends for key in keys if self._verdicts[key].mends), "")
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        what = f": {problems[0].partition('.')[0]}: {self._verdicts[problems[0]].words}" if problems else ""
        after = Content.assemble((f"f2 {mends}  " if mends else "", "bold"), ("ctrl+g run  esc cancel", "$ph-muted"))
        room = frame.outer_size.width - 8 - before.cell_length - after.cell_length
        told = f"{count}{what}  " if len(count) + len(what) + 2 <= room else f"{count}  "
        self.tell(Content.assemble(before, (told if problems else "", "$ph-error bold"), after))

    def on_descendant_focus(self) -> None:
        if self._verdicts:
            self._tell(Content(""))

    def _focused_key(self) -> str:
        """The line that has the focus."""
        nodes = self.focused.ancestors_with_self if self.focused is not None else ()
        return next((node.key for node in nodes if isinstance(node, Line)), "")

    def _local(self, reference: str) -> Image | None:
        from engine.reference import parse

        if not reference:
            return None
        try:
            canonical = parse(reference).canonical
        except InvalidInput:
            return None
        bare = reference.removeprefix("sha256:")
        return next(
            (
                image
                for image in self._world.images
                if canonical in (*image.references, *image.digests)
                or (len(bare) >= 12 and image.id.removeprefix("sha256:").startswith(bare))
            ),
            None,
        )

    def _prefill(self, image: Image | None) -> None:
        """The values of its last run, if nothing else was given; else the ports it exposes, and hints."""
        name = image.id if image is not None else ""
        if name == self._prefilled_for:
            return
        self._prefilled_for = name
        ports = self._groups["ports"]
        kept = [values for values in ports.values if values[0]]
        if image is None:
            if not self._given:
                ports.fill(kept)  # what another image exposes
            return
        reference = self._lines["image"].values[0]
        untold = Fields(image=reference, env=("",), volumes=("",))
        untouched = replace(self.fields(), ports=()) == untold
        if not self._given and untouched and not kept and (remembered := run_memory.last(reference)):
            self._put(remembered)
            self._first = self.fields()
            self._remembered = _told(self._first) != untold
            kept = [values for values in ports.values if any(values)]
        elif self._given:
            kept = [values for values in ports.values if any(values)]
        config = image.config
        known = {container.removesuffix("/tcp") for _, container in kept}
        exposed = [port.removesuffix("/tcp") for port in config.exposed_ports]
        ports.fill([*kept, *(("", port) for port in exposed if port not in known)])
        for line in ports.lines:
            host, container = line.inputs
            if number := re.match(r"\d+", container.value):
                host.placeholder = f"host: {run_line.usual_host(int(number[0]))}"
        own = " ".join((*(config.entrypoint or ()), *(config.cmd or ())))
        self._lines["command"].inputs[0].placeholder = plain(own) or "the image names none: needed"
        if config.env:
            names = " ".join(variable.partition("=")[0] for variable in config.env)
            self._groups["env"].hold_out(f"the image sets {plain(names)}")
        if config.volumes:
            self._groups["volumes"].hold_out(f"declared: {plain(' '.join(config.volumes))}")

    # keys -----------------------------------------------------------------------------------------

    def action_row(self, step: int) -> None:
        """To what stands nearest in the next row; Tab goes from field to field."""
        if self.focused is None:
            return
        here = self.focused.region
        there = [widget for widget in self.focus_chain if (widget.region.y - here.y) * step > 0]
        if there:
            row = min((widget.region.y for widget in there), key=lambda y: abs(y - here.y))
            in_row = [widget for widget in there if widget.region.y == row]
            min(in_row, key=lambda widget: max(widget.region.x - here.x, here.x - widget.region.right + 1, 0)).focus()

    def on_input_submitted(self) -> None:
        self.action_go()

    def action_go(self) -> None:
        if self._take_line():  # what became of it is to be seen first
            return
        self.app.behind(self, "running a container", self._go)

    async def _go(self) -> None:
        await self._judge()
        for key, verdict in self._verdicts.items():
            if not verdict.good:
                self._focus(key)
                return
        fields, replaced = self.fields(), self._replaced
        options = run_line.options_of(fields)
        from engine.cli.options import command_line
        from tui.pulling import with_progress

        app, world, again, begun = self.app, self._world, self._again, time.monotonic()
        line = plain(command_line(options))
        if replaced is not None:
            line = f"{command('rm', '-f', replaced.name)} && {line}"

        def done(made: object) -> str:
            return f"started {plain(made.name)}" if isinstance(made, Container) else "started"

        def then(made: object) -> None:
            run_memory.keep(fields.image, fields)
            if isinstance(made, Container) and made.id in world.containers:
                if not app.operations.has_gone_on(begun):
                    app.dashboard.action_pane("containers")
                    app.dashboard.select(made.id)
                if not fields.detach:
                    from tui.shell.opening import open_main

                    app.behind(app, "attaching", open_main, app, made)

        def start() -> None:
            with_progress(
                app.operations,
                world,
                options.image,
                line,
                (lambda engine, progress: run_in_place(engine, replaced, options, progress))
                if replaced
                else (lambda engine, progress: engine.run(options, progress=progress)),
                done=done,
                then=then,
                again=start,
                edit=lambda: app.push_screen(RunForm(world, again=again, fields=fields, first="image")),
                over=app.pull_over,
            )

        start()
        self.dismiss(None)

    def _focus(self, key: str) -> None:
        """The field a verdict is about, unfolded if need be."""
        name, _, number = key.partition(".")
        if name in MORE:
            self._show_more(True)
        line = self._groups[name].lines[int(number)] if number else self._lines[name]
        self.call_after_refresh(line.inputs[0].focus)

    async def action_fix(self) -> None:
        """Mend the field with the focus, else the first problem that can be mended."""
        focused = self._focused_key()
        keys = [key for key in self._verdicts if key == focused and self._verdicts[key].mends]
        keys += [key for key, verdict in self._verdicts.items() if verdict.mends and not verdict.good]
        for key in keys[:1]:
            try:
                mended = await fix(await self._sight(), self.fields(), key)
            except EngineError as error:
                self.app.operations.say(plain(str(error)), failed=True)
                return
            if mended is not None:
                self._put(mended)
                self._check()

    def action_clear(self) -> None:
        """All but the image away, as if it had never been run."""
        image = self._lines["image"].values[0]
        self._put(Fields(image=image))
        self._given, self._remembered = True, False
        self._prefilled_for = ""
        self.query_one("#left-out").display = False
        self._check()

    def action_copy_line(self) -> None:
        if self._take_line():
            return
        self.app.copy(run_line.line_of(self.fields()))

    def on_button_pressed(self, event: Button.Pressed) -> None:
        actions = {
            "go": self.action_go,
            "copy": self.action_copy_line,
            "cancel": self.action_close,
            "pull-only": self._pull_only,
            "toggle-more": self._toggle_more,
        }
        actions[event.button.id or "cancel"]()

    def _toggle_more(self) -> None:
        self._show_more(not self.query_one("#more").display)

    def _pull_only(self) -> None:
        if self._take_line():
            return
        verdict = self._verdicts.get("image")
        if verdict is not None and not verdict.good:
            self._focus("image")
            return
        start = partial(self.app.start_pull, self._lines["image"].values[0])
        self.dismiss(None)
        start()

    def action_close(self) -> None:
        if self._sure or self._same():
            self.dismiss(None)
            return
        self._sure = True
        self._tell(Content(""))

    def _same(self) -> bool:
        """Whether the user has changed nothing."""
        return _told(self.fields()) == _told(self._first)


def _told(fields: Fields) -> Fields:
    """Without the ports that stand there only because the image exposes them."""
    return replace(fields, ports=tuple(row for row in fields.ports if row.host))
