"""Locks between processes: one file a name under the run directory, held by flock(2), gone with their holder.

The file of a lock goes when its holder is done. One that lies there and is held by nobody tells of a holder that was
killed in the middle of its work.
"""

from __future__ import annotations

import fcntl
import os

from engine.errors import Conflict, StoreError

TYPE_CHECKING = False  # as typing has it; importing typing would cost the monitor memory
if TYPE_CHECKING:
    from engine.settings import Settings


class lock:  # a verb, hence in lower case: `with lock(settings, "container", id):`
    """Hold the lock `kind`/`name` for the length of a with block, against other processes and other threads.

    :param shared: any number of shared holders, or one exclusive one.
    :param blocking: wait for the lock; otherwise Conflict is raised if someone else has it.

    Not reentrant: a second `lock` of the same name in one thread waits for ever. Raises Conflict, StoreError.
    """

    def __init__(
        self, settings: Settings, kind: str, name: str, *, shared: bool = False, blocking: bool = True
    ) -> None:
        self._directory = os.path.join(settings.run, "locks", kind)
        self._path = os.path.join(self._directory, _file_name(name))
        self._operation = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if blocking else fcntl.LOCK_NB)
        self._shared = shared
        self._subject = f"{kind} {name}"
        self._fd = -1
        self._kept = False

    def __enter__(self) -> lock:
        try:
            self._fd = self._acquire()
        except BlockingIOError as error:
            raise Conflict(
                f"{self._subject} is in use by another command", hint="try again when it has ended"
            ) from error
        except OSError as error:
            raise StoreError(f"cannot lock {self._subject}: {error}") from error
        return self

    def __exit__(self, *_: object) -> None:
        # The file goes while it is still held, so none is left behind; who waits on it notices and makes a new one.
        # Not by a shared holder: the others would keep a lock that newcomers cannot see.
        if not self._shared and not self._kept:
            try:
                os.unlink(self._path)
            except FileNotFoundError:
                pass  # the whole run directory was removed under us
        os.close(self._fd)
        self._fd = -1

    def fileno(self) -> int:
        """The descriptor that holds the lock: a process that gets a duplicate holds it too, until it closes that."""
        return self._fd

    def keep(self) -> None:
        """Leave the file when the lock is given up, as if its holder were killed: the work is not finished."""
        self._kept = True

    def _acquire(self) -> int:
        while True:
            fd = self._open()
            try:
                fcntl.flock(fd, self._operation)
                if self._is_current(fd):
                    return fd
            except BaseException:
                os.close(fd)
                raise
            os.close(fd)

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        try:
            return os.open(self._path, flags, 0o600)
        except FileNotFoundError:
            os.makedirs(self._directory, mode=0o700, exist_ok=True)
            return os.open(self._path, flags, 0o600)

    def _is_current(self, fd: int) -> bool:
        """False if the file was unlinked while we waited: the lock we got is one nobody else will look at."""
        try:
            return os.path.samestat(os.fstat(fd), os.stat(self._path))
        except FileNotFoundError:
            return False


def left_behind(settings: Settings) -> dict[str, list[str]]:
    """Of each kind the names of the locks whose file is there: held now, or their holder was killed at its work.

    Nearly always there is none, so whoever comes next learns cheaply where it has something to mend: the locks that it
    can take without blocking. Names come as files are called: an ID or a digest as it is.
    """
    found = {}
    top = os.path.join(settings.run, "locks")
    for kind in _listed(top):
        if names := _listed(os.path.join(top, kind)):
            found[kind] = names
    return found


def discard(settings: Settings, kind: str, file_name: str) -> None:
    """Remove the file of a lock that nobody holds; `file_name` is from `left_behind`. Held: nothing done."""
    path = os.path.join(settings.run, "locks", kind, file_name)
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(fd), os.stat(path)):
            os.unlink(path)
    except (BlockingIOError, FileNotFoundError):
        return
    finally:
        os.close(fd)


def _listed(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _file_name(name: str) -> str:
    """A file name that no other lock name maps to."""
    escaped = name.replace("%", "%25").replace("/", "%2F")
    if escaped in (".", ".."):
        return escaped.replace(".", "%2E")
    if len(os.fsencode(escaped)) <= 200:
        return escaped
    import hashlib

    return "%h" + hashlib.sha256(os.fsencode(name)).hexdigest()
