"""Loading an archive in the background."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.format import plural
from tui.operations import Operations, command
from tui.sanitize import plain

if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.models import Loaded

TOLD = 3  # names in the sentence at the end


def start_load(operations: Operations, path: str) -> None:
    """Load every image of an archive; what fails leaves nothing, and neither does a dashboard that is closed."""

    async def work(engine: Engine) -> list[Loaded]:
        return await engine.load(path)

    operations.run(command("load", "-i", path), work, done=said)


def said(result: object) -> str:
    """What was loaded, in a sentence."""
    loaded: list[Loaded] = list(result) if isinstance(result, list) else []
    names = [plain(one.reference) or f"an image without a name, {one.image_id[7:19]}" for one in loaded]
    more = [plural(len(names) - TOLD, "other")] if len(names) > TOLD else []
    return f"loaded {', '.join((*names[:TOLD], *more))}"
