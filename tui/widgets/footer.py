"""The bottom row: the keys that work now, named for what they would do now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual import events
from textual.content import Content
from textual.keys import key_to_character
from textual.widget import Widget

from tui import keymap

if TYPE_CHECKING:
    from tui.app import Pilothouse

ALWAYS = ("app.help", "app.run", "app.find")  # these stay when the room is short, the first one longest
LEAST = 60  # cells: under this only the first stays


@dataclass(frozen=True, slots=True)
class Hint:
    """`id` is that of the table, or the key itself where a dialog tells of it."""

    key: str
    label: str
    action: str
    id: str


class Footer(Widget):
    """Follows the focus and the state; a click does what the key does."""

    app: Pilothouse

    def __init__(self) -> None:
        super().__init__(id="footer")
        self._shown: list[tuple[int, int, Hint]] = []

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, lambda _: self.refresh())

    def hints(self) -> list[Hint]:
        """What works now: what a dialog above says of itself, else what the bindings in force do."""
        above = self.app.screen
        if above is self.screen:
            return self._of_bindings()
        keys = getattr(above, "keys", lambda: [("escape", keymap.display("escape"), "close")])()
        return [Hint(shown, label[:1].upper() + label[1:], "", key) for key, shown, label in keys]

    def _of_bindings(self) -> list[Hint]:
        """In the order of the table: the focused pane's own first."""
        found: dict[str, Hint] = {}
        in_terminal = getattr(self.screen.focused, "takes_every_key", False)
        for key, (node, binding, enabled, _) in self.screen.active_bindings.items():
            entry = keymap.BY_ID.get(binding.id or "")
            if self._is_typed(key) or entry is None or not entry.footer or not enabled or entry.id in found:
                continue
            if in_terminal and entry.pane != "shell":
                continue  # the program gets it
            verb = getattr(node, "verb", None)
            label = verb(entry.id) if verb is not None else None
            if label == "":
                continue  # it would do nothing now
            label = label or entry.label
            shown = next((each for each in self.app.preferences.keys[entry.id] if not self._is_typed(each)), key)
            found[entry.id] = Hint(keymap.display(shown), label, binding.action, entry.id)
        return sorted(found.values(), key=lambda hint: keymap.ORDER[hint.id])

    def _is_typed(self, key: str) -> bool:
        """Whether the key would only be typed into the field that has the focus."""
        focused, shown = self.screen.focused, keymap.display(key)
        character = shown if len(shown) == 1 and shown.isascii() else key_to_character(key)  # which lacks the slash
        return focused is not None and focused.check_consume_key(key, character)

    def render(self) -> Content:
        hints = self.hints()
        width = self.size.width - 1
        keep = [hint for hint in hints if hint.id in (ALWAYS if self.size.width >= LEAST else ALWAYS[:1])]
        room = width - sum(_width(hint) for hint in keep)
        shown: list[Hint] = []
        for hint in hints:
            if hint in keep:
                shown.append(hint)
            elif _width(hint) <= room:
                room -= _width(hint)
                shown.append(hint)
        line, x = Content(" "), 1
        self._shown = []
        for hint in shown:
            self._shown.append((x, x + _width(hint), hint))
            line = Content.assemble(line, (hint.key, "$ph-primary bold"), f" {hint.label}  ")
            x += _width(hint)
        return line.truncate(self.size.width)

    def hint_at(self, x: int) -> Hint | None:
        return next((hint for start, end, hint in self._shown if start <= x < end), None)

    async def on_click(self, event: events.Click) -> None:
        if (hint := self.hint_at(event.x)) is not None:
            for node, binding, enabled, _ in self.screen.active_bindings.values():
                if binding.id == hint.id and enabled:
                    await self.app.run_action(binding.action, node)
                    return


def _width(hint: Hint) -> int:
    return len(hint.key) + len(hint.label) + 3
