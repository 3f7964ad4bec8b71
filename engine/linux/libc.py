"""Calls into the C library and the kernel, with errno turned into OSError."""

from __future__ import annotations

import ctypes
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

AT_FDCWD = -100
AT_EMPTY_PATH = 0x1000

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def syscall(number: int, *arguments: Any, path: str = "") -> int:
    """Make a system call by number; integers are passed as longs. Raises OSError naming `path`."""
    # ctypes passes a bare int as a C int: pointers and 64-bit flags would lose their upper half.
    converted = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    return checked(_libc.syscall(ctypes.c_long(number), *converted), path)


def call(name: str, *arguments: Any, path: str = "") -> int:
    """Call a function of the C library that returns -1 and sets errno on failure. Raises OSError naming `path`."""
    converted = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    return checked(_libc[name](*converted), path)


def checked(result: int, path: str = "") -> int:
    """`result` unless it is -1: then OSError for errno."""
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path or None)
    return result


def by_architecture(x86_64: int, aarch64: int) -> int:
    """The number of a system call that is older than the common table. Raises OSError (ENOSYS) elsewhere."""
    machine = os.uname().machine
    if machine == "x86_64":
        return x86_64
    if machine == "aarch64":
        return aarch64
    raise OSError(38, f"system call numbers of {machine} are not known")
