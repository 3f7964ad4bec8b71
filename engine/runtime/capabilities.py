"""Capability names, numbers and sets: Docker's defaults, and what --cap-add, --cap-drop and --privileged make of them.

Sources: capabilities(7), include/uapi/linux/capability.h; docker-run(1).
Imported by the monitor: no heavy imports here.
"""

from __future__ import annotations

from engine.errors import InvalidInput

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_NAMES = (
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE "
    "NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN "
    "SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE "
    "MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
)
NUMBERS: dict[str, int] = {f"CAP_{name}": number for number, name in enumerate(_NAMES.split())}

DEFAULT: tuple[str, ...] = (
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FSETID",
    "CAP_FOWNER",
    "CAP_MKNOD",
    "CAP_NET_RAW",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETFCAP",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_SYS_CHROOT",
    "CAP_KILL",
    "CAP_AUDIT_WRITE",
)


def chosen(
    add: Iterable[str] = (),
    drop: Iterable[str] = (),
    *,
    privileged: bool = False,
    available: Iterable[str] | None = None,
) -> tuple[str, ...]:
    """The capabilities of a container, in Docker's order: defaults, then those added.

    `available` is what the engine itself can give (default: its bounding set); a default that it cannot give is left
    out, one that was asked for by name is an error.

    Raises: InvalidInput for a name that does not exist ("invalid CapAdd: unknown capability") or cannot be given.
    """
    can_give = tuple(bounding() if available is None else available)
    added, dropped = _read(add, "CapAdd"), _read(drop, "CapDrop")
    if privileged:
        return can_give
    if "ALL" in added:
        wanted = [name for name in can_give if name not in dropped]
        # as in Docker, "all, but not all" leaves what was named
        if "ALL" in dropped:
            wanted = []
    elif "ALL" in dropped:
        wanted = []
    else:
        wanted = [name for name in DEFAULT if name not in dropped and name in can_give]
    for name in added:
        if name == "ALL" or name in wanted:
            continue
        if name not in can_give:
            raise InvalidInput(
                f"capability {name} cannot be added: the engine does not have it itself",
                hint="run the engine with that capability, or leave --cap-add out",
            )
        wanted.append(name)
    return tuple(wanted)


def bounding(status: str = "/proc/self/status") -> tuple[str, ...]:
    """The capabilities this process may pass on, from its bounding set, by number."""
    with open(status, encoding="ascii", errors="replace") as file:
        for line in file:
            if line.startswith("CapBnd:"):
                return names(int(line.split()[1], 16))
    return ()


def names(mask: int) -> tuple[str, ...]:
    """The capabilities of a bit mask that have a name here."""
    return tuple(name for name, number in NUMBERS.items() if mask >> number & 1)


def mask(names: Iterable[str]) -> int:
    """The bit mask of capability names, as capset(2) and prctl(2) want them; unknown names (of a newer kernel) are left
    out, as the runtime-spec allows."""
    return sum(1 << NUMBERS[name] for name in set(names) if name in NUMBERS)


def _read(given: Iterable[str], field: str) -> list[str]:
    result = []
    for text in given:
        name = text.upper()
        if name != "ALL":
            name = name if name.startswith("CAP_") else f"CAP_{name}"
            if name not in NUMBERS:
                raise InvalidInput(f'invalid {field}: unknown capability: "{name}"')
        result.append(name)
    return result
