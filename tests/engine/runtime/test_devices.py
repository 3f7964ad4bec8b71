"""Device rules are read as cgroup v1 reads them, and mean the same on v2."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.linux import bpf, mounts
from engine.runtime import devices

DENY_ALL = {"allow": False, "access": "rwm"}


def test_a_rule_for_everything_forgets_what_came_before():
    policy = devices.policy([{"allow": True, "type": "c", "major": 9, "minor": 9, "access": "r"}, DENY_ALL])
    assert not policy.allow
    assert ("c", 9, 9) not in policy.exceptions


def test_exceptions_of_one_device_add_up_and_are_taken_back():
    rule = {"type": "c", "major": 9, "minor": 9}
    policy = devices.policy(
        [
            DENY_ALL,
            {"allow": True, "access": "r", **rule},
            {"allow": True, "access": "w", **rule},
            {"allow": False, "access": "r", **rule},
        ]
    )
    assert policy.exceptions["c", 9, 9] == {"w"}


def test_the_default_devices_are_always_there():
    policy = devices.policy([DENY_ALL])
    assert policy.exceptions["c", 1, 3] == {"r", "w", "m"}
    assert policy.exceptions["b", -1, -1] == {"m"}


def test_a_privileged_container_needs_no_exception():
    assert devices.policy([{"allow": True, "access": "rwm"}]).exceptions == {}


@pytest.mark.parametrize(
    "rules",
    [
        [DENY_ALL],
        [DENY_ALL, {"allow": True, "type": "b", "major": 8, "minor": 1, "access": "r"}],
        [{"allow": True, "type": "a"}, {"allow": False, "type": "c", "major": 10, "access": "w"}],
    ],
)
def test_the_kernel_accepts_the_program_of_a_policy(rules):
    os.close(bpf.load(bpf.PROG_TYPE_CGROUP_DEVICE, devices.assemble(devices.policy(rules))))


def test_the_verifiers_words_are_told_when_it_refuses_a_program():
    with pytest.raises(OSError, match=r"Invalid|denied") as refused:
        bpf.load(bpf.PROG_TYPE_CGROUP_DEVICE, bpf.instruction(bpf.EXIT))
    assert "R0" in str(refused.value) or "processed" in str(refused.value)


@pytest.fixture
def v2_cgroup() -> Iterator[str]:
    """A cgroup in the kernel's v2 tree, which can be mounted wherever another version is in use."""
    tree = mounts.new_filesystem("cgroup2", [])
    directory = Path(f"/proc/self/fd/{tree}/pilothouse-test-{os.getpid()}")
    directory.mkdir()
    yield str(directory)
    directory.rmdir()
    os.close(tree)


# enters the cgroup by the descriptor it was started with, then opens each node; what came of it, one a line
OPENER = """
import errno, os, sys
with open(sys.argv[1] + "/cgroup.procs", "w") as file:
    file.write("0")
for name, flags in zip(sys.argv[2::2], sys.argv[3::2]):
    try:
        os.close(os.open(name, int(flags) | os.O_NONBLOCK | os.O_NOCTTY))
        print("opened")
    except OSError as error:
        print(errno.errorcode[error.errno])
"""


def opened_in(cgroup: str, *nodes: tuple[str, int]) -> list[str]:
    """Open nodes from a process in the cgroup."""
    tree = int(cgroup.split("/")[4])
    words = [str(word) for node in nodes for word in node]
    command = [sys.executable, "-I", "-S", "-c", OPENER, cgroup, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True, pass_fds=[tree]).stdout.split()


def test_on_v2_the_kernel_refuses_what_is_not_listed(v2_cgroup: str, tmp_path: Path) -> None:
    for name, kind, major, minor in (("kmsg", stat.S_IFCHR, 1, 11), ("disk", stat.S_IFBLK, 8, 0)):
        os.mknod(tmp_path / name, kind | 0o666, os.makedev(major, minor))
    kmsg, disk = str(tmp_path / "kmsg"), str(tmp_path / "disk")
    tried = [("/dev/null", os.O_RDWR), ("/dev/zero", os.O_RDONLY), (kmsg, os.O_RDONLY), (disk, os.O_RDONLY)]
    assert opened_in(v2_cgroup, *tried)[:3] == ["opened"] * 3, "nothing stops them yet"
    devices.restrict_v2(v2_cgroup, [DENY_ALL])
    assert opened_in(v2_cgroup, *tried) == ["opened", "opened", "EPERM", "EPERM"]


def test_on_v2_an_access_of_a_device_is_told_from_another(v2_cgroup: str, tmp_path: Path) -> None:
    os.mknod(tmp_path / "kmsg", stat.S_IFCHR | 0o666, os.makedev(1, 11))
    kmsg = str(tmp_path / "kmsg")
    devices.restrict_v2(v2_cgroup, [DENY_ALL, {"allow": True, "type": "c", "major": 1, "minor": 11, "access": "r"}])
    read, write, both = ((kmsg, flags) for flags in (os.O_RDONLY, os.O_WRONLY, os.O_RDWR))
    assert opened_in(v2_cgroup, read, write, both) == ["opened", "EPERM", "EPERM"]


def test_on_v2_all_but_one_may_be_allowed(v2_cgroup: str) -> None:
    rules = [{"allow": True, "type": "a"}, {"allow": False, "type": "c", "major": 1, "minor": 5, "access": "w"}]
    devices.restrict_v2(v2_cgroup, rules)
    tried = [("/dev/zero", os.O_RDONLY), ("/dev/zero", os.O_WRONLY), ("/dev/zero", os.O_RDWR), ("/dev/full", os.O_RDWR)]
    assert opened_in(v2_cgroup, *tried) == ["opened", "EPERM", "EPERM", "opened"]


def test_on_v2_a_cgroup_below_cannot_loosen_what_one_above_refuses(v2_cgroup: str) -> None:
    (Path(v2_cgroup) / "below").mkdir()
    devices.restrict_v2(
        v2_cgroup, [{"allow": True, "type": "a"}, {"allow": False, "type": "c", "major": 1, "minor": 5}]
    )
    devices.restrict_v2(f"{v2_cgroup}/below", [{"allow": True, "type": "a"}])
    assert opened_in(f"{v2_cgroup}/below", ("/dev/zero", os.O_RDONLY)) == ["EPERM"]
    (Path(v2_cgroup) / "below").rmdir()
