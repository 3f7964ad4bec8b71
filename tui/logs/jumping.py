"""Going to places in a log: matches, marks, runs, times."""

from __future__ import annotations

import time
from bisect import bisect_right, insort
from collections.abc import Iterable
from typing import TYPE_CHECKING

from engine.logs.records import stamp
from engine.logs.sanitise import plain
from tui.logs.layout import can_open
from tui.logs.source import Line
from tui.logs.times import parse_time

if TYPE_CHECKING:
    from tui.logs.view import LogView

_EVERYWHERE = 1 << 200  # after every position there can be


class Jumping:
    """Belongs to a LogView; moves its body."""

    def __init__(self, view: LogView) -> None:
        self._view = view

    # matches --------------------------------------------------------------------------------------
    def to_match(self, direction: int) -> None:
        """The next match, or the one before; from the last on to the first."""
        lines, view = self._view.body.lines, self._view
        search = lines.search
        if search is None:
            view.warn("Nothing is searched for: press {logs.search} first")
            return
        begin = lines.current if lines.current is not None else view.body.top_position
        if direction > 0:
            after = begin + 1 if lines.current is not None else begin
            found = self._first_shown(search.from_position(after))
        else:
            found = self._first_shown(search.before_position(begin))
        if found is None:
            again = search.from_position(0) if direction > 0 else search.before_position(_EVERYWHERE)
            found = self._first_shown(again)
            if found is None:
                words = plain(search.pattern.query.text.encode())
                view.tell_shortly(f"No match for {words}", severity="warning", timeout=3)
                return
            view.tell_shortly("Search goes on from the " + ("beginning" if direction > 0 else "end"), timeout=2)
        self._stand_on(found)

    def to_a_match(self) -> None:
        """After a search was entered: go to the nearest match, unless one is on the screen."""
        body = self._view.body
        search = body.lines.search
        if search is None:
            return
        shown = body.visible_lines
        if any(next(search.from_position(line.position), None) == line.position for line in shown):
            return
        found = self._first_shown(search.before_position(body.top_position))
        if found is None:
            found = self._first_shown(search.from_position(0))
        if found is not None:
            self._stand_on(found)

    def _first_shown(self, matches: Iterable[int]) -> int | None:
        """The first of these that the filter lets through."""
        admitted = self._view.body.lines.admitted
        for match in matches:
            if admitted is None or next(admitted.from_position(match), None) == match:
                return match
        return None

    def _stand_on(self, match: int) -> None:
        body = self._view.body
        body.lines.current = match
        body.lines.pointed = None
        body.show_line(match)
        self._view.tell()

    # marks ----------------------------------------------------------------------------------------
    def in_hand(self) -> Line | None:
        """The line that keys act on: the one pointed at or the match, if it is on the screen; else the newest one
        while following, else the one on top."""
        body = self._view.body
        shown = body.visible_lines
        for position in (body.lines.pointed, body.lines.current):
            for line in shown:
                if line.position == position:
                    return line
        if not shown:
            return None
        return shown[-1] if body.following else shown[0]

    def to_open(self) -> Line | None:
        """The line that Enter opens or folds: the one in hand if one was chosen, else the first that has more to
        show."""
        lines = self._view.body.lines
        shown = self._view.body.visible_lines
        chosen = self.in_hand()
        if chosen is not None and chosen.position in (lines.pointed, lines.current):
            return chosen
        for line in shown:
            if line.position in lines.opened or can_open(line):
                return line
        return chosen

    def mark(self) -> None:
        line, lines = self.in_hand(), self._view.body.lines
        if line is None:
            return
        if line.position in lines.marks:
            lines.marks.remove(line.position)
        else:
            insort(lines.marks, line.position)
        self._view.body.changed()

    def to_mark(self) -> None:
        """The next mark further down; from the last on to the first."""
        body, lines = self._view.body, self._view.body.lines
        if not lines.marks:
            self._view.warn("No line is marked: press {logs.mark} on one")
            return
        line = self.in_hand()
        at = bisect_right(lines.marks, line.position if line is not None else -1)
        found = lines.marks[at] if at < len(lines.marks) else lines.marks[0]
        lines.pointed = found
        body.show_line(found)
        self._view.tell()

    # runs and times -------------------------------------------------------------------------------
    def to_run(self, direction: int) -> None:
        view, body = self._view, self._view.body
        if not body.lines.separators.starts:
            view.tell_shortly("Nothing is known of its runs", severity="warning", timeout=3)
            return
        top = body.top_position
        found = body.lines.separators.step(top, direction)
        if found is None:
            if direction > 0:
                body.follow()
            else:
                body.first()
        elif view.source is not None and found >= view.source.end:
            body.follow()
        else:
            body.go_to(found)
        view.tell()

    def to_time(self, text: str) -> bool:
        """False if the text is no time."""
        when, source = parse_time(text, time.time()), self._view.source
        if when is None or source is None:
            return False
        position = source.time_position(stamp(when))
        if position >= source.end:
            self._view.body.follow()
        else:
            self._view.body.lines.pointed = position
            self._view.body.go_to(position)
        return True
