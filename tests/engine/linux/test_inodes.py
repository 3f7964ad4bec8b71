"""The hint that keeps unrelated trees apart on the disk."""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path

from engine.images import snapshots
from engine.linux.inodes import spread_directories
from engine.settings import Settings

GETFLAGS, TOPDIR = 0x80086601, 0x20000


def flags(path: Path) -> int | None:
    """What lsattr(1) shows as a number; None on a file system without such flags."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return int(struct.unpack("l", fcntl.ioctl(descriptor, GETFLAGS, struct.pack("l", 0)))[0])
    except OSError:
        return None
    finally:
        os.close(descriptor)


def test_layers_are_made_in_a_directory_that_spreads_what_is_in_it(settings: Settings) -> None:
    with snapshots.staged(settings):
        told = flags(snapshots.staging(settings))
    # a file system that knows the flags at all may still not know this one, or may hide it
    assert told is None or told & TOPDIR or not on_ext4(settings.root)


def test_a_file_system_without_the_attribute_is_left_as_it_is() -> None:
    before = flags(Path("/proc/self"))
    spread_directories("/proc/self")
    assert flags(Path("/proc/self")) == before


def on_ext4(path: Path) -> bool:
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    holding = [fields for fields in mounts if str(path).startswith(fields[1])]
    return max(holding, key=lambda fields: len(fields[1]))[2].startswith("ext")
