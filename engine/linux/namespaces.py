"""Namespaces: clone3(2), unshare(2), setns(2). For processes with one thread only."""

from __future__ import annotations

import ctypes
import os
from _signal import SIGCHLD

from engine.linux.libc import call, syscall

CLONE_NEWNS = 0x0002_0000
CLONE_NEWCGROUP = 0x0200_0000
CLONE_NEWUTS = 0x0400_0000
CLONE_NEWIPC = 0x0800_0000
CLONE_NEWUSER = 0x1000_0000
CLONE_NEWPID = 0x2000_0000
CLONE_NEWNET = 0x4000_0000
CLONE_PARENT = 0x0000_8000

_CLONE3 = 435
_FLAGS = {
    "mount": CLONE_NEWNS,
    "cgroup": CLONE_NEWCGROUP,
    "uts": CLONE_NEWUTS,
    "ipc": CLONE_NEWIPC,
    "user": CLONE_NEWUSER,
    "pid": CLONE_NEWPID,
    "network": CLONE_NEWNET,
}


class _CloneArguments(ctypes.Structure):
    _fields_ = tuple(
        (name, ctypes.c_uint64)
        for name in ("flags", "pidfd", "child_tid", "parent_tid", "exit_signal", "stack", "stack_size", "tls")
    )


def flag(kind: str) -> int:
    """The CLONE_NEW* flag for a runtime-spec namespace type. Raises KeyError."""
    return _FLAGS[kind]


def fork(flags: int = 0) -> int:
    """fork(2) into new namespaces: 0 in the child, its pid in the parent. With CLONE_PARENT the child is a sibling."""
    # With CLONE_PARENT the kernel takes the exit signal from the caller and wants none here.
    number = 0 if flags & CLONE_PARENT else SIGCHLD
    arguments = _CloneArguments(flags=flags, exit_signal=number)
    return syscall(_CLONE3, ctypes.byref(arguments), ctypes.sizeof(arguments))


def unshare(flags: int) -> None:
    call("unshare", flags)


def enter(fd: int, flags: int) -> None:
    """setns(2). With a pidfd, `flags` may name several namespaces of that process, entered all at once."""
    call("setns", fd, flags)


def user_namespace(users: list[tuple[int, int, int]], groups: list[tuple[int, int, int]]) -> int:
    """A new user namespace, as a descriptor. Each of `users` and `groups` is (first inside, first outside, number).

    Raises OSError.
    """
    waiting, go = os.pipe()
    pid = fork(CLONE_NEWUSER)
    if pid == 0:
        os.close(go)
        os.read(waiting, 1)  # until it has been looked at, or its parent is gone
        os._exit(0)
    os.close(waiting)
    try:
        for name, ranges in (("uid_map", users), ("gid_map", groups)):
            with open(f"/proc/{pid}/{name}", "w", encoding="ascii") as file:
                file.write("".join(f"{inside} {outside} {number}\n" for inside, outside, number in ranges))
        return os.open(f"/proc/{pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(go)
        os.waitpid(pid, 0)


def enter_path(path: str, kind: str) -> None:
    """Enter the namespace that is pinned at, or linked from, `path`. Raises OSError naming it."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        call("setns", fd, _FLAGS[kind], path=path)
    finally:
        os.close(fd)
