"""What the tests of the log viewer share."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.runtime.logfile import LogWriter


@pytest.fixture
def log(tmp_path: Path) -> LogWriter:
    return LogWriter(str(tmp_path / "log"))
