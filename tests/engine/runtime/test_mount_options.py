"""How a mount's options are told apart."""

from __future__ import annotations

from engine.linux import mounts
from engine.runtime.mount_options import parse


def test_attributes_propagation_and_data_are_told_apart() -> None:
    parsed = parse(["rbind", "ro", "nosuid", "rslave", "size=64k", "mode=755", "newinstance", "defaults"])
    assert (parsed.bind, parsed.recursive) == (True, True)
    assert parsed.on == mounts.MOUNT_ATTR_RDONLY | mounts.MOUNT_ATTR_NOSUID
    assert parsed.propagation == mounts.MS_SLAVE
    assert parsed.data == [("size", "64k"), ("mode", "755"), ("newinstance", None)]


def test_the_last_word_counts() -> None:
    assert parse(["ro", "rw"]).on == 0
    assert parse(["rw", "ro"]).on == mounts.MOUNT_ATTR_RDONLY
    assert parse(["ro", "rw"]).off == mounts.MOUNT_ATTR_RDONLY


def test_a_time_policy_replaces_the_other() -> None:
    parsed = parse(["noatime", "strictatime"])
    assert parsed.on & mounts.MOUNT_ATTR__ATIME == mounts.MOUNT_ATTR_STRICTATIME
    assert parsed.off & mounts.MOUNT_ATTR__ATIME == mounts.MOUNT_ATTR__ATIME, "the kernel wants the whole field cleared"
