"""Following a container's log across rotation, restarts and truncation."""

from __future__ import annotations

import os
import select

from engine.errors import NotFound, StoreError
from engine.linux import inotify
from engine.logs import files as log_files
from engine.logs.place import place
from engine.models import LogLine, LogQuery

_NAMES_CHANGED = inotify.IN_CREATE | inotify.IN_MOVED_TO | inotify.IN_MOVED_FROM | inotify.IN_DELETE
_PARENT_CHANGED = inotify.IN_DELETE | inotify.IN_MOVED_FROM | inotify.IN_DELETE_SELF | inotify.IN_MOVE_SELF


class Follower:
    """Yields what is there by `query`, then what comes, each line once.

    `fileno()` is readable while `read()` may have something; one `read()` returns at most a block's worth, so at the
    end of a container read until it returns nothing, then take `finish()`.
    `over`: nothing wanted will come any more (past `query.until`, or the log was removed).

    Raises NotFound when there is no log directory, StoreError when it cannot be watched or read.
    """

    def __init__(self, directory: str, query: LogQuery) -> None:
        self.over = False
        self._gone = False  # the directory was removed: what is held open is all there will be
        self._directory = directory
        self._descriptors: list[int] = []  # the file being read, then newer ones
        self._inotify = _watch(directory)
        # inotify tells of changes; the flag tells that the last read stopped before the end. Either makes us readable.
        self._flag = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._ready = select.epoll()
        self._ready.register(self._inotify, select.EPOLLIN)
        self._ready.register(self._flag, select.EPOLLIN)
        self._more = False
        try:
            self._descriptors = log_files.open_files(directory)
            index, self._offset, self._decoder = place(self._descriptors, query)
            self._drop(index)
            self._tell_more(True)
        except BaseException as error:
            self.close()
            if isinstance(error, OSError):
                raise StoreError(f"cannot read the log in {directory}: {error.strerror or error}") from error
            raise

    def fileno(self) -> int:
        return self._ready.fileno()

    def read(self) -> list[LogLine]:
        """The next lines, at most a block's worth; [] when there is nothing now. Never blocks."""
        try:
            while not self.over:
                self._take_changes()
                data = self._next_records() if self._descriptors else b""
                if data:
                    lines = self._decoder.feed(data)
                    self.over = self._decoder.over
                    if lines:
                        self._tell_more(True)
                        return lines
                elif len(self._descriptors) > 1:
                    # A newer file exists, so the writer has left this one: its end is final.
                    self._drop(1)
                    self._offset = 0
                else:
                    self.over = self._gone
                    break
        except OSError as error:
            raise StoreError(f"cannot read the log in {self._directory}: {error.strerror or error}") from error
        self._tell_more(False)
        return []

    def finish(self) -> list[LogLine]:
        """The lines without an end; for when the caller knows that nothing more will be written."""
        return self._decoder.finish()

    def close(self) -> None:
        self._ready.close()
        if self._flag >= 0:
            os.close(self._flag)
            self._flag = -1
        self._inotify.close()
        self._drop(len(self._descriptors))

    def __enter__(self) -> Follower:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _take_changes(self) -> None:
        if any(
            mask & (_NAMES_CHANGED | _PARENT_CHANGED | inotify.IN_Q_OVERFLOW) for _, mask, _ in self._inotify.drain()
        ):
            self._take_new_files()
            self._gone = not os.path.isdir(self._directory)

    def _take_new_files(self) -> None:
        listed = log_files.open_files(self._directory)
        if not self._descriptors:
            self._descriptors, self._offset = listed, 0
            return
        last = os.fstat(self._descriptors[-1])
        states = [os.fstat(fd) for fd in listed]
        # If the newest file we hold was itself rotated away, all that are not older than it are new.
        newer = next(
            (number + 1 for number, state in enumerate(states) if os.path.samestat(state, last)),
            sum(state.st_mtime_ns < last.st_mtime_ns for state in states),
        )
        log_files.close_all(listed[:newer])
        self._descriptors += listed[newer:]

    def _next_records(self) -> bytes:
        if os.fstat(self._descriptors[0]).st_size < self._offset:
            self._offset = 0  # truncated in place
        for after, data in log_files.forward(self._descriptors[0], self._offset):
            self._offset = after
            return data
        return b""

    def _tell_more(self, more: bool) -> None:
        if more and not self._more:
            os.eventfd_write(self._flag, 1)
        elif self._more and not more:
            os.eventfd_read(self._flag)
        self._more = more

    def _drop(self, count: int) -> None:
        log_files.close_all(self._descriptors[:count])
        del self._descriptors[:count]


def _watch(directory: str) -> inotify.Inotify:
    watch = None
    try:
        watch = inotify.Inotify()
        watch.add(directory, inotify.IN_MODIFY | _NAMES_CHANGED)
        # A directory that was removed tells nothing as long as a file in it is open: ask the one above it.
        watch.add(os.path.dirname(os.path.abspath(directory)), _PARENT_CHANGED)
    except OSError as error:
        if watch is not None:
            watch.close()
        if isinstance(error, FileNotFoundError):
            raise NotFound(f"there is no log in {directory}") from error
        raise StoreError(
            f"cannot follow the log in {directory}: {error.strerror or error}",
            hint="raise fs.inotify.max_user_instances and max_user_watches, or end programs that watch many files",
        ) from error
    return watch
