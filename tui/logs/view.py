"""The log viewer: follows the log of a container, or several merged, and lets one find one's way in it."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.notifications import SeverityLevel

from engine.errors import EngineError
from engine.logs.sanitise import plain
from tui import keymap, phrases
from tui.logs.body import LogBody
from tui.logs.chips import CONTEXT, LevelChips
from tui.logs.choosing import LineChoice
from tui.logs.following import Following
from tui.logs.jumping import Jumping
from tui.logs.keys import LOG_KEYS
from tui.logs.layout import TIME_MODES
from tui.logs.merged import MOST, MergedSource, open_logs
from tui.logs.pool import POOL
from tui.logs.prompt import LogPrompt
from tui.logs.saving import file_name
from tui.logs.searching import Searched, Searching
from tui.logs.shown import Source
from tui.logs.status import StatusChanged
from tui.logs.taking import Taking
from tui.logs.times import EXAMPLES


class LogView(Vertical):
    """A container's log, or several merged by time.

    The app calls `show()` when another container is selected or the state of this one changes, `show_merged()` with
    the marked ones when `MergeWanted` comes, `clear()` when none is selected, and puts `StatusChanged.text` into its
    border. Focus the view with `focus_log()`.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(",".join(key.keys), key.action, key.label, show=key.footer, id=key.id, tooltip=key.help)
        for key in LOG_KEYS
    ]
    DEFAULT_CSS = """
    LogView { height: 1fr; width: 1fr; }
    """

    class MergeWanted(Message):
        """The logs of the marked containers are to be shown as one: answer with `show_merged`."""

        def __init__(self, view: LogView) -> None:
            super().__init__()
            self.view = view

    def __init__(
        self,
        *,
        keys: Mapping[str, tuple[str, ...]] | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        """:param keys: by the ids of the table, those in force; None: the table's own."""
        super().__init__(id=id, classes=classes)
        self._keys = keys or keymap.defaults()
        self.container_id = self.container_name = self._directory = self._ended = ""
        self.body, self.prompt = LogBody(self.words("{logs.open}")), LogPrompt(self.words)
        self._status: StatusChanged | None = None
        self._jump = False  # a match is to be gone to as soon as one is found
        self._following = Following(self)
        self._searching = Searching(self)
        self._jumping = Jumping(self)
        self._taking = Taking(self)

    def compose(self) -> ComposeResult:
        yield self.body
        yield LevelChips(self.words)
        yield self.prompt

    def words(self, template: str) -> str:
        """A sentence that names keys by their ids, with those in force."""
        return phrases.words(template, self._keys)

    def tell_shortly(self, sentence: str, *, severity: SeverityLevel = "information", timeout: float = 4) -> None:
        """A toast. What was searched for may stand in it, with all its brackets: it is no markup."""
        self.notify(sentence, severity=severity, timeout=timeout, markup=False)

    def warn(self, template: str) -> None:
        self.tell_shortly(self.words(template), severity="warning")

    @property
    def is_live(self) -> bool:
        """Not while it is taken away: what timers and threads bring then is dropped."""
        return self.source is not None and self.body.is_attached

    @property
    def source(self) -> Source | None:
        return self._following.source

    @cached_property
    def choice(self) -> LineChoice:
        return LineChoice(self.body)

    @property
    def merged(self) -> bool:
        return isinstance(self.source, MergedSource)

    def on_unmount(self) -> None:
        self._following.close()
        threading.Thread(target=POOL.close).start()  # as soon as the search that runs has noticed

    # the app's side -------------------------------------------------------------------------------
    def show(self, container_id: str, name: str, directory: str, ended: str = "") -> None:
        """Show the log in `directory`; `ended` says how the container ended ("exit 0"), empty while it can write.

        Called again for the same container it only takes note of the name and the end; merged logs stay merged.
        """
        self.container_name, self._ended = name, ended
        if self.source is not None and (container_id, directory) == (self.container_id, self._directory):
            self._following.take_news()
            self._following.find_runs()
            return
        self.container_id, self._directory = container_id, directory
        self._open([(container_id, name, directory)])

    def show_merged(self, containers: Sequence[tuple[str, str, str]]) -> None:
        """Show the logs of these (id, name, directory) as one, by time, each line with the name of its container."""
        if len(containers) < 2:
            self.warn("Mark two or more containers first: {list.mark}, in the list")
            return
        if len(containers) > MOST:
            self.warn(f"{MOST} logs can be merged at most")
            return
        self._open(containers)

    def _open(self, logs: Sequence[tuple[str, str, str]]) -> None:
        self._following.close()
        self._searching.reset()
        self.choice.forget()
        self.prompt.close()
        self._show_chips()
        try:
            source = open_logs([directory for _, _, directory in logs])
        except EngineError as error:
            self.body.open(None, f"{error} ({error.hint})" if error.hint else str(error))
            self.tell()
            return
        names: tuple[str, ...] = ()
        if len(logs) > 1:
            shown = [plain(name.encode()) for _, name, _ in logs]
            names = tuple(name.ljust(max(map(len, shown))) for name in shown)
        self._following.open(source, names, [id for id, _, _ in logs])
        self.tell()

    def clear(self, note: str = "") -> None:
        """Show no log; `note` says why."""
        self._following.close()
        self.container_id = self.container_name = self._directory = self._ended = ""
        self._searching.reset()
        self.choice.forget()
        self.body.open(None, note)
        if self.prompt.is_open:
            self._leave_prompt()
        self._show_chips()
        self.tell()

    def focus_log(self) -> None:
        self.body.focus()

    def empty_note(self) -> str:
        """What stands in place of lines."""
        if self.source is None or self.source.length:
            return ""
        who = "None of them" if self.merged else plain(self.container_name.encode())
        return f"{who} has written nothing" + ("" if self._ended else " yet")

    # status ---------------------------------------------------------------------------------------
    def tell(self) -> None:
        """Post how it stands, if that changed."""
        source, body, searching = self.source, self.body, self._searching
        matches = searching.matches()
        status = StatusChanged(
            view=self,
            mode=self._mode(),
            new=0 if body.following else self._following.new,
            lines=self._following.line_count,
            bytes=source.length if source is not None else 0,
            matches=matches,
            filter=searching.filter_words(),
            time_mode=body.time_mode,
            wrap=body.wrap,
            stream=searching.stream,
            run=body.lines.separators.run_at(None if body.following else body.top_position),
            merged=len(source.parts) if isinstance(source, MergedSource) else 0,
        )
        self.prompt.found(matches)
        self._following.pace()
        if status != self._status:
            self._status = status
            self.post_message(status)
            self.refresh_bindings()

    def _mode(self) -> str:
        if self.source is None:
            return ""
        if self.choice.active:
            return f"SELECT {self.choice.words}"
        if not self.body.following:
            return "PAUSED"
        return f"ENDED ({self._ended})" if self._ended and not self.merged else "FOLLOW"

    def on_log_body_moved(self, message: LogBody.Moved) -> None:
        message.stop()
        self._following.note_seen()
        self.tell()

    def on_log_view_searched(self, message: Searched) -> None:
        message.stop()
        if not self.is_live:
            return
        if message.over:  # what was written meanwhile waits to be searched, and nothing else may come
            self._searching.go_on()
        lines = self.body.lines
        if lines.filter is not None or lines.search is not None:
            self.body.found_more()
        if self._jump and lines.search is not None and lines.search.count:
            self._jump = False
            self._jumping.to_a_match()
        self.tell()

    def search_on(self) -> None:
        """There is more to be searched."""
        self._searching.go_on()

    # moving ---------------------------------------------------------------------------------------
    def action_follow(self) -> None:
        if self.choice.active:
            self.choice.to_end(1)
            self.tell()
        else:
            self.body.follow()

    def action_move(self, delta: int) -> None:
        self._move(delta, self.body.move, delta)

    def action_page(self, direction: int) -> None:
        self._move(direction * max(self.body.size.height - 1, 1), self.body.page, direction)

    def _move(self, lines: int, scroll: object, amount: int) -> None:
        if self.choice.active:
            self.choice.move(lines)
            self.tell()
        else:
            scroll(amount)  # type: ignore[operator]

    def action_first(self) -> None:
        if self.choice.active:
            self.choice.to_end(-1)
            self.tell()
        else:
            self.body.first()

    def action_sideways(self, delta: int) -> None:
        self.body.sideways(delta)

    def action_next_match(self, direction: int) -> None:
        self._jumping.to_match(direction)

    def action_run(self, direction: int) -> None:
        self._jumping.to_run(direction)

    def action_mark(self) -> None:
        self._jumping.mark()

    def action_next_mark(self) -> None:
        self._jumping.to_mark()

    # how it is shown ------------------------------------------------------------------------------
    def action_wrap(self) -> None:
        self.body.toggle_wrap()
        self.tell()

    def action_time_mode(self) -> None:
        self.body.time_mode = TIME_MODES[(TIME_MODES.index(self.body.time_mode) + 1) % len(TIME_MODES)]
        self.body.changed(everything=True)
        self.tell()

    def action_streams(self) -> None:
        self._searching.next_stream()

    def action_level(self, level: str) -> None:
        self._searching.toggle_level(level)
        self._show_chips()

    def on_level_chips_pressed(self, message: LevelChips.Pressed) -> None:
        message.stop()
        if message.level == CONTEXT:
            self.action_context()
        else:
            self.action_level(message.level)

    def action_context(self) -> None:
        if self.body.lines.filter is None and not self.prompt.is_open:
            self.warn("Nothing is filtered: press {logs.filter} or choose levels first")
            return
        self._searching.next_context()
        self._show_chips()

    def _show_chips(self) -> None:
        levels, context = self._searching.levels, self.body.lines.context
        open = self.prompt.is_open and self.prompt.purpose == "filter"
        self.query_one(LevelChips).show(levels, context, visible=open or bool(levels) or context > 0)

    def action_open_line(self) -> None:
        if self.choice.active:
            self.action_copy()
            return
        line, lines = self._jumping.to_open(), self.body.lines
        if line is not None:
            lines.opened ^= {line.position}
            lines.pointed = line.position
            self.body.show_line(line.position)
            self.tell()

    def action_merge(self) -> None:
        if self.merged:
            self._open([(self.container_id, self.container_name, self._directory)])
        else:
            self.post_message(self.MergeWanted(self))

    # the row below --------------------------------------------------------------------------------
    def action_search(self) -> None:
        self._ask("search")

    def action_filter(self) -> None:
        self._ask("filter", ("!" if self._searching.hides else "") + self._searching.filter_text)

    def action_case(self) -> None:
        self.prompt.turn_case()

    def action_regex(self) -> None:
        self.prompt.turn_regex()

    def action_goto(self) -> None:
        self._ask("time")

    def action_save(self) -> None:
        self._ask("save", file_name(self.container_name))

    def _ask(self, purpose: str, text: str = "") -> None:
        if purpose in ("search", "filter"):
            self._searching.prepare()
        self.prompt.open(purpose, text)
        self._show_chips()

    def action_clear(self) -> None:
        if self.prompt.is_open:
            self.prompt.close()
            self.focus_log()
        elif self.choice.active:
            self.choice.end()
        elif self.body.lines.search is not None:
            self._searching.search_for("")
        else:
            self._searching.reset()
            self._searching.apply_filter()
        self._show_chips()
        self.tell()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Escape is ours only while there is something to clear: otherwise it goes back, as everywhere."""
        if action in ("case", "regex"):
            return self.prompt.has_switches
        if action == "clear":
            lines = self.body.lines
            return self.prompt.is_open or self.choice.active or bool(lines.search or lines.filter)
        return True

    def verb(self, key: str) -> str | None:
        """What a key does now, for the footer: None if that is what the table says, empty if nothing."""
        if self.choice.active and key.startswith("logs."):
            return {"logs.open": "Copy", "logs.select": "Leave", "logs.copy": None}.get(key, "")
        if key in ("logs.next", "logs.previous") and self.body.lines.search is None:
            return ""
        return None

    def on_log_prompt_typed(self, message: LogPrompt.Typed) -> None:
        message.stop()
        if message.purpose == "search":
            self._searching.search_for(message.text, message.regex, message.ignore_case)
        elif message.purpose == "filter":
            self._searching.filter_for(message.text, message.regex, message.ignore_case)

    def on_log_prompt_entered(self, message: LogPrompt.Entered) -> None:
        message.stop()
        if message.purpose == "save":
            self._taking.save(message.text)
        elif message.purpose == "time" and not self._jumping.to_time(message.text):
            self.prompt.complain(f"a time: {EXAMPLES}")
            return
        elif message.purpose == "search":
            search = self.body.lines.search
            self._jump = search is not None and not search.count
            self._jumping.to_a_match()
        self._leave_prompt()

    def on_log_prompt_left(self, message: LogPrompt.Left) -> None:
        message.stop()
        if message.purpose == "search":
            self._searching.search_for("")
        elif message.purpose == "filter":
            self._searching.filter_for("")
        self._leave_prompt()

    def _leave_prompt(self) -> None:
        self.prompt.close()
        self._show_chips()
        self.focus_log()

    # copying and saving ---------------------------------------------------------------------------
    def action_select(self) -> None:
        if self.choice.active:
            self.choice.end()
        else:
            line = self._jumping.in_hand()
            if line is not None:
                self.choice.begin(line)
        self.tell()

    def action_copy(self) -> None:
        self._taking.copy(self.choice)
        self.tell()
