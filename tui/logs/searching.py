"""The search and the filter of a log viewer: what is looked for, and the worker threads that look."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from textual.message import Message
from textual.worker import get_current_worker

from engine.errors import EngineError
from engine.logs.sanitise import plain
from tui.logs.context import CONTEXTS
from tui.logs.levels import LEVELS
from tui.logs.matches import Matches
from tui.logs.merged import MergedMatches, MergedSource
from tui.logs.pattern import Pattern, Query
from tui.logs.pool import POOL
from tui.logs.scan import Scan
from tui.logs.source import LogSource

if TYPE_CHECKING:
    from tui.logs.view import LogView

STREAMS = ("", "stdout", "stderr")
_TELL = 0.2  # seconds between the news of a worker thread


class Searched(Message, namespace="log_view", bubble=False):
    """A worker thread has found more. `over`: it has come to the end of what there was when it began."""

    def __init__(self, *, over: bool = False) -> None:
        super().__init__()
        self.over = over


class Searching:
    """Belongs to a LogView; the body shows what is found."""

    def __init__(self, view: LogView) -> None:
        self._view = view
        self.stream = ""
        self.levels = ""  # letters of LEVELS, in their order
        self.filter_text = ""
        self.hides = False
        self._filter_regex = True
        self._filter_case: bool | None = None
        self._scanning: set[Scan] = set()
        self._wanted: frozenset[Scan] = frozenset()  # the others are to stop

    # what is looked for ---------------------------------------------------------------------------
    def prepare(self) -> None:
        """A search will come soon."""
        self._view.run_worker(POOL.prepare, thread=True, group="prepare")

    def reset(self) -> None:
        self.stream = self.filter_text = self.levels = ""
        self.hides = False
        self._view.body.lines.context = 0

    def search_for(self, text: str, regex: bool = True, ignore_case: bool | None = None) -> None:
        lines = self._view.body.lines
        lines.search = lines.current = None
        if text:
            lines.search = self._scan(Query(text, regex, ignore_case))
        self._changed()

    def filter_for(self, text: str, regex: bool = True, ignore_case: bool | None = None) -> None:
        self.hides = text.startswith("!")
        self.filter_text = text.removeprefix("!")
        self._filter_regex, self._filter_case = regex, ignore_case
        self.apply_filter()

    def apply_filter(self) -> None:
        query = Query(
            self.filter_text,
            self._filter_regex,
            self._filter_case,
            hide=self.hides,
            stream=self.stream,
            levels=self.levels,
        )
        self._view.body.lines.filter = None if query.empty else self._scan(query)
        self._changed()

    def toggle_level(self, level: str) -> None:
        if self._view.source is None:
            self._view.tell_shortly("No log is shown: select a container first", severity="warning", timeout=3)
            return
        chosen = set(self.levels) ^ {level}
        self.levels = "".join(letter for letter in LEVELS if letter in chosen)
        self.apply_filter()

    def next_context(self) -> None:
        """Show the next number of lines around those that the filter lets through."""
        view = self._view
        lines = view.body.lines
        lines.context = CONTEXTS[(CONTEXTS.index(lines.context) + 1) % len(CONTEXTS)]
        view.body.changed(everything=True)
        view.tell()

    def next_stream(self) -> None:
        self.stream = STREAMS[(STREAMS.index(self.stream) + 1) % len(STREAMS)]
        self.apply_filter()

    def _scan(self, query: Query) -> Matches | None:
        source, view = self._view.source, self._view
        if source is None:
            return None
        try:
            pattern = Pattern(query)
        except EngineError as error:
            view.prompt.complain(str(error))
            return None
        view.prompt.complain("")
        body = view.body
        top = source.end if body.following else source.line_at(body.top_position)
        if isinstance(source, MergedSource):
            return MergedMatches(source, [Scan(pattern, place) for place in self._origins(source, top)])
        return Scan(pattern, top)

    @staticmethod
    def _origins(source: MergedSource, top: int) -> Iterator[int]:
        for part, place in zip(source.parts, source.places(top), strict=True):
            yield part.end if place >= part.end else part.line_at(place)

    def _changed(self) -> None:
        self._view.body.changed(everything=True)
        self.go_on()
        self._view.tell()

    # the workers ----------------------------------------------------------------------------------
    def go_on(self) -> None:
        """Let worker threads look through what no scan has seen yet."""
        scans = list(self._scans())
        self._wanted = frozenset(scan for scan, _ in scans)
        for scan, part in scans:
            if scan not in self._scanning and not scan.done(part.start, part.end):
                self._scanning.add(scan)
                self._run(scan, part)

    def _scans(self) -> Iterator[tuple[Scan, LogSource]]:
        source, lines = self._view.source, self._view.body.lines
        if source is None:
            return
        for matches in (lines.filter, lines.search):
            if isinstance(matches, MergedMatches):
                yield from zip(matches.scans, source.parts, strict=True)
            elif isinstance(matches, Scan):
                yield matches, source.parts[0]

    def _run(self, scan: Scan, part: LogSource) -> None:
        view = self._view

        def search() -> None:
            worker = get_current_worker()
            told = time.monotonic()
            shown = scan.count
            begun = (scan.low, scan.high)

            def cancelled() -> bool:
                return worker.is_cancelled or scan not in self._wanted

            def progress() -> None:
                nonlocal told, shown
                now = time.monotonic()
                if now - told > _TELL or (shown < 100 < scan.count) or (not shown and scan.count):
                    told, shown = now, scan.count
                    view.post_message(Searched())

            try:
                scan.run(part.segments, cancelled, progress)
            finally:
                self._scanning.discard(scan)
            view.post_message(Searched(over=(scan.low, scan.high) != begun))

        view.run_worker(search, thread=True, group="scan")

    # in words -------------------------------------------------------------------------------------
    def _share(self, matches: Matches) -> float:
        """How much of the log has been searched, 0 to 1."""
        whole = searched = 0.0
        scans = matches.scans if isinstance(matches, MergedMatches) else (matches,)
        for scan, part in self._scans():
            if scan in scans:
                whole += part.length
                searched += part.length * scan.share(part.start, part.end)
        return searched / whole if whole else 1.0

    def matches(self) -> str:
        """`2/41 (searching 63%)`; empty without a search."""
        lines = self._view.body.lines
        if lines.search is None:
            return ""
        share = self._share(lines.search)
        found = f"{lines.search.count:,}" + ("" if share > 0.999 else f" (searching {share:.0%})")
        if lines.current is None:
            return found
        return f"{lines.search.count_before(lines.current) + 1:,}/{found}"

    def filter_words(self) -> str:
        """`&error: 12,034 (63%)`; empty without a filter of words or levels."""
        lines = self._view.body.lines
        filter = lines.filter
        if filter is None or not (self.filter_text or self.levels):
            return ""
        share = self._share(filter)
        sign = ("!" if self.hides else "&") + plain(self.filter_text.encode()) if self.filter_text else ""
        levels = "".join(f"[{letter}]" for letter in self.levels)
        context = f"±{lines.context}" if lines.context else ""
        words = " ".join(word for word in (levels, sign, context) if word)
        return f"{words}: {filter.count:,}" + ("" if share > 0.999 else f" ({share:.0%})")
