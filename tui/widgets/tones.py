"""Named styles for widgets that draw line by line, looked up once per change of style and not once per cell."""

from __future__ import annotations

from typing import ClassVar

from rich.style import Style
from textual.scroll_view import ScrollView

TONES = ("good", "warn", "bad", "muted", "accent", "title")


class Toned(ScrollView):
    """`tone("good")` is the style of the component class `PREFIX--good`; "" is the widget's own."""

    PREFIX: ClassVar[str] = ""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._tones: dict[str, Style] = {}

    def notify_style_update(self) -> None:
        self._tones.clear()
        super().notify_style_update()

    def tone(self, name: str) -> Style:
        style = self._tones.get(name)
        if style is None:
            style = self.get_component_rich_style(f"{self.PREFIX}--{name}") if name else self.rich_style
            self._tones[name] = style
        return style
