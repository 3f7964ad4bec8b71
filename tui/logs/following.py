"""Keeping a log viewer up to what its log is now, however much is written."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.timer import Timer
from textual.worker import get_current_worker

from engine.errors import EngineError
from engine.logs.runs import runs
from engine.state import events
from tui.logs.counter import LineCounter
from tui.logs.merged import MergedSource
from tui.logs.runs import Separators, journal_of, place
from tui.logs.searching import Searched
from tui.logs.shown import Source

if TYPE_CHECKING:
    from tui.logs.view import LogView

FRAME = 1 / 30  # seconds between paints at the least
FRAME_SHARE = 4  # of the time, painting what comes takes no more than one part in so many: keys come first
_SLOWEST = 0.2  # seconds


class Following:
    """Belongs to a LogView; owns its source."""

    def __init__(self, view: LogView) -> None:
        self._view = view
        self.source: Source | None = None
        self._truncated = 0
        self._counters: list[LineCounter] = []
        self._seen = 0  # of what was appended
        self._frame: Timer | None = None
        self._ticks: Timer | None = None
        self._last_frame = 0.0
        self._frame_gap = FRAME
        self._reading = False  # the event loop watches the log's descriptor
        self._journals: list[tuple[str, str]] = []  # of each log: the journal, the container's id
        self._journals_seen: list[int] = []  # how far the runs have been read

    def open(self, source: Source, names: tuple[str, ...], container_ids: Sequence[str]) -> None:
        """Follow another log, from its end on; `names` are shown where there are several."""
        self.source = source
        self._truncated = source.truncated
        self._counters = [LineCounter(part.end) for part in source.parts]
        self._seen = 0
        self._view.body.open(source, self._view.empty_note(), names)
        self._journals = [
            (journal_of(part.directory), id) for part, id in zip(source.parts, container_ids, strict=True)
        ]
        self._journals_seen = []
        self._count()
        self.find_runs()
        self._watch()

    def close(self) -> None:
        self._unwatch()
        if self.source is not None:
            self.source.close()
            self.source = None

    # lines ----------------------------------------------------------------------------------------
    @property
    def line_count(self) -> int | None:
        """How many lines there are; None until they have been counted."""
        if self.source is None or not all(counter.complete for counter in self._counters):
            return None
        return sum(
            counter.total(part.segments) for counter, part in zip(self._counters, self.source.parts, strict=True)
        )

    @property
    def new(self) -> int:
        """How many lines came since the pause began."""
        return self._appended - self._seen

    @property
    def _appended(self) -> int:
        return sum(counter.appended for counter in self._counters)

    def note_seen(self) -> None:
        """While one follows, what has come has been seen."""
        if self._view.body.following:
            self._seen = self._appended

    def _count(self) -> None:
        assert self.source is not None
        work = [(counter, part.segments) for counter, part in zip(self._counters, self.source.parts, strict=True)]
        view = self._view

        def count() -> None:
            worker = get_current_worker()
            for counter, segments in work:
                counter.count_older(segments, lambda: worker.is_cancelled)
            view.post_message(Searched())

        view.run_worker(count, thread=True, group="count", exclusive=True)

    # news -----------------------------------------------------------------------------------------
    def _watch(self) -> None:
        if self.source is not None and not self._reading:
            asyncio.get_running_loop().add_reader(self.source.fileno(), self._written)
            self._reading = True

    def _unwatch(self) -> None:
        if self.source is not None and self._reading:
            asyncio.get_running_loop().remove_reader(self.source.fileno())
        self._reading = False

    def _written(self) -> None:
        """The log changed. However often that is, it is looked at once a frame."""
        self._unwatch()
        if self._frame is None:
            delay = max(self._last_frame + self._frame_gap - time.monotonic(), 0.001)
            self._frame = self._view.set_timer(delay, self._next_frame)

    def _next_frame(self) -> None:
        self._frame = None
        self._last_frame = time.monotonic()
        if self.source is not None:
            self._watch()
            self.take_news()
            self._view.call_after_refresh(self._painted)

    def _painted(self) -> None:
        """Adapt the pace to what a paint costs on this machine and screen."""
        cost = time.monotonic() - self._last_frame
        self._frame_gap = min(max(FRAME, FRAME_SHARE * cost), _SLOWEST)

    def pace(self) -> None:
        """Once a second ages grow, and a log may come to be that was not there to be watched: else nobody is woken."""
        if self._ticks is None:
            self._ticks = self._view.set_interval(1.0, self._tick, pause=True)
        if self._view.body.time_mode == "relative" or (self.source is not None and not self.source.watched):
            self._ticks.resume()
        else:
            self._ticks.pause()

    def _tick(self) -> None:
        if self._view.body.time_mode == "relative":
            self._view.body.changed()
        if self.source is not None and not self.source.watched:
            self.take_news()

    def take_news(self) -> None:
        """Bring everything up to what the log is now."""
        source, view = self.source, self._view
        if source is None or not view.is_live:
            return
        before = (source.start, source.end)
        try:
            source.refresh()
        except EngineError as error:
            view.tell_shortly(str(error), severity="error")
            self.close()
            return
        if source.truncated != self._truncated:
            self._begin_anew(source)
            return
        advanced = [counter.advance(part.segments) for counter, part in zip(self._counters, source.parts, strict=True)]
        if not all(advanced):
            self._written()
        self.note_seen()
        separators, came = view.body.lines.separators, None
        if isinstance(source, MergedSource) and separators.last >= before[1]:
            came = next(iter(source.lines_from(before[1], 1)), None)
        if came is not None:
            # Places are made of times here: what stood at the end is not where the next line turned out to begin.
            view.body.lines.separators = separators.moved(before[1], came.position)
        if (source.start, source.end) != before:
            view.body.note = view.empty_note()
            if view.body.following or source.start != before[0]:
                view.body.changed()
            view.search_on()
        view.tell()

    def _begin_anew(self, source: Source) -> None:
        """A log was truncated in place: what was known of it is void."""
        self._truncated = source.truncated
        self._counters = [LineCounter(part.start) for part in source.parts]
        for counter, part in zip(self._counters, source.parts, strict=True):
            counter.complete = True
            counter.advance(part.segments)
        self._seen = 0
        self._view.body.open(source, self._view.empty_note(), self._view.body.names)

    # runs -----------------------------------------------------------------------------------------
    def find_runs(self) -> None:
        """Find the separators, unless nothing has happened since they were found."""
        source, journals, view = self.source, self._journals, self._view
        cursors = [events.cursor(journal) if journal else 0 for journal, _ in journals]
        if source is None or not any(journal for journal, _ in journals) or cursors == self._journals_seen:
            return
        self._journals_seen = cursors
        names = view.body.names

        def find() -> None:
            known = [runs(journal, container_id) if journal else [] for journal, container_id in journals]
            # Only now: what a run wrote before its end was told is in the files that are looked at.
            view.app.call_from_thread(self.take_news)
            if self.source is not source:
                return
            try:
                separators = place(source, known, names)
            except OSError:
                if self.source is source:
                    raise
                return  # it was closed meanwhile, with its files
            view.app.call_from_thread(self._show_runs, source, separators)

        view.run_worker(find, thread=True, group="runs", exclusive=True)

    def _show_runs(self, source: Source, separators: Separators) -> None:
        view = self._view
        if self.source is source and view.is_live and separators != view.body.lines.separators:
            view.body.lines.separators = separators
            view.body.changed()
            view.tell()
