"""Network namespaces: made, entered and pinned to a file, from any process, however many threads it has."""

from __future__ import annotations

import _thread
import contextlib
import ctypes
import errno
import os
from collections.abc import Callable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    Result = TypeVar("Result")

_CLONE_NEWNET = 0x40000000
_MS_BIND = 0x1000
_MNT_DETACH = 0x2
_UMOUNT_NOFOLLOW = 0x8

_libc = ctypes.CDLL(None, use_errno=True)


def create(path: str, inside: Callable[[], Result]) -> Result:
    """Make a namespace, pin it at `path` (whose directory exists) and return what `inside` gives when run in it.

    Everything happens in a thread that ends with this call: unshare(2) moves one thread only, so the caller and its
    other threads stay where they are. Raises OSError; nothing is left pinned then.
    """

    def body() -> Result:
        _checked(_libc.unshare(_CLONE_NEWNET), "unshare")
        os.close(os.open(path, os.O_CREAT | os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
        try:
            _checked(
                _libc.mount(b"/proc/thread-self/ns/net", os.fsencode(path), None, ctypes.c_ulong(_MS_BIND), None), path
            )
            return inside()
        except BaseException:
            unpin(path)
            raise

    return _in_thread(body)


def within(path: str, inside: Callable[[], Result]) -> Result:
    """What `inside` returns when run in the namespace pinned at `path`. Raises OSError."""

    def body() -> Result:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _checked(_libc.setns(descriptor, _CLONE_NEWNET), path)
        finally:
            os.close(descriptor)
        return inside()

    return _in_thread(body)


def sockets(path: str) -> int:
    """How many sockets live in the namespace pinned at `path`: those of processes, and TCP connections that outlive
    theirs, which keep the namespace alive until the other side has acknowledged the end. Raises OSError."""

    def used() -> int:
        with open("/proc/thread-self/net/sockstat", encoding="ascii") as file:
            return int(file.readline().split()[2])

    return within(path, used)


def unpin(path: str) -> None:
    """Let go of the namespace pinned at `path`; it ends with its last process. Nothing pinned: nothing done."""
    while _libc.umount2(os.fsencode(path), _MNT_DETACH | _UMOUNT_NOFOLLOW) == 0:
        pass  # pins lie on top of each other if a crash came between two
    code = ctypes.get_errno()
    if code not in (errno.EINVAL, errno.ENOENT):
        raise OSError(code, os.strerror(code), path)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)  # also detaches copies of the mount in other mount namespaces: namespaces(7)


def pinned(path: str) -> bool:
    """Whether a namespace is pinned at `path`."""
    try:
        return os.stat(path).st_dev == os.stat("/proc/self/ns/net").st_dev
    except FileNotFoundError:
        return False


def _in_thread(body: Callable[[], Result]) -> Result:
    outcome: list[Result] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(body())
        except BaseException as error:  # carried over to the caller's thread
            failure.append(error)
        finally:
            over.release()

    over = _thread.allocate_lock()  # a Thread's join, without the milliseconds that `threading` takes to import
    over.acquire()
    _thread.start_new_thread(run, ())
    over.acquire()
    if failure:
        raise failure[0]
    return outcome[0]


def _checked(result: int, what: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), what)
