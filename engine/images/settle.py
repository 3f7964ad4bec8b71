"""Waits until snapshots are on the disk, then says so by a file for each: in a process that outlives the pull.

Writing a large image to a slow disk takes longer than pulling it. A program where `engine.images.durability` must not
fork: standard input has the directory of the snapshots, that of the marks, and the names of the snapshots, each ended
by a zero byte. Imports nothing of the engine.
"""

import os
import sys


def leave_behind(words: list[bytes]) -> None:
    """Never returns: ends this process, and a child of it, which nobody has to wait for, waits for the disk.

    `words`: the directory of the snapshots, that of the marks, the names.
    """
    try:
        if not os.fork():
            os.setsid()
            os.chdir("/")
            # Locks and pipes of ours: others wait for their end.
            os.closerange(0, os.sysconf("SC_OPEN_MAX"))
            for _ in range(3):
                os.open(os.devnull, os.O_RDWR)
            _wait(*words)
    finally:
        os._exit(0)


def _wait(snapshots: bytes, marks: bytes, *names: bytes) -> None:
    import ctypes

    # Descriptors, not paths: should the root be deleted and made anew meanwhile, nothing is said about the new one.
    source = os.open(snapshots, os.O_RDONLY | os.O_DIRECTORY)
    target = os.open(marks, os.O_RDONLY | os.O_DIRECTORY)
    if ctypes.CDLL(None).syncfs(source) != 0:
        return  # a failing disk; without its mark a snapshot is not trusted after the next boot
    for name in names:
        try:
            os.close(os.open(name, os.O_WRONLY | os.O_CREAT, 0o600, dir_fd=target))
        except FileNotFoundError:
            return  # the root is gone


if __name__ == "__main__":
    leave_behind(sys.stdin.buffer.read().split(b"\0")[:-1])
