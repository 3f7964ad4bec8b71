"""The progress of a pull: a row a layer at a terminal, Docker's plain lines anywhere else."""

from __future__ import annotations

import sys
from collections.abc import Callable

from engine.cli.drive import drive
from engine.cli.terminal import safe
from engine.cli.units import human_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

    from rich.progress import TaskID

    from engine.engine import Engine
    from engine.models import Image, Progress

# what Docker calls the steps
WORDS = {
    "waiting": "Waiting",
    "downloading": "Downloading",
    "verifying": "Verifying Checksum",
    "unpacking": "Extracting",
    "exists": "Already exists",
    "done": "Pull complete",
}


def pull(engine: Engine, image: str, *, platform: str = "", quiet: bool = False, to: TextIO | None = None) -> Image:
    """Pull an image and tell of it on `to` (default stdout) as `docker pull` does."""
    from engine.reference import parse

    out = to or sys.stdout
    reference = parse(image)
    if quiet:
        return drive(engine.pull(image, platform=platform))
    if to is None and not reference.digest and ":" not in image.rpartition("/")[2]:
        out.write(f"Using default tag: {reference.tag}\n")
    out.write(f"{safe(reference.tag or reference.digest)}: Pulling from {safe(_repository(reference))}\n")
    out.flush()
    before = _present(engine, image)
    if out.isatty():
        with _rows(out) as progress:
            pulled = drive(engine.pull(image, platform=platform, progress=progress))
    else:
        pulled = drive(engine.pull(image, platform=platform, progress=_lines(out)))
    if pulled.manifest_digest:
        out.write(f"Digest: {safe(pulled.manifest_digest)}\n")
    fresh = "Image is up to date" if before == pulled.id else "Downloaded newer image"
    out.write(f"Status: {fresh} for {safe(reference.familiar)}\n")
    out.flush()
    return pulled


def _repository(reference: object) -> str:
    """As Docker shows it: without the registry."""
    return str(getattr(reference, "repository", reference))


def _present(engine: Engine, image: str) -> str:
    from engine.errors import NotFound

    try:
        return drive(engine.image(image)).id
    except NotFound:
        return ""


def _short(digest: str) -> str:
    return safe(digest.partition(":")[2][:12] or digest[:12])


def _lines(out: TextIO) -> Callable[[Progress], None]:
    """One line for each step of each layer, as Docker prints them when nobody watches."""
    told: dict[str, set[str]] = {}

    def tell(layer: str, line: str, seen: set[str]) -> None:
        if line not in seen:
            seen.add(line)
            out.write(f"{layer}: {line}\n")

    def progress(step: Progress) -> None:
        if not step.digest:
            return
        layer, seen = _short(step.digest), told.setdefault(step.digest, set())
        if step.action != "exists":
            tell(layer, "Pulling fs layer", seen)
        if step.action == "done" or (step.action == "unpacking" and WORDS["verifying"] in seen):
            tell(layer, "Download complete", seen)
        if step.action in ("waiting", "verifying", "exists", "done"):
            tell(layer, WORDS[step.action], seen)
        out.flush()

    return progress


class _rows:
    """Rows that are redrawn in place: step, bar, bytes, rate, time left."""

    def __init__(self, out: TextIO) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self.display = Progress(
            TextColumn("{task.fields[layer]}"),
            TextColumn("{task.fields[step]:<18}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[amount]:>16}"),
            TextColumn("{task.fields[rate]:>10}"),
            TimeRemainingColumn(compact=True),
            console=Console(file=out),
            refresh_per_second=12,
        )
        self.tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Callable[[Progress], None]:
        self.display.start()
        return self.progress

    def __exit__(self, *failure: object) -> None:
        for task in self.tasks.values():
            self.display.update(task, rate="")
        self.display.stop()

    def progress(self, step: Progress) -> None:
        if not step.digest:
            return
        task = self.tasks.get(step.digest)
        if task is None:
            task = self.display.add_task(
                "", total=step.total or None, layer=_short(step.digest), step="", amount="", rate=""
            )
            self.tasks[step.digest] = task
        total: float | None = step.total or None
        current: float = step.current
        if step.action in ("done", "exists"):
            total = current = total or self.display.tasks[task].total or 1
        amount = f"{human_size(current)}/{human_size(total)}" if total and total > 1 else ""
        speed = self.display.tasks[task].speed
        rate = f"{human_size(speed)}/s" if speed and step.action == "downloading" else ""
        self.display.update(
            task, completed=current, total=total, step=WORDS.get(step.action, step.action), amount=amount, rate=rate
        )
