"""Finding and executing a container's command; failures in Docker's words."""

from __future__ import annotations

import errno
import os
import stat

from engine.errors import CommandNotExecutable, CommandNotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def find(name: str, environment: dict[str, str]) -> str:
    """The file to execute, looked up as execvp(3) does but in the container's PATH.

    Raises CommandNotFound, CommandNotExecutable.
    """
    if "/" in name:
        try:
            _check(name)
        except FileNotFoundError as error:
            raise CommandNotFound(f'exec: "{name}": stat {name}: no such file or directory') from error
        except OSError as error:
            raise _not_executable(name, error) from error
        return name
    denied: OSError | None = None
    for directory in environment.get("PATH", DEFAULT_PATH).split(":"):
        path = os.path.join(directory or ".", name)
        try:
            _check(path)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            denied = error
            continue
        return path
    if denied is not None:
        raise _not_executable(name, denied)
    raise CommandNotFound(f'exec: "{name}": executable file not found in $PATH')


def execute(path: str, arguments: list[str], environment: dict[str, str]) -> NoReturn:
    """execve(2). Raises CommandNotFound if an interpreter is missing, CommandNotExecutable."""
    try:
        os.execve(path, arguments, environment)
    except FileNotFoundError as error:
        raise CommandNotFound(
            f"exec {path}: no such file or directory", hint="its interpreter or loader is missing in the image"
        ) from error
    except OSError as error:
        raise _not_executable(path, error) from error


def _check(path: str) -> None:
    found = os.stat(path)
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, "is a directory", path)
    if not found.st_mode & 0o111:
        raise PermissionError(errno.EACCES, "permission denied", path)


def _not_executable(path: str, error: OSError) -> CommandNotExecutable:
    hint = "the image may be for another platform" if error.errno == errno.ENOEXEC else ""
    reason = (error.strerror or str(error)).lower()
    return CommandNotExecutable(f'exec: "{path}": {reason}', hint=hint)
