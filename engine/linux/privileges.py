"""What a process may do: capabilities, no_new_privs, seccomp, its session keyring."""

from __future__ import annotations

import ctypes

from engine.linux.libc import by_architecture, call, syscall
from engine.linux.processes import prctl

_PR_SET_KEEPCAPS = 8
_PR_SET_SECCOMP = 22
_PR_SET_SECUREBITS = 28
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE, _PR_CAP_AMBIENT_CLEAR_ALL = 2, 4
_SECCOMP_MODE_FILTER = 2
_NO_SETUID_FIXUP = 1 << 2
_KEYCTL_JOIN_SESSION_KEYRING = 1
_CAPABILITY_VERSION_3 = 0x2008_0522


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _FilterProgram(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def last_capability() -> int:
    """The highest capability number this kernel knows."""
    with open("/proc/sys/kernel/cap_last_cap", "rb") as file:
        return int(file.read())


def limit_bounding_set(kept: set[int], last: int) -> None:
    """Drop every capability up to `last` that is not in `kept` from the bounding set, for good."""
    for number in range(last + 1):
        if number not in kept:
            prctl(_PR_CAPBSET_DROP, number)


def act_on_files_as(uid: int, gid: int) -> None:
    """What this thread makes in file systems belongs to this user and group; it keeps its capabilities over that."""
    prctl(_PR_SET_SECUREBITS, _NO_SETUID_FIXUP)
    call("setfsgid", gid)
    call("setfsuid", uid)
    if call("setfsuid", -1) != uid:  # these two return what was before, and tell no error
        raise OSError(1, "cannot take on the file system user", str(uid))


def act_on_files_as_before() -> None:
    """Undo `act_on_files_as`: for a thread whose user and group are 0."""
    call("setfsuid", 0)
    call("setfsgid", 0)
    prctl(_PR_SET_SECUREBITS, 0)


def keep_capabilities_over_setuid() -> None:
    """Leaving user 0 keeps the permitted set, until the next exec."""
    prctl(_PR_SET_KEEPCAPS, 1)


def set_capabilities(effective: set[int], permitted: set[int], inheritable: set[int]) -> None:
    """Set the three sets of the calling thread. Source: capset(2)."""
    words = (ctypes.c_uint32 * 6)()
    for position, numbers in enumerate((effective, permitted, inheritable)):
        for number in numbers:
            words[number // 32 * 3 + position] |= 1 << (number % 32)
    call("capset", ctypes.byref(_Header(_CAPABILITY_VERSION_3, 0)), ctypes.byref(words))


def set_ambient_capabilities(numbers: set[int]) -> None:
    """Replace the ambient set; each must be permitted and inheritable."""
    prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    for number in sorted(numbers):
        prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, number)


def forbid_new_privileges() -> None:
    """setuid files and file capabilities give nothing to this process and its children any more."""
    prctl(_PR_SET_NO_NEW_PRIVS, 1)


def install_seccomp_filter(program: bytes) -> None:
    """Install a classic BPF program (8 bytes an instruction). Needs CAP_SYS_ADMIN or no_new_privs."""
    filter_ = _FilterProgram(len(program) // 8, program)
    call("prctl", _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(filter_), 0, 0)


def leave_session_keyring(name: str) -> None:
    """Join a new session keyring, so that the starter's keys stay out of reach. Without keyrings nothing happens."""
    try:
        syscall(by_architecture(250, 219), _KEYCTL_JOIN_SESSION_KEYRING, name.encode(), 0, 0, 0)
    except OSError as error:
        if error.errno not in (38, 1):  # ENOSYS; EPERM when we are confined ourselves
            raise
