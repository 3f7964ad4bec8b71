"""Starting a monitor: a fresh, isolated interpreter that no container can write to."""

from __future__ import annotations

import _socket
import fcntl
import marshal
import os
import sys

from engine.errors import PermissionNeeded, RuntimeFailure
from engine.linux import mounts
from engine.runtime import protocol
from engine.runtime.bundle import Bundle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from engine.runtime.forkserver import ForkServer

# The fork makes the monitor nobody's child: an engine that lives on need not reap it. The standard library comes first
# in the path: nothing beside our package may shadow it.
_BOOTSTRAP = (
    "import posix; posix.fork() and posix._exit(0); import sys; sys.path.append({!r}); from {} import main; main()"
)


class Waiting:
    """A monitor's interpreter on its way up, while whoever started it prepares what it shall monitor.

    Half of a container's start is this interpreter: begun first, it costs nothing (of 130 ms, 35 were won). It waits
    for its bundle; closed without one, it ends by itself.
    """

    def __init__(self, container_id: str, container_dir: str, forks: ForkServer | None = None) -> None:
        """The container need not exist yet. `forks`: of an engine that lasts, which saves the interpreter.

        Raises RuntimeFailure (stage "monitor"), PermissionNeeded.
        """
        self.container_id = container_id
        self.connection, theirs = protocol.pair()
        self._words = _memory_file("words", b"")
        self._forking = 0
        self._is_given = False
        try:
            if forks is not None:
                forks.fork(container_dir, theirs.fileno(), self._words)
            else:
                self._forking = execute("engine.runtime.monitor", container_dir, theirs.fileno(), self._words)
        except BaseException:
            self.close()
            raise
        finally:
            theirs.close()

    def __enter__(self) -> Waiting:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def give(
        self, bundle: Bundle, *, adopted: dict[str, Any] | None = None, attach: bool = False, held: int = -1
    ) -> _socket.socket:
        """Let it monitor the bundle: the connection on which it reports, from now on the caller's to close.

        `held`: the descriptor of a lock that it shall hold until it has reported; -1 for none. Raises RuntimeFailure
        (stage "monitor").
        """
        opened: list[int] = []
        try:
            opened.append(_memory_file("bundle", marshal.dumps((bundle.dump(), adopted, attach))))
            opened.append(os.open(os.path.join(bundle.run_dir, "monitor.log"), _LOG_FLAGS, 0o600))
            given = b"".join(fd.to_bytes(4, sys.byteorder) for fd in (*opened, *([held] if held >= 0 else [])))
            rights = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, given)]
            self.connection.sendmsg([protocol.DONE], rights, _socket.MSG_NOSIGNAL)
        except BrokenPipeError:
            pass  # it has ended: the connection tells
        except OSError as error:
            raise RuntimeFailure(f"cannot start a monitor: {error}", stage="monitor") from error
        finally:
            for fd in opened:
                os.close(fd)
        self._is_given = True
        return self.connection

    def last_words(self) -> str:
        """What it said before it had a log of its own, for an error nobody foresaw."""
        return last_words(self._words)

    def close(self) -> None:
        """Without a bundle it ends now. Safe to repeat."""
        if not self._is_given:
            self.connection.close()
        if self._words >= 0:
            os.close(self._words)
            self._words = -1
        if self._forking:
            os.waitpid(self._forking, 0)
            self._forking = 0


def last_words(words: int) -> str:
    """The last line of what was written to the file that a process had as its stderr."""
    lines = os.pread(words, 64 << 10, 0).decode(errors="replace").splitlines()
    return lines[-1] if lines else ""


def execute(module: str, name: str, connection: int, words: int) -> int:
    """Start an interpreter that runs `main` of a module, with `connection` at CONNECTION and `words` at stderr.

    `name` is for whoever reads the list of processes. Returns the process that forks the interpreter, which is
    the caller's to reap. Raises RuntimeFailure (stage "monitor"), PermissionNeeded.
    """
    directory = -1
    try:
        executable, directory = _unwritable_interpreter()
        package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        high = max(connection, words, directory) + 1  # out of the way of the number it gets
        return os.posix_spawn(
            executable,
            [sys.executable, "-I", "-S", "-c", _BOOTSTRAP.format(package, module), name],
            {"PATH": os.defpath, "LANG": "C.UTF-8"},
            file_actions=[
                (os.POSIX_SPAWN_DUP2, connection, high),
                (os.POSIX_SPAWN_DUP2, words, 2),
                (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDWR, 0),
                (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_RDWR, 0),
                (os.POSIX_SPAWN_DUP2, high, CONNECTION),
                (os.POSIX_SPAWN_CLOSE, high),
            ],
            setsid=True,
            setsigmask=(),
        )
    except PermissionError as error:
        raise PermissionNeeded(f"cannot start a monitor: {error}", hint="run it as root") from error
    except OSError as error:
        raise RuntimeFailure(f"cannot start a monitor: {error}", stage="monitor") from error
    finally:
        if directory >= 0:
            os.close(directory)


CONNECTION = 3  # the descriptor at which engine.runtime.monitor.main finds it
_LOG_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC


def _unwritable_interpreter() -> tuple[str, int]:
    """The running interpreter on a private read-only mount: a path to execute, and the descriptor that path needs.

    A container can get hold of the file of its runtime through /proc/PID/exe, or by having itself executed as
    /proc/self/exe. On this mount it cannot be opened for writing (CVE-2019-5736); and since the mount's root is the
    directory, not the file, and is attached nowhere, it cannot be made writable either.
    """
    directory, name = os.path.split(os.path.realpath(sys.executable))
    tree = mounts.open_directory_tree(directory)
    try:
        mounts.set_attributes(tree, on=mounts.MOUNT_ATTR_RDONLY)
        kept = fcntl.fcntl(tree, fcntl.F_DUPFD_CLOEXEC, CONNECTION + 1)  # not the number that is given to the monitor
    finally:
        os.close(tree)
    return f"/proc/self/fd/{kept}/{name}", kept


def _memory_file(name: str, content: bytes) -> int:
    fd = os.memfd_create(name, os.MFD_CLOEXEC)
    os.write(fd, content)
    return fd
