"""One of a few words, on one line: `Pull: (•)missing ( )always`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widget import Widget


class Radio(Widget, can_focus=True):
    """Space, left and right choose; so does a click. Meant by sign, not by colour."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space,right", "step(1)", show=False),
        Binding("left", "step(-1)", show=False),
    ]

    class Changed(Message):
        pass

    def __init__(self, label: str, choices: Sequence[str], *, id: str) -> None:
        super().__init__(id=id)
        self._label = label
        self._choices = tuple(choices)
        self._value = self._choices[0]

    @property
    def value(self) -> str:
        return self._value

    @value.setter
    def value(self, value: str) -> None:
        if value in self._choices and value != self._value:
            self._value = value
            self.refresh()
            self.post_message(self.Changed())

    def _parts(self) -> list[tuple[str, str]]:
        return [(f"({'•' if choice == self._value else ' '}){choice}", choice) for choice in self._choices]

    def render(self) -> Content:
        return Content.assemble(f"{self._label} ", Content(" ").join(Content(text) for text, _ in self._parts()))

    def action_step(self, step: int) -> None:
        self.value = self._choices[(self._choices.index(self._value) + step) % len(self._choices)]

    def on_click(self, event: events.Click) -> None:
        x = len(self._label) + 1
        for text, choice in self._parts():
            if x <= event.x < x + len(text):
                self.value = choice
            x += len(text) + 1
