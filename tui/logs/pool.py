"""The processes that search large logs: started when one begins to type, ended when nobody has asked for long."""

from __future__ import annotations

import json
import os
import select
import socket
import struct
import subprocess
import sys
import threading
from array import array
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from tui.logs.pattern import Query
from tui.logs.source import Segment

HEAD = struct.Struct("=II")  # bytes of JSON that follow, descriptors that come with it
UNIT = struct.Struct("=QQ")  # from, to
FRAME = struct.Struct("=QQQQI")  # from, to; where the first line in it and the first after it begin; matches
_PROGRAM = "import sys; sys.path.insert(0, sys.argv[1]); from tui.logs.searcher import main; main(int(sys.argv[2]))"
_ITEM = array("I").itemsize
_AHEAD = 2  # units given to a process at once, so that it need not wait for us
_LOOK = 0.02  # seconds between looks whether the search is still wanted
_MOST = 4  # processes

Unit = tuple[int, int]


class Result:
    """What one process found in one unit: the lines that begin in it lie from `low` to `high`."""

    __slots__ = ("high", "low", "offsets", "unit")

    def __init__(self, unit: Unit, low: int, high: int, offsets: array[int]) -> None:
        self.unit = unit
        self.low = low
        self.high = high
        self.offsets = offsets  # of matching lines, from `low`


class _Searcher:
    """One process, and our end of the socket to it."""

    def __init__(self) -> None:
        ours, its = socket.socketpair()
        with its:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-c", _PROGRAM, str(Path(__file__).parents[2]), str(its.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[its.fileno()],
            )
        self.socket = ours
        self.given: deque[Unit] = deque()
        self._buffer = b""

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def begin(self, query: Query, segments: Sequence[Segment]) -> None:
        task = json.dumps([asdict(query), [(segment.base, segment.size) for segment in segments]]).encode()
        socket.send_fds(self.socket, [HEAD.pack(len(task), len(segments))], [segment.fd for segment in segments])
        self.socket.sendall(task)

    def give(self, unit: Unit) -> None:
        self.given.append(unit)
        self.socket.sendall(UNIT.pack(*unit))

    def take(self) -> list[Result]:
        """What has come. Raises ConnectionError when the process is gone."""
        data = self.socket.recv(1 << 20)
        if not data:
            raise ConnectionResetError
        self._buffer += data
        found: list[Result] = []
        at = 0
        while len(self._buffer) - at >= FRAME.size:
            begin, end, low, high, count = FRAME.unpack_from(self._buffer, at)
            after = at + FRAME.size + count * _ITEM
            if after > len(self._buffer):
                break
            found.append(Result((begin, end), low, high, array("I", self._buffer[at + FRAME.size : after])))
            self.given.popleft()
            at = after
        self._buffer = self._buffer[at:]
        return found

    def end(self) -> None:
        """It is killed: it may be lost in an expression without end."""
        self._process.kill()
        self._process.wait()
        self.socket.close()


class Pool:
    """As many processes as there are processors; one search at a time has them."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._searchers: list[_Searcher] = []

    def prepare(self) -> None:
        """Start the processes, if they are not there: a search will come soon."""
        with self._turn:
            self._start()

    def search(
        self, query: Query, segments: Sequence[Segment], units: Iterator[Unit], cancelled: Callable[[], bool]
    ) -> Generator[Result, None, None]:
        """The results of `units`, in the order in which they are found. Ends early when cancelled.

        Raises OSError when the processes cannot be started or are gone.
        """
        while not self._turn.acquire(timeout=_LOOK):
            if cancelled():
                return
        idle = False
        try:
            self._start()
            for searcher in self._searchers:
                searcher.begin(query, segments)
            yield from self._search(units, cancelled)
            idle = not any(searcher.given for searcher in self._searchers)
        finally:
            if not idle:  # what they are at is not wanted any more
                self._end()
            self._turn.release()

    def close(self) -> None:
        with self._turn:
            self._end()

    def _search(self, units: Iterator[Unit], cancelled: Callable[[], bool]) -> Iterator[Result]:
        by_socket = {searcher.socket.fileno(): searcher for searcher in self._searchers}
        poll = select.poll()
        for descriptor in by_socket:
            poll.register(descriptor, select.POLLIN)
        for _ in range(_AHEAD):
            for searcher in self._searchers:
                _give_next(searcher, units)
        stopped = False
        patience = 25  # looks that a process gets to answer after the search was left
        while any(searcher.given for searcher in self._searchers):
            stopped = stopped or cancelled()
            ready = poll.poll(_LOOK * 1000)
            if stopped and not ready:
                patience -= 1
                if not patience:
                    return
            for descriptor, _ in ready:
                searcher = by_socket[descriptor]
                for result in searcher.take():
                    if not stopped:
                        _give_next(searcher, units)
                        yield result

    def _start(self) -> None:
        if all(searcher.alive for searcher in self._searchers) and self._searchers:
            return
        self._end()
        for _ in range(min(len(os.sched_getaffinity(0)), _MOST)):
            self._searchers.append(_Searcher())

    def _end(self) -> None:
        for searcher in self._searchers:
            searcher.end()
        self._searchers.clear()


def _give_next(searcher: _Searcher, units: Iterator[Unit]) -> None:
    unit = next(units, None)
    if unit is not None:
        searcher.give(unit)


POOL = Pool()
