"""The file an unexpected error leaves behind, for whoever mends it."""

from __future__ import annotations


def write_report(error: BaseException, verb: str) -> str:
    """Write where the error came from and return the file's path; empty if no file could be written.

    What was typed stays out of it, except for the verb: arguments may hold passwords and tokens.
    """
    import os
    import platform
    import tempfile
    import traceback

    from engine import __version__

    text = "".join(traceback.format_exception(error))
    try:
        handle, path = tempfile.mkstemp(prefix="pilothouse-report-", suffix=".txt")
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"pilothouse {__version__}, Python {platform.python_version()}, {platform.platform()}\n")
            file.write(f"command: {verb or '(none)'}\n\n{text}")
    except OSError:
        return ""
    return path
