"""Limits contain what runs into them, and it is told."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from engine.runtime.logfile import MAX_FILES, MAX_SIZE
from engine.settings import Settings
from tests.conftest import PYTHON, Command

pytestmark = pytest.mark.usefixtures("python_image")


def test_memory_over_the_limit_ends_with_137_and_is_told(pilothouse: Command) -> None:
    words = ("-m", "24m", "--memory-swap", "24m", PYTHON, "python3", "-c", "x = [b'x' * (1 << 20) for _ in range(99)]")
    assert pilothouse("run", "--name", "hungry", *words).returncode == 137
    (told,) = json.loads(pilothouse("inspect", "hungry").stdout)
    assert (told["State"]["OOMKilled"], told["State"]["ExitCode"]) == (True, 137)
    assert b" oom " in pilothouse("events", "--since", "1m", "--until", "0s").stdout


def test_a_fork_bomb_ends_at_the_limit_and_goes_with_its_container(pilothouse: Command) -> None:
    bomb = "import os, time\ntry:\n  while True: os.fork()\nexcept OSError: print('full', flush=True); time.sleep(60)"
    pilothouse("run", "-d", "--name", "bomb", "--pids-limit", "50", PYTHON, "python3", "-c", bomb)
    deadline = time.monotonic() + 20
    while pilothouse("logs", "bomb").stdout.count(b"full") < 10:
        assert time.monotonic() < deadline
    count = pilothouse("stats", "--no-stream", "--format", "{{.PIDs}}", "bomb").stdout
    assert int(count) <= 50
    begun = time.monotonic()
    assert pilothouse("rm", "-f", "bomb").returncode == 0
    assert time.monotonic() - begun < 10


def test_a_busy_loop_gets_its_share_of_the_processor(pilothouse: Command) -> None:
    """What it got, and, where a loaded machine would have given it no more anyway, what the kernel holds it to."""
    busy = "import time; b = time.process_time(); e = time.monotonic() + 1.5\nwhile time.monotonic() < e: pass\n"
    busy += "print(time.process_time() - b)\n"
    busy += "import os; top = '/sys/fs/cgroup/'; v2 = top + 'cpu.max'\n"
    busy += "names = [v2] if os.path.exists(v2) else [top + 'cpu/cpu.cfs_' + n + '_us' for n in ('quota', 'period')]\n"
    busy += "print(' '.join(open(name).read().strip() for name in names))"
    used, held = pilothouse("run", "--rm", "--cpus", "0.2", PYTHON, "python3", "-c", busy).stdout.splitlines()
    assert float(used) < 0.2 * 1.5 + 0.15
    assert held == b"20000 100000"


def test_descriptors_and_shared_memory_are_limited(pilothouse: Command) -> None:
    many = "import os\ntry:\n  while True: n = os.dup(0)\nexcept OSError as e: print(e.errno, n)"
    shown = pilothouse("run", "--rm", "--ulimit", "nofile=20:30", PYTHON, "python3", "-c", many).stdout
    assert shown == b"24 19\n"
    fill = "n = 0\nwith open('/dev/shm/x', 'wb', 0) as f:\n  try:\n    while True: n += f.write(bytes(4096))\n"
    fill += "  except OSError as e: print(e.errno, n)"
    shown = pilothouse("run", "--rm", "--shm-size", "1m", PYTHON, "python3", "-c", fill).stdout
    assert shown == f"28 {1 << 20}\n".encode()


def test_a_log_never_grows_over_its_limit(settings: Settings, pilothouse: Command) -> None:
    lines = (MAX_SIZE * (MAX_FILES + 1)) // (1000 + 46)
    flood = f"import sys\nfor n in range({lines}): sys.stdout.write(f'{{n:0999d}}\\n')"
    pilothouse("run", "--name", "flood", "-a", "stderr", PYTHON, "python3", "-c", flood, timeout=120)
    (container,) = settings.containers.iterdir()
    size = sum(path.stat().st_size for path in Path(container, "log").iterdir())
    assert size <= MAX_SIZE * MAX_FILES
    assert pilothouse("logs", "--tail", "1", "flood").stdout == f"{lines - 1:0999d}\n".encode()
