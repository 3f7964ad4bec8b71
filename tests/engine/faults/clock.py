"""A clock that can be set: the time of day as our own processes read it, moved by the seconds that a file says.

`python -m tests.engine.faults.clock FILE WORD...` is a command line with such a clock; the monitors it starts have it.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path


def move(path: str) -> None:
    """From now on this process sees another time of day; a file that says `wild` moves it by an hour at each look."""
    real, looks = time.time, [0]

    def seconds() -> float:
        text = Path(path).read_text()
        looks[0] += 1
        return real() + (looks[0] * 3600.0 if text == "wild" else float(text))

    time.time = seconds
    time.time_ns = lambda: int(seconds() * 1e9)


def bootstrap(path: str, plain: str) -> str:
    """The first words of a monitor, `engine.runtime.spawn._BOOTSTRAP`, with such a clock in it."""
    here = f"sys.path.append({str(Path.cwd())!r}); from tests.engine.faults import clock; clock.move({path!r}); main()"
    return plain.replace("main()", here)


def main() -> int:
    from engine.cli.main import main as command
    from engine.runtime import spawn

    path, *words = sys.argv[1:]
    move(path)
    spawn._BOOTSTRAP = bootstrap(path, spawn._BOOTSTRAP)
    return command(words)


if __name__ == "__main__":
    sys.exit(main())
