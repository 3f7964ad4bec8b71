"""The row under the log in which one types: a search, a filter, a time, a file name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Input, Static

LABELS = {"search": "Search:", "filter": "Filter:", "time": "Go to time:", "save": "Save to:"}
REST = 0.08  # seconds after the last key until what is typed takes effect


class LogSwitch(Static):
    """A switch beside what is typed; a click turns it, and leaves the focus where it is."""

    def __init__(self, turn: Callable[[], None], classes: str) -> None:
        super().__init__("", classes=classes, markup=False)
        self._turn = turn

    def on_click(self, event: events.Click) -> None:
        event.stop()
        self._turn()


class LogPrompt(Vertical):
    """One row, shown while it is open, and one for a mistake. Search and filter take effect while they are typed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "history(-1)", "Earlier", show=False),
        Binding("down", "history(1)", "Later", show=False),
        Binding("escape", "leave", "Cancel", show=False),
    ]
    DEFAULT_CSS = """
    LogPrompt {
        height: auto;
        display: none;
        background: $panel;
        &.-open { display: block; }
        Horizontal { height: 1; }
        .logs--label { width: auto; padding: 0 1; text-style: bold; }
        Input { width: 1fr; height: 1; border: none; padding: 0; background: $surface; }
        .logs--found { width: auto; padding: 0 1; color: $text-muted; }
        .logs--error { height: auto; padding: 0 1; color: $error; text-style: bold; display: none; }
        &.-wrong .logs--error { display: block; }
        LogSwitch { width: auto; padding: 0 1 0 0; }
    }
    """

    @dataclass
    class Typed(Message):
        purpose: str
        text: str
        regex: bool
        ignore_case: bool | None

    @dataclass
    class Entered(Message):
        purpose: str
        text: str

    @dataclass
    class Left(Message):
        purpose: str

    def __init__(self, words: Callable[[str], str]) -> None:
        """:param words: puts the keys in force into a sentence."""
        super().__init__()
        self._words = words
        self.purpose = ""
        self._regex = True
        self._ignore_case: bool | None = None
        self._history: dict[str, list[str]] = {}
        self._place = 0
        self._rest: Timer | None = None
        self._sent = ""
        self._texts: dict[str, str] = {}  # what stands in the labels

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Static("", classes="logs--label", markup=False)
            yield Input(compact=True)
            yield Static("", classes="logs--found", markup=False)
            yield LogSwitch(self.turn_case, classes="logs--case")
            yield LogSwitch(self.turn_regex, classes="logs--regex")
        yield Static("", classes="logs--error", markup=False)

    @property
    def is_open(self) -> bool:
        return self.has_class("-open")

    @property
    def has_switches(self) -> bool:
        return self.is_open and self.purpose in ("search", "filter")

    @property
    def text(self) -> str:
        return self.query_one(Input).value

    def open(self, purpose: str, text: str = "") -> None:
        self.purpose = purpose
        self._place = len(self._history.get(purpose, []))
        self._set("label", LABELS[purpose])
        self.complain("")
        self._set("found", "")
        self._show_switches()
        self.add_class("-open")
        field = self.query_one(Input)
        with self.prevent(Input.Changed):
            field.value = text
        self._sent = text
        field.cursor_position = len(text)
        field.focus()

    def close(self) -> None:
        self._stop_rest()
        self.remove_class("-open")

    def complain(self, text: str) -> None:
        self._set("error", text)
        self.set_class(bool(text), "-wrong")

    def found(self, text: str) -> None:
        """How many matches there are, while searching."""
        if self.is_open and self.purpose == "search":
            self._set("found", text)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._stop_rest()
        if self.has_switches:
            self._rest = self.set_timer(REST, self._send)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._stop_rest()
        self._send()
        history = self._history.setdefault(self.purpose, [])
        if event.value and history[-1:] != [event.value]:
            history.append(event.value)
        self.post_message(self.Entered(self.purpose, event.value))

    def action_leave(self) -> None:
        purpose = self.purpose
        self.close()
        self.post_message(self.Left(purpose))

    def action_history(self, step: int) -> None:
        history = self._history.get(self.purpose, [])
        self._place = min(max(self._place + step, 0), len(history))
        field = self.query_one(Input)
        field.value = history[self._place] if self._place < len(history) else ""
        field.cursor_position = len(field.value)

    def turn_case(self) -> None:
        self._ignore_case = {None: False, False: True, True: None}[self._ignore_case]
        self._show_switches()
        self._send(again=True)

    def turn_regex(self) -> None:
        self._regex = not self._regex
        self._show_switches()
        self._send(again=True)

    def _send(self, *, again: bool = False) -> None:
        self._rest = None
        if self.purpose in ("search", "filter") and (again or self.text != self._sent):
            self._sent = self.text
            self.post_message(self.Typed(self.purpose, self.text, self._regex, self._ignore_case))

    def _stop_rest(self) -> None:
        if self._rest is not None:
            self._rest.stop()
            self._rest = None

    def _show_switches(self) -> None:
        used = self.purpose in ("search", "filter")
        case = {None: "[smart]", False: "[Aa]", True: "[aa]"}[self._ignore_case]
        self._set("case", self._words(f"{case} {{logs.case}} ") if used else "")
        self._set("regex", self._words(f"{'[.*]' if self._regex else '[text]'} {{logs.regex}}") if used else "")

    def _set(self, name: str, text: str) -> None:
        if self._texts.get(name, "") == text:
            return  # an update lays the whole screen out anew
        self._texts[name] = text
        self.query_one(f".logs--{name}", Static).update(text)
