"""What of this host stands in the way of containers, in sentences for `info`."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator
from pathlib import Path

from engine.network import bridge, nftables
from engine.runtime.cgroup_mounts import Mounts, host_mounts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.linux.netlink import Netlink
    from engine.settings import Settings

OLDEST_KERNEL = (5, 12)  # mount_setattr(2), by which mounts are made read-only and private without a race
_CONTROLLERS = {
    "memory": "limits of it are refused, and its use is not told",
    "cpu": "limits of it are refused",
    "pids": "limits of it are refused",
    "freezer": "containers cannot be paused",
    "devices": "containers are refused",
}
_MOUNT_FLAGS = ((os.ST_NOEXEC, "noexec"), (os.ST_NOSUID, "nosuid"), (os.ST_NODEV, "nodev"))


def warnings(settings: Settings, *, proc: Path = Path("/proc"), mounts: Mounts | None = None) -> list[str]:
    """One sentence for each thing that is missing or in the way; `proc` and `mounts` are this machine's."""
    return [
        *_kernel(proc, platform.release()),
        *_controllers(mounts or host_mounts()),
        *_store(settings),
        *_network(settings, proc),
    ]


def _kernel(proc: Path, release: str) -> Iterator[str]:
    found = re.match(r"(\d+)\.(\d+)", release)
    if found and (int(found[1]), int(found[2])) < OLDEST_KERNEL:
        yield f"kernel {release} is too old: containers need {'.'.join(map(str, OLDEST_KERNEL))} or newer"
    if not (proc / "sys/kernel/seccomp/actions_avail").exists():
        yield "the kernel has no seccomp filters: start containers with --security-opt seccomp=unconfined"
    if "\toverlay\n" not in _read(proc / "filesystems"):
        from engine.linux import mounts

        if not mounts.can_mount("overlay"):  # as a rule a module, which the first mount loads
            yield "the kernel has no overlay file system, nor a module of it that it could load: modprobe overlay"


def _controllers(mounts: Mounts) -> Iterator[str]:
    for name, consequence in _CONTROLLERS.items():
        # the v2 tree has these two built in
        built_in = mounts.uses_v2 and name in ("freezer", "devices")
        if mounts.directory(name, "") is None and not built_in:
            yield f"no cgroup controller {name}: {consequence}"
    directory = mounts.directory("memory", "")
    if directory and "memory" in mounts.v1 and not os.path.exists(f"{directory}/memory.memsw.limit_in_bytes"):
        yield "no swap accounting: limits of swap are refused"


def _store(settings: Settings) -> Iterator[str]:
    flags = os.statvfs(settings.root).f_flag
    if wrong := [name for flag, name in _MOUNT_FLAGS if flags & flag]:
        yield f"{settings.root} is on a file system mounted {','.join(wrong)}: programs of images may not work"


def _network(settings: Settings, proc: Path) -> Iterator[str]:
    if not _read(proc / "sys/net/ipv4/ip_forward").startswith("1"):
        yield "IPv4 forwarding is off: it is turned on with the first container on the bridge"
    from engine.linux import netlink

    try:
        with netlink.Netlink(netlink.NETFILTER) as netfilter:
            yield from _firewalls(settings, netfilter)
    except OSError as error:
        yield f"the kernel's nftables cannot be used ({error.strerror}): only --network host and none work"
    if "filter" in _read(proc / "net/ip_tables_names").split():
        yield (
            "iptables-legacy has a filter table, which only you can change: if its FORWARD chain drops, let"
            f" {settings.bridge} pass: iptables-legacy -I FORWARD -i {settings.bridge} -j ACCEPT, and the same with -o"
        )


def _firewalls(settings: Settings, netfilter: Netlink) -> Iterator[str]:
    for _, table, chain, _ in bridge.blocking_chains(settings, netfilter):
        yield (
            f"the firewall's chain {table}/{chain} stops forwarded packets: rules that let {settings.bridge} pass"
            " are added with the next container on the bridge"
        )
    for family, table, chain, _ in nftables.forward_chains(netfilter):
        if table != settings.nft_table and nftables.owned(netfilter, family, table):
            yield (
                f"the firewall's chain {table}/{chain} belongs to its program alone: let {settings.bridge} pass there,"
                f" for example by firewall-cmd --zone=trusted --add-interface={settings.bridge}"
            )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
