"""Lines of the run form: a label, one or two fields, what is to be said of them; groups of lines that grow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Button, Input, Label, Static

from tui.dialogs.run_checks import Verdict


class Field(Input):
    """Takes a paste of several lines whole: Textual's own keeps the first, and of a `docker run \\` only that."""

    @dataclass
    class Pasted(Message):
        """What stands in the field has come at once, and is whole."""

        field: Field

        @property
        def control(self) -> Field:
            return self.field

    def _on_paste(self, event: events.Paste) -> None:
        lines = event.text.replace("\r\n", "\n").replace("\r", "\n")  # terminals send Enter for the end of a line
        text = " ".join(lines.replace("\\\n", " ").split("\n")).strip()
        self.replace(text, *self.selection)
        self.post_message(self.Pasted(self))
        event.stop()
        event.prevent_default()

    def action_paste(self) -> None:
        super().action_paste()
        self.post_message(self.Pasted(self))


class Line(Horizontal):
    """`key` names it in verdicts: "image", "ports.1"."""

    def __init__(self, key: str, label: str, placeholders: Sequence[str], *, grows: bool = False) -> None:
        super().__init__(classes="field")
        self.key = key
        self._label = label
        self._grows = grows
        single = len(placeholders) == 1
        self.inputs = [
            Field(  # its looks are in dashboard.tcss: `compact`, a class that is set late, would style each twice
                placeholder=text,
                id=key.replace(".", "-") if single else None,
                classes="" if single else ("host", "container")[place],
            )
            for place, text in enumerate(placeholders)
        ]
        self.verdict = Static("", classes="says", markup=False)

    def compose(self) -> ComposeResult:
        yield Label(self._label)
        for place, field in enumerate(self.inputs):
            if place:
                yield Static("→", classes="arrow")
            yield field
        if self._grows:
            yield Button("+", classes="add", compact=True, tooltip="One more line")
        yield self.verdict

    @property
    def values(self) -> tuple[str, ...]:
        return tuple(field.value.strip() for field in self.inputs)

    @values.setter
    def values(self, values: Sequence[str]) -> None:
        for field, value in zip(self.inputs, values, strict=True):
            field.value = value

    def say(self, verdict: Verdict | None) -> None:
        words = verdict.words if verdict else ""
        bad = verdict is not None and not verdict.good
        good = verdict is not None and verdict.good and not verdict.neutral and bool(words)
        self.verdict.update(("✗ " if bad else "✓ " if good else "") + words)
        self.verdict.set_class(bad, "-bad")
        self.verdict.set_class(good, "-good")

    def focus_first(self) -> None:
        empty = next((field for field in self.inputs if not field.value), self.inputs[0])
        empty.focus()


class Lines(Vertical):
    """A group that grows: at least one line, and one more with `+`."""

    class Changed(Message):
        pass

    def __init__(self, name: str, label: str, placeholders: Sequence[str]) -> None:
        super().__init__(id=f"{name}-lines", classes="lines")
        self.group = name
        self._label = label
        self._placeholders = list(placeholders)
        self.lines = [self._line(0)]

    def compose(self) -> ComposeResult:
        yield from self.lines

    def _line(self, place: int) -> Line:
        return Line(f"{self.group}.{place}", "" if place else self._label, self._placeholders, grows=not place)

    @property
    def values(self) -> tuple[tuple[str, ...], ...]:
        """What stands in the lines, empty ones too: a verdict is for the line of its place."""
        return tuple(line.values for line in self.lines)

    def fill(self, values: Sequence[tuple[str, ...]]) -> None:
        """These values, a line for each, instead of all that is there."""
        wanted = list(values) or [("",) * len(self._placeholders)]
        for line in self.lines[len(wanted) :]:
            line.remove()
        del self.lines[len(wanted) :]
        while len(self.lines) < len(wanted):
            self._grow()
        for line, value in zip(self.lines, wanted, strict=True):
            line.values = value

    def hold_out(self, placeholder: str) -> None:
        """Another placeholder for the first line."""
        self.lines[0].inputs[0].placeholder = placeholder

    def _grow(self) -> Line:
        line = self._line(len(self.lines))
        self.lines.append(line)
        if self.is_mounted:
            self.mount(line)
        return line

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        line = next((line for line in self.lines if not any(line.values)), None) or self._grow()
        self.call_after_refresh(line.focus_first)
        self.post_message(self.Changed())
