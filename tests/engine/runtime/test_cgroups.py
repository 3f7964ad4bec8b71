"""Control groups on this machine's kernel; where its v2 tree has no controllers, on a FakeV2Tree of plain files."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.errors import InvalidInput, Unsupported
from engine.runtime import cgroup_limits, cgroup_stats, cgroups, devices
from engine.runtime.cgroup_mounts import Mounts, host_mounts

NULL_ONLY = [
    {"allow": False, "access": "rwm"},
    {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "rwm"},
]


@pytest.fixture
def path() -> Iterator[str]:
    name = f"pilothouse-test-{secrets.token_hex(4)}/box"
    yield name
    cgroups.remove(name)
    assert not any(Path(directory).is_dir() for directory in host_mounts().directories(name.split("/")[0]))


@pytest.fixture
def child(path: str) -> Iterator[Callable[[str], subprocess.Popen[bytes]]]:
    """Starts Python code in the cgroup; it has the module `cgroups` and joined already."""
    started: list[subprocess.Popen[bytes]] = []

    def start(code: str) -> subprocess.Popen[bytes]:
        text = f"from engine.runtime import cgroups; import os; cgroups.join({path!r})\n{code}"
        started.append(subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, stdin=subprocess.PIPE))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_process_that_joins_is_in_every_hierarchy_and_is_killed_with_the_cgroup(path, child):
    cgroups.create(path, {})
    process = child("print('in', flush=True); input()")
    assert process.stdout.readline() == b"in\n"
    assert cgroups.pids(path) == [process.pid]
    joined = Path(f"/proc/{process.pid}/cgroup").read_text()
    assert joined.count(f"/{path}\n") == len(cgroups.find(path).directories)
    cgroups.kill(path)
    assert process.wait(5) == -signal.SIGKILL


def test_another_process_is_added_for_exec(path):
    cgroups.create(path, {})
    with subprocess.Popen(["sleep", "60"]) as process:
        cgroups.add(cgroups.find(path), process.pid)
        assert cgroups.pids(path) == [process.pid]
        cgroups.remove(path)
        assert process.wait(5) == -signal.SIGKILL


def test_limits_reach_the_kernel(path):
    cgroups.create(
        path,
        {
            "memory": {"limit": 64 << 20, "swap": 128 << 20},
            "cpu": {"quota": 50_000, "period": 100_000},
            "pids": {"limit": 20},
        },
    )
    assert cgroup_stats.read_stats(path)["memory_limit"] == 64 << 20
    pids = host_mounts().directory("pids", path)
    assert Path(f"{pids}/pids.max").read_text().strip() == "20"


def test_a_fork_bomb_ends_at_the_limit_of_processes_and_dies_whole(path, child):
    cgroups.create(path, {"pids": {"limit": 10}})
    process = child(
        "import time\n"
        "try:\n"
        "    while True:\n"
        "        if os.fork() == 0: time.sleep(60)\n"
        "except BlockingIOError: print('full', flush=True); time.sleep(60)"
    )
    assert process.stdout.readline() == b"full\n"
    assert len(cgroups.pids(path)) == 10
    cgroups.remove(path)
    assert process.wait(5) == -signal.SIGKILL


def test_memory_over_the_limit_is_an_oom_kill_that_is_told(path, child):
    cgroups.create(path, {"memory": {"limit": 32 << 20, "swap": 32 << 20}})
    assert cgroups.oom_kills(path) == 0
    assert child("x = bytearray(200 << 20)").wait(20) == -signal.SIGKILL
    assert cgroups.oom_kills(path) == 1


def test_freezing_holds_a_process_and_thawing_lets_it_go_on(path, child):
    cgroups.create(path, {})
    process = child("print('in', flush=True)\nfor line in os.sys.stdin: print('again', flush=True)")
    assert process.stdout.readline() == b"in\n"
    cgroups.freeze(path)
    assert cgroups.frozen(path)
    process.stdin.write(b"x\n")
    process.stdin.flush()
    os.set_blocking(process.stdout.fileno(), False)
    assert process.stdout.read() is None
    os.set_blocking(process.stdout.fileno(), True)
    cgroups.thaw(path)
    assert process.stdout.readline() == b"again\n"
    assert not cgroups.frozen(path)


def test_a_frozen_cgroup_can_be_killed(path, child):
    cgroups.create(path, {})
    process = child("print('in', flush=True); input()")
    process.stdout.readline()
    cgroups.freeze(path)
    cgroups.kill(path)
    assert process.wait(5) == -signal.SIGKILL


def test_only_the_devices_of_the_list_open(path, child):
    cgroups.create(path, {"devices": NULL_ONLY})
    process = child(
        "for name in ('null', 'zero', 'kmsg'):\n"
        "    try: os.open('/dev/' + name, os.O_RDONLY); print(name, 'opens')\n"
        "    except PermissionError: print(name, 'is refused')"
    )
    assert process.communicate()[0].split(b"\n")[:3] == [b"null opens", b"zero opens", b"kmsg is refused"]


def test_a_second_start_begins_with_fresh_counters(path, child):
    cgroups.create(path, {"memory": {"limit": 32 << 20, "swap": 32 << 20}})
    child("x = bytearray(200 << 20)").wait(20)
    assert cgroups.oom_kills(path) == 1
    cgroups.create(path, {})
    assert cgroups.oom_kills(path) == 0


def test_removing_what_is_not_there_is_no_error():
    cgroups.remove("pilothouse-test-none/box")


@pytest.mark.parametrize("path", ["", "/etc", "a/../b", "a//b"])
def test_a_path_that_leaves_the_tree_is_refused(path):
    with pytest.raises(InvalidInput):
        cgroups.create(path, {})


def test_a_value_the_kernel_refuses_leaves_nothing(path):
    with pytest.raises(InvalidInput, match="CPU limit"):
        cgroups.create(path, {"cpu": {"quota": 1, "period": 100_000}})
    assert not any(Path(directory).is_dir() for directory in host_mounts().directories(path))


def test_a_missing_controller_matters_only_when_it_is_asked_for(tmp_path):
    bare = Mounts({"freezer": str(tmp_path)}, "")
    cgroups.create("p/box", {}, bare)
    with pytest.raises(Unsupported, match="memory"):
        cgroups.create("p/box", {"memory": {"limit": 64 << 20}}, bare)


class FakeV2Tree:
    """A v2 tree of plain files, for the controllers that this machine has on v1."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "cgroup.controllers").write_text("cpu io memory pids\n")
        for directory in (root, root / "p", root / "p/box"):
            directory.mkdir(exist_ok=True)
            (directory / "cgroup.subtree_control").write_text("")
        for file in ("memory.max", "memory.swap.max", "cpu.max", "pids.max", "cgroup.procs"):
            (root / "p/box" / file).write_text("")
        self.mounts = Mounts({}, str(root))

    def write(self, file: str, text: str) -> None:
        (self.root / "p/box" / file).write_text(text)

    def read(self, file: str) -> str:
        return (self.root / "p/box" / file).read_text()


def test_on_v2_limits_are_written_in_its_own_units(tmp_path):
    tree = FakeV2Tree(tmp_path)
    assert tree.mounts.version == "2"
    resources = {"memory": {"limit": 100, "swap": 300}, "cpu": {"quota": 5, "period": 10}, "pids": {"limit": 7}}
    cgroups.create("p/box", resources, tree.mounts)
    assert [tree.read(f) for f in ("memory.max", "memory.swap.max", "cpu.max", "pids.max")] == [
        "100",
        "200",
        "5 10",
        "7",
    ]
    assert (tmp_path / "p/cgroup.subtree_control").read_text().startswith("+pids")  # the last of its writes


def test_on_v2_statistics_are_read_from_its_own_files(tmp_path):
    tree = FakeV2Tree(tmp_path)
    tree.write("cpu.stat", "usage_usec 2500000\nnr_throttled 3\n")
    tree.write("memory.current", "5000\n")
    tree.write("memory.max", "max\n")
    tree.write("memory.stat", "inactive_file 1000\n")
    tree.write("memory.events", "oom 2\noom_kill 1\n")
    tree.write("pids.current", "4\n")
    tree.write("io.stat", "8:0 rbytes=10 wbytes=20 rios=1 wios=1\n8:16 rbytes=1 wbytes=2\n")
    assert cgroup_stats.read_stats("p/box", tree.mounts) == {
        "cpu_seconds": 2.5,
        "memory": 4000,
        "memory_limit": cgroups.host_memory(),
        "pids": 4,
        "read": 11,
        "written": 22,
        "throttled_periods": 3,
        "oom_kills": 1,
    }


def test_swap_without_end_is_max_on_v2_and_minus_one_on_v1():
    resources = {"memory": {"limit": 100, "swap": -1}}
    assert [write.value for write in cgroup_limits.for_v2(resources)] == ["100", "max"]
    assert [write.value for write in cgroup_limits.for_v1(resources)] == ["100", "-1"]


def test_the_real_v2_tree_kills_freezes_and_restricts_devices(path):
    mounts = Mounts({}, host_mounts().v2)
    cgroups.create(path, {"devices": NULL_ONLY}, mounts)
    try:
        code = (
            "import os\nfor name in ('null', 'kmsg'):\n"
            "    try: os.open('/dev/' + name, os.O_RDONLY); print(name, 'opens', flush=True)\n"
            "    except PermissionError: print(name, 'is refused', flush=True)\ninput()"
        )
        enter = f"open('{mounts.v2}/{path}/cgroup.procs', 'w').write('0')\n"
        with subprocess.Popen(
            [sys.executable, "-c", enter + code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            assert process.stdout.readline() == b"null opens\n"
            assert process.stdout.readline() == b"kmsg is refused\n"
            cgroups.freeze(path, mounts)
            assert cgroups.frozen(path, mounts)
            cgroups.kill(path, mounts)
            assert process.wait(5) == -signal.SIGKILL
    finally:
        cgroups.remove(path, mounts)


def test_on_v2_a_process_joins_beside_the_main_one_where_the_container_has_divided_its_cgroup(path):
    """As systemd and Docker do in a privileged container: the kernel then takes no process at the top."""
    mounts = Mounts({}, host_mounts().v2)
    top = Path(cgroups.create(path, {}, mounts).unified)
    code = "import sys; from engine.runtime import cgroups; from engine.runtime.cgroup_mounts import Mounts\n"
    code += f"mounts = Mounts({{}}, {mounts.v2!r})\n"
    code += f"cgroups.join({path!r}, mounts, init=int(sys.argv[1])); print(open('/proc/self/cgroup').read())"

    def join(main: int) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-c", code, str(main)], capture_output=True, text=True)

    process = subprocess.Popen(["sleep", "60"])
    try:
        (top / "init").mkdir()
        (top / "init/cgroup.procs").write_text(str(process.pid))
        (top / "cgroup.subtree_control").write_text(f"+{mounts.v2_controllers[0]}")
        assert f"0::/{path}/init\n" in join(process.pid).stdout
        assert "Device or resource busy" in join(0).stderr
        assert "Device or resource busy" in join(os.getpid()).stderr, "one that is not the container's is no guide"
    finally:
        process.kill()
        process.wait()
        cgroups.remove(path, mounts)


def test_the_module_needs_nothing_heavy():
    code = "import sys; before = set(sys.modules); import engine.runtime.cgroups; print(set(sys.modules) - before)"
    loaded = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {name for name in ("dataclasses", "typing", "enum", "ctypes", "pathlib") if f"'{name}'" in loaded}
    assert devices.DEFAULT_NODES[0][0] == "/dev/null"
