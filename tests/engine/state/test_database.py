"""The database as several processes see it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from engine.state.schema import VERSION

BEGIN = """
import sys
from pathlib import Path
from engine.state.database import Database
sys.stdin.read()
print(Database(Path(sys.argv[1])).query("PRAGMA user_version")[0][0])
"""


def test_processes_that_begin_a_database_at_once_share_it(tmp_path: Path) -> None:
    for number in range(4):
        path = tmp_path / str(number) / "state.db"
        begun = [
            subprocess.Popen([sys.executable, "-c", BEGIN, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            for _ in range(6)
        ]
        for process in begun:
            assert process.stdin is not None
            process.stdin.close()
        assert [process.stdout.read() for process in begun if process.stdout] == [b"%d\n" % VERSION] * len(begun)
        assert [process.wait() for process in begun] == [0] * len(begun)
        assert not list(path.parent.glob("*.new"))
        assert path.stat().st_mode & 0o777 == 0o600
