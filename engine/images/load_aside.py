"""Loading an archive in a process of its own, for front ends with an event loop: unpacking in a thread holds that up.

The process says what it does in lines of JSON. It dies with who started it, and what it leaves is what a killed `load`
leaves: garbage, for the next collection.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING

from engine.errors import EngineError, StoreError
from engine.linux.processes import see_off
from engine.models import Loaded, Progress

if TYPE_CHECKING:
    from engine.settings import Settings

_LONGEST = 16 << 20  # bytes of a line: the names of all images of an archive


async def load_aside(
    settings: Settings, path: str, *, platform: str = "", progress: Callable[[Progress], None] | None = None
) -> list[Loaded]:
    """As `load.load`, with `progress` called on the event loop. One that is cancelled is killed."""
    from engine.images.workers import KEEP_MEMORY, isolated, told_error

    process = await asyncio.create_subprocess_exec(
        *isolated(__name__, str(settings.root), str(settings.run), os.path.abspath(path), platform),
        env=os.environ | KEEP_MEMORY,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        process_group=0,  # ctrl-C is for whoever started it
        limit=_LONGEST,
    )
    assert process.stdout is not None
    try:
        async for line in process.stdout:
            said = json.loads(line)
            if "loaded" in said:
                return [Loaded(*one) for one in said["loaded"]]
            if "error" in said:
                raise told_error(said)
            if progress is not None:
                progress(Progress(*said["progress"]))
        raise StoreError("the process that loads the archive has died", hint="load it again")
    finally:
        await see_off(process)


def main(root: str, run: str, path: str, platform: str) -> None:
    """The process."""
    from engine.images.load import load
    from engine.settings import Settings
    from engine.state.database import Database

    def tell(**said: object) -> None:
        print(json.dumps(said), flush=True)

    def heard(step: Progress) -> None:
        tell(progress=[step.reference, step.digest, step.action, step.current, step.total])

    settings = Settings.load(root, run)
    database = Database(settings.database)
    try:
        loaded = load(settings, database, path, platform=platform, progress=heard)
    except EngineError as error:
        tell(error=type(error).__name__, message=error.message, hint=error.hint)
    except Exception as error:  # told by who started it, as everything nobody foresaw
        tell(error="EngineError", message=f"{type(error).__name__}: {error}", hint="")
    else:
        tell(loaded=[[one.image_id, one.reference, one.replaced] for one in loaded])
    finally:
        database.close()
