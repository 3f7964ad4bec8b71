"""A process that tries what a container needs, in namespaces of its own, which take everything with them.

`python -P -m tui.welcome.trial DIRECTORY` prints one line per feature: its name, a tab, and what went wrong or nothing.
DIRECTORY is an empty one on the file system of the root.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path


def namespaces(_: str) -> None:
    from engine.linux.namespaces import flag, unshare

    for kind in ("mount", "uts", "ipc", "network", "cgroup", "pid"):
        unshare(flag(kind))


def overlayfs(directory: str) -> None:
    """Mounts an overlay as a container gets it: upper and work directory on the root's file system."""
    from engine.linux import mounts

    mounts.set_propagation_of_all(mounts.MS_PRIVATE)
    for name in ("lower", "upper", "work", "merged"):
        Path(directory, name).mkdir()
    mounts.mount_by_options(
        "overlay",
        f"{directory}/merged",
        f"lowerdir={directory}/lower,upperdir={directory}/upper,workdir={directory}/work",
    )
    with open(f"{directory}/merged/written", "w"):
        pass


def bridge(_: str) -> None:
    from engine.linux import netlink
    from engine.network import links

    with netlink.Netlink(netlink.ROUTE) as rtnl:
        links.create_bridge(rtnl, "trial", bytes((10, 0, 0, 1)), 24, bytes((2, 0, 0, 0, 0, 1)), 1500)


def nftables(_: str) -> None:
    from engine.linux import netlink
    from engine.network import nftables, ruleset

    with netlink.Netlink(netlink.NETFILTER) as netfilter:
        nftables.commit(netfilter, ruleset.table("trial", "trial", 0x0A00_0000))


def low_ports(_: str) -> None:
    import socket

    with socket.socket() as listener:
        listener.bind(("", 80))


TRIALS: tuple[Callable[[str], None], ...] = (namespaces, overlayfs, bridge, nftables, low_ports)


def main(directory: str) -> int:
    for trial in TRIALS:
        try:
            trial(directory)
            print(f"{trial.__name__}\t", flush=True)
        except Exception as error:  # whatever it is, it is the answer
            print(f"{trial.__name__}\t{type(error).__name__}: {error}".replace("\n", " "), flush=True)
            if trial is namespaces:
                return 1  # what follows would be done to the host
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
