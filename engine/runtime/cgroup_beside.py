"""The control group beside those of containers: in it are the processes that serve them."""

from __future__ import annotations

import errno
import os
import time

from engine.runtime.cgroup_mounts import ASIDE, PATIENCE, Mounts, checked, host_mounts, read_file, write_file

_BESIDE = "-beside"


def files(parent: str, mounts: Mounts | None = None) -> list[str]:
    """Where the processes go that serve containers, so that they outlive the session of their starter.

    On a systemd host a logout, or the end of a unit, kills what is in its cgroup: containers are in one of their own,
    and so must be who serves them. It is `<parent>-beside`, and only in the hierarchies of systemd. The files that a
    process with one thread writes "0" to, in directories that may have to be made.
    """
    mounts = mounts or host_mounts()
    return [
        f"{root}/{checked(parent)}{_BESIDE}/{'cgroup.procs' if root == mounts.v2 else 'tasks'}"
        for root in mounts.of_systemd
    ]


def join(parent: str, others: tuple[int, ...] = (), mounts: Mounts | None = None) -> None:
    """Move the calling process, which must have one thread, and `others` out of the session of their starter.

    Where that is not allowed (a nested engine without the right to) they stay where they are.
    """
    for file in files(parent, mounts):
        for _ in range(100):
            try:
                os.makedirs(os.path.dirname(file), exist_ok=True)
                for pid in (0, *others):
                    write_file(file, str(pid))
            except OSError as error:
                if error.errno in (errno.ENOENT, errno.ENODEV, errno.EEXIST):
                    continue  # another one has just left it, and removed it
            break


def remove(parent: str, mounts: Mounts | None = None) -> None:
    """Remove the cgroup of `join` if nobody is left in it."""
    for file in files(parent, mounts) if parent else ():
        directory = os.path.dirname(file)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                os.rmdir(directory)
            except FileNotFoundError:
                pass  # nobody ever was in it, or another one was faster
            except OSError:
                if not read_file(f"{directory}/cgroup.procs"):
                    time.sleep(0.001)  # who was killed leaves it a little after that was told
                    continue
            break


def leave(parent: str, mounts: Mounts | None = None) -> None:
    """The calling process is about to end: go up, so that the cgroup can go too if this was the last one in it."""
    for file in files(parent, mounts):
        top, name = os.path.dirname(os.path.dirname(file)), os.path.basename(file)
        for up in (top, f"{top}/{ASIDE}"):
            try:
                write_file(f"{up}/{name}", "0")
                break
            except OSError:
                continue  # it stays for the next one
    remove(parent, mounts)
