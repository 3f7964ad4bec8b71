"""What a program in a container can do, tried from inside: by default, by `exec`, with each restriction loosened."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.runtime.execute import ExecSpec, container_process, execute
from engine.settings import Settings
from tests.conftest import PYTHON, Command

pytestmark = pytest.mark.usefixtures("python_image")
PROGRAM = Path(__file__).parent.parent.joinpath("support/attempts.py").read_text()
GONE = "ENOENT"  # this kernel has no such file
REFUSED = ("EPERM", "EACCES")

# every outcome that is right; Docker's differ only for io_uring and vsock, which its profile denied later
BY_DEFAULT: dict[str, tuple[Any, ...]] = {
    "capabilities": ("00000000a80425fb",),
    "bounding": ("00000000a80425fb",),
    "inheritable": ("0" * 16,),
    "ambient": ("0" * 16,),
    "seccomp": ("2",),
    "no new privileges": ("0",),
    "descriptors limit": (True,),
    "shm size": (64 << 20,),
    "mount of /sys": ("sysfs ro",),
    "mount of /sys/fs/cgroup": ("tmpfs ro", "cgroup2 ro"),
    "mount of /proc/sys": ("proc ro",),
    "mount of /sys/firmware": ("tmpfs ro", "nothing"),
    "read /proc/kcore": (0, GONE),
    "read /proc/keys": (0, GONE),
    "read /proc/timer_list": (0, GONE),
    "read /proc/sysrq-trigger": ("EROFS", GONE),
    "write core_pattern": ("EROFS",),
    "setns": REFUSED,
    "write modprobe": ("EROFS", GONE),
    "write host's sysctl": ("EROFS",),
    "write own net sysctl": ("EROFS",),
    "write uevent_helper": ("EROFS", GONE),
    "make a cgroup": ("EROFS",),
    "write oom_score_adj": REFUSED,
    "open null node": ("done",),
    "raw socket": ("done",),
    "devices": ("fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero".split(),),
    "clone3 user": ("ENOSYS",),
    "abstract sockets": (0,),
    "lower nice": REFUSED,
    "processes seen": (True,),
    "root of process 1": (False,),
    "memory of process 1": ("done",),  # it is this program
    "type for the terminal": ("ENOTTY",),
    "chroot and out": (True,),
    **dict.fromkeys(("mount of /proc/kcore", "mount of /proc/keys"), ("tmpfs rw", "devtmpfs rw", "nothing")),
    **{f"open {name} node": REFUSED for name in "kmsg mem disk loop fuse port".split()},
    **dict.fromkeys(
        (
            *("mount", "fsopen", "open_tree", "move_mount", "mount_setattr", "pivot_root", "unshare user"),
            *("unshare mount", "unshare network", "clone user", "keyctl", "add_key", "request_key", "bpf"),
            *("perf", "userfaultfd", "io_uring", "open by handle", "read another's memory", "pidfd_getfd", "kcmp"),
            *("load a module", "reboot", "kernel's log", "swapon", "fanotify", "acct", "set the time", "quotactl"),
            *("vsock", "name the host"),
        ),
        ("EPERM",),
    ),
}
FILES_OF_ROOT = {  # whose mode refuses others first
    name: (*BY_DEFAULT[name], "EACCES")
    for name in (
        *("write core_pattern", "write host's sysctl", "write own net sysctl", "write modprobe"),
        *("write uevent_helper", "read /proc/sysrq-trigger"),
    )
}
WITHOUT_CAPABILITIES = FILES_OF_ROOT | dict.fromkeys(("open null node", "raw socket"), ("EPERM",))


def tried(pilothouse: Command, *words: str) -> dict[str, Any]:
    """What came of the attempts; `words` are a verb with its options, and the names of attempts may follow."""
    names = words[words.index("--") + 1 :] if "--" in words else ()
    words = words[: words.index("--")] if "--" in words else words
    ended = pilothouse(*words, "python3", "-c", PROGRAM, *names)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def wrong(found: dict[str, Any], expected: dict[str, tuple[Any, ...]]) -> dict[str, Any]:
    return {name: outcome for name, outcome in found.items() if outcome not in expected[name]}


def test_a_default_container_may_do_what_dockers_may(pilothouse: Command) -> None:
    found = tried(pilothouse, "run", "--rm", PYTHON)
    assert wrong(found, BY_DEFAULT) == {}
    assert found.keys() == BY_DEFAULT.keys()


def test_a_command_of_exec_may_do_no_more_and_process_1_of_init_is_closed_to_it(pilothouse: Command) -> None:
    pilothouse("run", "-d", "--init", "--name", "box", PYTHON, "sleep", "600")
    closed = {"memory of process 1": REFUSED, "root of process 1": REFUSED, "processes seen": (True, False)}
    assert wrong(tried(pilothouse, "exec", "box"), {**BY_DEFAULT, **closed}) == {}
    assert pilothouse("exec", "box", "kill", "-9", "1").returncode == 0
    assert pilothouse("exec", "box", "true").returncode == 0, "a pid namespace's own process 1 cannot be killed in it"


def test_another_user_has_no_capability_and_users_of_its_own_none_over_anything_outside(pilothouse: Command) -> None:
    found = tried(pilothouse, "run", "--rm", "-u", "1234", PYTHON)
    less = {"capabilities": ("0" * 16,), "chroot and out": ("EPERM",)}
    assert wrong(found, {**BY_DEFAULT, **WITHOUT_CAPABILITIES, **less}) == {}
    found = tried(pilothouse, "run", "--rm", "--userns", "auto", PYTHON)
    assert wrong(found, {**BY_DEFAULT, **WITHOUT_CAPABILITIES}) == {}


LOOSENED: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = (
    (("--cap-add", "SYS_ADMIN"), {"mount": "done", "fsopen": "done", "unshare mount": "done"}),
    (("--cap-add", "SYS_NICE"), {"lower nice": "done"}),
    (("--cap-drop", "MKNOD"), {"open null node": "EPERM"}),
    (("--cap-drop", "NET_RAW"), {"raw socket": "EPERM"}),
    (("--security-opt", "seccomp=unconfined"), {"seccomp": "0", "keyctl": "done", "mount": "EPERM"}),
    (("--security-opt", "no-new-privileges"), {"no new privileges": "1", "seccomp": "2"}),
    (("--shm-size", "1m"), {"shm size": 1 << 20}),
    (("--ulimit", "nofile=64"), {"descriptors limit": False}),
    (("--privileged",), {"seccomp": "0", "mount": "done", "mount of /sys": "sysfs rw", "make a cgroup": "done"}),
)


def test_each_restriction_is_the_one_that_its_option_loosens(pilothouse: Command) -> None:
    """Which also shows that the attempts would succeed if nothing stopped them."""
    for words, outcomes in LOOSENED:
        assert tried(pilothouse, "run", "--rm", *words, PYTHON, "--", *outcomes) == outcomes, words


def test_the_hosts_abstract_sockets_are_seen_only_in_its_network(pilothouse: Command) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"\0pilothouse-{os.getpid()}")
        assert tried(pilothouse, "run", "--rm", PYTHON, "--", "abstract sockets") == {"abstract sockets": 0}
        shared = tried(pilothouse, "run", "--rm", "--network", "host", PYTHON, "--", "abstract sockets")
        assert shared["abstract sockets"] > 0


def test_the_starters_keys_are_not_the_containers(pilothouse: Command) -> None:
    """Without a filter, which would refuse to tell: its session keyring is another one than the starter's."""
    tell = (
        "import ctypes, os; print(ctypes.CDLL(None).syscall(250 if os.uname().machine == 'x86_64' else 219, 0, -3, 0))"
    )
    starters = subprocess.run([sys.executable, "-c", tell], capture_output=True, check=True).stdout
    unconfined = ("--security-opt", "seccomp=unconfined")
    inside = pilothouse("run", "--rm", *unconfined, PYTHON, "python3", "-c", tell).stdout
    assert int(inside) > 0
    assert inside != starters
    pilothouse("run", "-d", "--name", "box", *unconfined, PYTHON, "sleep", "600")
    assert pilothouse("exec", "box", "python3", "-c", tell).stdout not in (starters, inside)


# looks at every process that comes into its sight for as long as it is there, and prints what it could get hold of;
# one that has executed meanwhile, or is gone, does not count
WATCHER = """
import os
got, own = set(), os.getpid()
print("watching", flush=True)
def name_of(pid):
    try:
        return open(f"/proc/{pid}/comm").read().strip()
    except OSError:
        return "gone"
def reach(pid, what):
    try:
        if what == "mem":
            os.close(os.open(f"/proc/{pid}/mem", os.O_RDWR))
            return True
        return os.readlink(f"/proc/{pid}/{what}")
    except OSError:
        return ""
while not os.path.exists("/over"):
    for pid in os.listdir("/proc"):
        if not pid.isdigit() or int(pid) == own:
            continue
        got.add("seen " + name_of(pid))
        for what in ("exe", "mem", "cwd", "root", "fd/0", "fd/3", "ns/mnt"):
            found = reach(pid, what)
            program = reach(pid, "exe")
            executed = os.path.basename(program) in ("true", "touch")
            if found and not executed and name_of(pid) not in ("true", "touch", "gone"):
                got.add(f"{what} {found} of {program}")
print("\\n".join(sorted(got)), flush=True)
"""


def test_what_enters_a_container_by_exec_cannot_be_caught_on_its_way(settings: Settings, pilothouse: Command) -> None:
    """CVE-2016-9962: between entering and executing it has the host's descriptors and memory."""
    pilothouse("run", "-d", "--name", "box", PYTHON, "python3", "-c", WATCHER)
    while not pilothouse("logs", "box").stdout:
        continue
    (container,) = settings.containers.iterdir()
    process = container_process(settings, container.name)
    for _ in range(60):
        attachment = execute(settings, container.name, ExecSpec(process | {"args": ["true"]}))
        while attachment.exit_code is None:
            select.select([attachment], [], [])
            attachment.receive()
        attachment.acknowledge()
        attachment.close()
    pilothouse("exec", "box", "touch", "/over")
    assert pilothouse("wait", "box").stdout == b"0\n"
    caught = pilothouse("logs", "box").stdout.decode().splitlines()[1:]
    assert any(line.startswith("seen pilothouse") for line in caught), "it saw them come"
    assert [line for line in caught if not line.startswith("seen ")] == []
