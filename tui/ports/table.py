"""A table whose cells may be links of the terminal (OSC 8)."""

from __future__ import annotations

from rich.style import Style

from tui.widgets.table import Table

_LINK = " link="


def linked(tone: str, url: str) -> str:
    """The name of a tone that is also a link. `url` must be ours: made of numbers and addresses."""
    return f"{tone}{_LINK}{url}"


class LinkTable(Table):
    """Knows the tones that `linked` makes."""

    DEFAULT_CSS = ""

    def notify_style_update(self) -> None:
        self._links: dict[str, Style] = {}
        super().notify_style_update()

    def tone(self, name: str) -> Style:
        plain, link, url = name.partition(_LINK)
        if not link:
            return super().tone(name)
        links = self.__dict__.setdefault("_links", {})
        style: Style | None = links.get(name)
        if style is None:
            # one style for the same link: a new one gets a new id, and the line would be painted again
            style = links[name] = super().tone(plain) + Style(link=url)
        return style
