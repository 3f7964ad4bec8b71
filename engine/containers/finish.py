"""The program that a monitor runs when its container is over: takes down what is left of it."""

from __future__ import annotations

import sys

from engine.errors import EngineError


def main() -> int:
    """Arguments of the process: root, run directory, container ID. Prints nothing unless it fails."""
    from engine.containers.lifecycle import finish
    from engine.settings import Settings
    from engine.state.database import Database

    root, run, container_id = sys.argv[1:]
    settings = Settings.load(root, run)
    database = Database(settings.database)
    try:
        finish(settings, database, container_id)
    except EngineError as error:
        print(f"pilothouse: {error}", file=sys.stderr)
        return error.exit_code
    finally:
        database.close()
    return 0
