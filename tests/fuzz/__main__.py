"""Coverage-guided fuzzing of one target: needs `pip install atheris` (Linux, CPython 3.11 to 3.13)."""

from __future__ import annotations

import sys


def main() -> None:
    import atheris

    with atheris.instrument_imports(include=["engine"]):
        from tests.fuzz.targets import TARGETS

    if len(sys.argv) < 2 or sys.argv[1] not in TARGETS:
        sys.exit(f"usage: python -m tests.fuzz {{{','.join(TARGETS)}}} [CORPUS] [-max_total_time=SECONDS]")
    atheris.Setup([sys.argv[0], *sys.argv[2:]], TARGETS[sys.argv[1]])
    atheris.Fuzz()


main()
