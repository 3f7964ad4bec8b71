"""A flame graph of one command of ours: where its wall time goes, as an SVG that any browser shows."""

from __future__ import annotations

import html
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

SAMPLER = """
import sys, threading, time
sys.setswitchinterval(0.0002)
main, stacks, over = threading.get_ident(), {}, []
def sample():
    while not over:
        time.sleep(0.0005)
        frame, names = sys._current_frames().get(main), []
        while frame is not None:
            code = frame.f_code
            names.append(f"{frame.f_globals.get('__name__', '?')}.{code.co_qualname}")
            frame = frame.f_back
        key = ";".join(reversed(names))
        stacks[key] = stacks.get(key, 0) + 1
thread = threading.Thread(target=sample); thread.start()
from engine.cli.main import main as command
try:
    command(sys.argv[2:])
finally:
    over.append(1); thread.join()
    with open(sys.argv[1], "a") as file:
        file.writelines(f"{key} {count}\\n" for key, count in stacks.items())
"""
WIDTH, HEIGHT = 1200, 17  # pixels of the picture, and of one frame


def draw(words: list[str], path: Path, environment: dict[str, str], rounds: int = 20) -> None:
    """Run the command `rounds` times under a sampler, and draw what was seen."""
    with tempfile.NamedTemporaryFile("r") as file:
        for _ in range(rounds):
            subprocess.run(
                [sys.executable, "-c", SAMPLER, file.name, *words],
                env=os.environ | environment,
                stdout=subprocess.DEVNULL,
                check=True,
            )
        stacks: Counter[tuple[str, ...]] = Counter()
        for line in file.read().splitlines():
            names, _, count = line.rpartition(" ")
            shown = [name for name in names.split(";") if "importlib._bootstrap" not in name]
            stacks[tuple(shown)] += int(count)
    path.write_text(_svg(stacks, f"{' '.join(words)}, {rounds} runs"))


def _svg(stacks: Counter[tuple[str, ...]], title: str) -> str:
    total = sum(stacks.values()) or 1
    depth = max((len(stack) for stack in stacks), default=0)
    boxes = [f'<text x="4" y="13">{html.escape(title)}: {total} samples</text>']

    def level(part: list[tuple[tuple[str, ...], int]], at: int, left: float) -> None:
        groups: dict[str, list[tuple[tuple[str, ...], int]]] = {}
        for stack, count in part:
            if len(stack) > at:
                groups.setdefault(stack[at], []).append((stack, count))
        for name, inside in sorted(groups.items()):
            share = sum(count for _, count in inside)
            width = share / total * WIDTH
            if width >= 0.5:
                top = (at + 1) * HEIGHT
                label = html.escape(name)
                colour = f"hsl({sum(map(ord, name)) % 55},80%,65%)"
                shown = html.escape(name.rpartition("engine.")[2][: int(width / 6.5)]) if width > 20 else ""
                boxes.append(
                    f"<g><title>{label} {share / total:.1%}</title>"
                    f'<rect x="{left:.1f}" y="{top}" width="{width:.1f}" height="{HEIGHT - 1}" fill="{colour}"/>'
                    f'<text x="{left + 2:.1f}" y="{top + 12}">{shown}</text></g>'
                )
            level(inside, at + 1, left)
            left += width

    level(list(stacks.items()), 0, 0.0)
    size = f'width="{WIDTH}" height="{(depth + 2) * HEIGHT}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="monospace" font-size="11">'
    return "\n".join([head, *boxes, "</svg>"]) + "\n"
