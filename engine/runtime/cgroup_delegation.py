"""The delegation of cgroup v2: its controllers are passed on from the top down to the cgroups of containers."""

from __future__ import annotations

import errno
import os

from engine.runtime.cgroup_mounts import ASIDE, Mounts, make_directory, read_file, write_file


def delegate(mounts: Mounts, path: str) -> None:
    """A controller works in a cgroup only if every ancestor passes it on (cgroup-v2.rst, "Top-down constraint").

    In a container the top is a cgroup that holds processes, those of the container: as Docker and Podman do there, they
    are moved into one beside ours. Where that fails nothing is passed on (passing on "cpu" over the heads of processes
    makes a threaded domain, and no process can enter what is below); a limit that is asked for has no file then.
    """
    names = ("cpu", "cpuset", "io", "memory", "pids", "hugetlb") if _vacate(mounts.v2) else ()
    wanted = [name for name in names if name in mounts.v2_controllers]
    directory = mounts.v2
    for part in path.split("/"):
        enabled = read_file(f"{directory}/cgroup.subtree_control").split()
        for controller in wanted:
            if controller not in enabled:
                try:
                    write_file(f"{directory}/cgroup.subtree_control", f"+{controller}")
                except OSError:
                    continue
        directory = f"{directory}/{part}"
        if part != path.rpartition("/")[2]:
            make_directory(directory)


def _vacate(top: str) -> bool:
    """May controllers be passed on below `top`? The kernel's own root may always, any other without processes."""
    if not os.path.exists(f"{top}/cgroup.type"):
        return True
    for _ in range(100):  # they fork, and `exec` brings more
        if not (found := read_file(f"{top}/cgroup.procs").split()):
            return True
        if "0" in found:  # one of another pid namespace, whom we cannot name
            return False
        try:
            os.makedirs(f"{top}/{ASIDE}", exist_ok=True)
            for pid in found:
                write_file(f"{top}/{ASIDE}/cgroup.procs", pid)
        except OSError as error:
            if error.errno != errno.ESRCH:
                return False
    return False
