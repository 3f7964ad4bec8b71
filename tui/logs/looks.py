"""The styles of the log viewer: which there are, what a theme makes of them, and the look that they give."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.style import Style

from tui.logs.layout import Look

if TYPE_CHECKING:
    from tui.logs.body import LogBody

_NAMES = tuple(f"logs--name-{number}" for number in range(1, 7))  # of merged containers, in turn
CLASSES = {
    "logs--time",
    "logs--stderr",
    "logs--fold",
    "logs--match",
    "logs--current",
    "logs--chosen",
    "logs--aside",
    "logs--sign",
    "logs--rule",
    "logs--bar",
    "logs--thumb",
    "logs--tick",
    *_NAMES,
}
CSS = """
LogBody {
    overflow: hidden hidden;
    height: 1fr;
    .logs--time { color: $text-muted; }
    .logs--stderr { color: $warning; }
    .logs--fold { color: $text-muted; text-style: italic; }
    .logs--match { background: $warning 40%; color: $text; text-style: underline; }
    .logs--current { background: $accent; color: $background; text-style: bold; }
    .logs--chosen { text-style: reverse; }
    .logs--aside { color: $text-muted; }
    .logs--sign { color: $accent; text-style: bold; }
    .logs--rule { color: $text-muted; text-style: bold; }
    .logs--bar { color: $surface-lighten-2; }
    .logs--thumb { color: $primary; }
    .logs--tick { color: $warning; text-style: bold; }
    .logs--name-1 { color: $text-primary; }
    .logs--name-2 { color: $text-success; }
    .logs--name-3 { color: $text-warning; }
    .logs--name-4 { color: $text-accent; }
    .logs--name-5 { color: $text-error; }
    .logs--name-6 { color: $text-secondary; }
}
"""


def look_of(body: LogBody, width: int) -> Look:
    """How a body lays out lines on `width` columns now."""

    def own(name: str) -> Style:
        return body.get_component_rich_style(name, partial=True)

    return Look(
        width=width,
        wrap=body.wrap,
        time_mode=body.time_mode,
        open_key=body.open_key,
        base=body.rich_style,
        time=own("logs--time"),
        stderr=own("logs--stderr"),
        fold=own("logs--fold"),
        match=own("logs--match"),
        current=own("logs--current"),
        chosen=own("logs--chosen"),
        aside=own("logs--aside"),
        sign=own("logs--sign"),
        rule=own("logs--rule"),
        colourless=body.app.no_color,
        names=tuple((name, own(_NAMES[at % len(_NAMES)])) for at, name in enumerate(body.names)),
    )
