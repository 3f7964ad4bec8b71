"""What a root has on the host and on the disk that belongs to no container, image or volume it knows."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

from engine.containers import records
from engine.images import blobs, durability, snapshots
from engine.linux import netlink
from engine.linux.netlink import Netlink
from engine.network import endpoints, nftables, ports_map, subnet
from engine.runtime.status import status
from engine.settings import Settings
from engine.state.database import Database
from engine.state.locks import left_behind

SECONDS = 30.0  # for what ends by itself: the kernel takes links down a little after their namespace


def settled_leftovers(settings: Settings) -> list[str]:
    """What is left when what ends by itself has ended. Nothing tells when that is, so this looks again and again."""
    deadline = time.monotonic() + SECONDS
    while (found := leftovers(settings)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


def leftovers(settings: Settings) -> list[str]:
    """One word or two for each thing that should not be there, and for each that should and is not."""
    database = Database(settings.database)
    try:
        known = {record.id: record for record in records.every(database)}
        live = {container_id for container_id in known if status(settings, container_id).live}
        found = [f"container {record.name} is half removed" for record in known.values() if record.removing]
        found += [
            f"container {known[one].name} has no monitor" for one in live if not status(settings, one).has_monitor
        ]
        found += _of_the_kernel(settings, live)
        found += _of_the_network(settings, database, live)
        found += _of_the_disk(settings, database, set(known))
        found += [f"lock {kind}/{name}" for kind, names in left_behind(settings).items() for name in names]
    finally:
        database.close()
    return found


def _of_the_kernel(settings: Settings, live: set[str]) -> list[str]:
    found = []
    pins = {str(settings.run_dir(container_id) / "netns") for container_id in live}
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        words = line.split()
        if (words[4].startswith((f"{settings.root}/", f"{settings.run}/"))) and words[4] not in pins:
            found.append(f"mount {words[4]}")
    for directory, names, _ in os.walk("/sys/fs/cgroup"):
        if settings.cgroup_parent in names and not live:
            found.append(f"cgroup {directory}/{settings.cgroup_parent}")
        if directory.endswith(f"/{settings.cgroup_parent}"):
            found += [f"cgroup {directory}/{name}" for name in names if name not in live]
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = process.read_bytes().decode(errors="replace").split("\0")
            line = " ".join(words)
            ours = f"{settings.root}/" in line or str(settings.root) in words
            if ours and int(process.parent.name) != os.getpid() and not any(one in line for one in live):
                found.append(f"process {process.parent.name} {line[:300]}")
    return found


def _of_the_network(settings: Settings, database: Database, live: set[str]) -> list[str]:
    found = []
    addresses = dict(database.query("SELECT container_id, address FROM addresses"))
    ports = [row[0] for row in database.query("SELECT container_id FROM port_mappings")]
    found += [f"address of {one}" for one in addresses if one not in live]
    found += [f"port of {one}" for one in ports if one not in live]
    links = {endpoints.link_name(one, subnet.number(address)) for one, address in addresses.items()}
    there = {entry.name for entry in Path("/sys/class/net", settings.bridge, "brif").glob("*")}
    found += [f"link {name}" for name in there ^ links]
    with Netlink(netlink.NETFILTER) as netfilter:
        if nftables.table_comment(netfilter, settings.nft_table) is not None:
            _, wrong = ports_map.stale(netfilter, settings.nft_table, database)
            if wrong:
                found.append(f"{wrong} wrong port mappings in the rules")
    return found


def _of_the_disk(settings: Settings, database: Database, known: set[str]) -> list[str]:
    found = [f"directory {name}" for name in _names(settings.containers) ^ known]
    found += [f"run directory {name}" for name in _names(settings.run) - known if len(name) == 64]
    rows = {row[0] for row in database.query("SELECT name FROM snapshots")}
    found += [f"snapshot {name}" for name in _names(settings.snapshots) - {snapshots.STAGING, durability.MARKS} ^ rows]
    found += [f"staged layer {name}" for name in _names(snapshots.staging(settings))]
    found += [f"staged {name}" for name in _names(blobs.staging(settings)) if not name.endswith(".partial")]
    wanted = {
        digest.partition(":")[2]
        for row in database.query("SELECT id, manifest_digest FROM images")
        for digest in (row["id"], row["manifest_digest"])
    }
    found += [f"blob {name}" for name in _names(settings.images / "blobs" / "sha256") ^ wanted]
    volumes = {row[0] for row in database.query("SELECT name FROM volumes")}
    found += [f"volume {name}" for name in _names(settings.volumes) ^ volumes]
    found += [f"files of volume {name}" for name in volumes if _names(settings.volumes / name) != {"_data"}]
    orphans = database.query(
        "SELECT name FROM volumes WHERE anonymous = 1 AND name NOT IN (SELECT volume FROM container_volumes)"
    )
    return found + [f"anonymous volume {row[0]}" for row in orphans]


def _names(directory: Path) -> set[str]:
    try:
        return {path.name for path in directory.iterdir()}
    except FileNotFoundError:
        return set()
