"""cgroup v2 in a container: its top holds processes, which stand in the way of what is below."""

from __future__ import annotations

import secrets
import subprocess
import sys
from pathlib import Path

from engine.runtime import cgroups
from engine.runtime.cgroup_mounts import Mounts, host_mounts


def test_on_v2_an_engine_in_a_container_moves_aside_who_is_at_the_top():
    """Else no limit could be had, and no process could enter a cgroup below one that is a threaded domain."""
    path = f"pilothouse-test-{secrets.token_hex(4)}/box"
    host = Mounts({}, host_mounts().v2)
    top = Path(cgroups.create(path, {}, host).unified)
    mounts = Mounts({}, str(top))
    assert mounts.v2_controllers
    around, inside = subprocess.Popen(["sleep", "60"]), subprocess.Popen(["sleep", "60"])
    try:
        for process in (around, inside):
            (top / "cgroup.procs").write_text(str(process.pid))
        box = cgroups.create("p/box", {}, mounts)
        cgroups.add(box, inside.pid)
        assert cgroups.pids("p/box", mounts) == [inside.pid]
        assert (top / "init/cgroup.procs").read_text() == f"{around.pid}\n"
        assert Path(box.unified, "cgroup.controllers").read_text().split()
        code = "from engine.runtime import cgroup_beside; from engine.runtime.cgroup_mounts import Mounts\n"
        code += f"mounts = Mounts({{}}, {str(top)!r})\n"
        code += "cgroup_beside.join('p', (), mounts); print(open('/proc/self/cgroup').read())\n"
        code += "cgroup_beside.leave('p', mounts)"
        assert "/p-beside\n" in subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
        assert not (top / "p-beside").exists()
    finally:
        for process in (around, inside):
            process.kill()
            process.wait()
        cgroups.remove(path, host)
    assert not top.parent.exists()
