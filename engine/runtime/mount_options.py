"""Options of a runtime-spec mount, as mount(8) spells them, told apart: attributes, propagation, filesystem data."""

from __future__ import annotations

from engine.linux import mounts

_ON = {
    "ro": mounts.MOUNT_ATTR_RDONLY,
    "nosuid": mounts.MOUNT_ATTR_NOSUID,
    "nodev": mounts.MOUNT_ATTR_NODEV,
    "noexec": mounts.MOUNT_ATTR_NOEXEC,
    "nodiratime": mounts.MOUNT_ATTR_NODIRATIME,
    "rro": mounts.MOUNT_ATTR_RDONLY,
}
_OFF = {
    "rw": mounts.MOUNT_ATTR_RDONLY,
    "suid": mounts.MOUNT_ATTR_NOSUID,
    "dev": mounts.MOUNT_ATTR_NODEV,
    "exec": mounts.MOUNT_ATTR_NOEXEC,
    "diratime": mounts.MOUNT_ATTR_NODIRATIME,
}
_ATIME = {"relatime": 0, "noatime": mounts.MOUNT_ATTR_NOATIME, "strictatime": mounts.MOUNT_ATTR_STRICTATIME}
_PROPAGATION = {
    "private": mounts.MS_PRIVATE,
    "slave": mounts.MS_SLAVE,
    "shared": mounts.MS_SHARED,
    "unbindable": mounts.MS_UNBINDABLE,
}
_IGNORED = frozenset(("defaults", "async", "sync", "dirsync", "atime", "nofail", "nocopy", "z", "Z"))


class MountOptions:
    """`on`/`off`: MOUNT_ATTR_* bits; `data`: what the filesystem itself understands, None for a flag."""

    __slots__ = ("bind", "data", "idmap", "off", "on", "propagation", "recursive")

    def __init__(self) -> None:
        self.on = self.off = self.propagation = 0
        self.bind = self.recursive = self.idmap = False
        self.data: list[tuple[str, str | None]] = []


def parse(options: list[str] | tuple[str, ...]) -> MountOptions:
    """Later options win over earlier ones."""
    parsed = MountOptions()
    for option in options:
        if option in ("bind", "rbind"):
            parsed.bind, parsed.recursive = True, option == "rbind"
        elif option == "idmap":
            parsed.idmap = True
        elif option in _ON:
            parsed.on |= _ON[option]
            parsed.off &= ~_ON[option]
        elif option in _OFF:
            parsed.off |= _OFF[option]
            parsed.on &= ~_OFF[option]
        elif option in _ATIME:
            parsed.on = parsed.on & ~mounts.MOUNT_ATTR__ATIME | _ATIME[option]
            parsed.off |= mounts.MOUNT_ATTR__ATIME
        elif option.removeprefix("r") in _PROPAGATION:
            parsed.propagation = _PROPAGATION[option.removeprefix("r")]
        elif option not in _IGNORED:
            key, has_value, value = option.partition("=")
            parsed.data.append((key, value if has_value else None))
    return parsed
