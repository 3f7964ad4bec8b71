"""What has to be taken back if the next step fails; contextlib.ExitStack costs the monitor an import of 2 ms."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Undo:
    """A with block that, when something is raised in it, runs what was registered, last first."""

    def __init__(self) -> None:
        self._steps: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []

    def add(self, step: Callable[..., Any], *arguments: Any) -> None:
        self._steps.append((step, arguments))

    def __enter__(self) -> Undo:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            for step, arguments in reversed(self._steps):
                step(*arguments)
