"""What the lists have in common: a table, a filter line, sorting, a cursor that leads the details."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import ComposeResult
from textual.timer import Timer

from tui import filters, phrases
from tui.panes.pane import Pane
from tui.sanitize import plain
from tui.state.world import World
from tui.widgets.table import Cell, Column, Row, Table, cell

if TYPE_CHECKING:
    from textual.widgets import Input

    from tui.widgets.filter_line import FilterLine

REST = 0.08  # seconds the cursor rests before the details follow


class ListPane(Pane):
    """Subclasses say which rows there are and how a row looks."""

    COLUMNS: ClassVar[tuple[Column, ...]] = ()
    FILTER_HELP: ClassVar[str] = "filter"

    def __init__(self, world: World, *, id: str) -> None:
        super().__init__(world, id=id)
        self.table = Table(self.COLUMNS)
        # column -> what to sort by, and whether the largest stands first
        self.sorts: dict[str, tuple[Callable[[Any], Any], bool]] = {}
        self.sorted_alike: frozenset[str] = frozenset()  # columns that the key leaves out: another gives the same order
        self.filter = filters.Filter()
        self.filter_text = ""
        self._filter_line: FilterLine | None = None
        self._resting: Timer | None = None

    def compose(self) -> ComposeResult:
        yield self.table

    def enter(self) -> None:
        self.table.focus()

    # for subclasses -------------------------------------------------------------------------------

    def items(self) -> Sequence[Any]:
        """What passes the filter, in order."""
        raise NotImplementedError

    def keys(self) -> Iterable[str]:
        """Of all that there is, also of what the filter hides."""
        raise NotImplementedError

    def row(self, item: Any) -> Row:
        raise NotImplementedError

    def empty(self) -> list[Cell]:
        """What an empty list says: always which key does something about it."""
        raise NotImplementedError

    def follow(self, key: str) -> None:
        """The cursor has rested on this row."""

    # showing --------------------------------------------------------------------------------------

    def reload(self) -> None:
        """Paint what the world holds now."""
        items = self.items()
        self.table.show([self.row(item) for item in items], [] if items else self.empty(), self.keys())
        self.retitle()
        self.refresh_bindings()

    def sorted(self, items: list[Any]) -> list[Any]:
        if self.table.sort_column in self.sorts:
            items.sort(key=self.sorts[self.table.sort_column][0], reverse=self.table.sort_down)
        return items

    def only_hidden(self) -> bool:
        """Whether all that is marked is hidden, which is said: what the cursor is on was not meant."""
        count = self.table.hidden_marks
        if not count or count < len(self.table.marks):
            return False
        what = "the one that is marked is" if count == 1 else f"the {count} that are marked are"
        words = f"{what} hidden, and nothing was done; {self.how_to_see()}"
        self.app.operations.say(phrases.words(words, self.app.preferences.keys), failed=True)
        return True

    def how_to_see(self) -> str:
        """What shows the rows that are hidden: a sentence that names keys by their ids."""
        return "{app.back} clears the filter"

    def action_mark(self) -> None:
        self.table.mark()

    def action_mark_all(self) -> None:
        self.table.mark_all()

    def action_prune(self) -> None:
        self.app.open_prune()

    def action_sort(self) -> None:
        """By the next column: first the way that is mostly wanted, then the other way."""
        column = self.table.sort_column
        order = ["", *(each for each in self.sorts if each == column or each not in self.sorted_alike)]
        if not self._flip(column):
            column = order[(order.index(column) + 1) % len(order)]
            self._sort(column, self.sorts[column][1] if column else False)

    def on_table_heading_clicked(self, event: Table.HeadingClicked) -> None:
        event.stop()
        if event.column in self.sorts:
            self.sort_by(event.column)

    def sort_by(self, column: str) -> None:
        """By this column the way that is mostly wanted; again, the other way; once more, in the engine's order."""
        if self.table.sort_column != column:
            self._sort(column, self.sorts[column][1])
        elif not self._flip(column):
            self._sort("", False)

    def _flip(self, column: str) -> bool:
        """Turn the order round; False if it has been."""
        if column not in self.sorts or self.table.sort_down != self.sorts[column][1]:
            return False
        self._sort(column, not self.table.sort_down)
        return True

    def _sort(self, column: str, down: bool) -> None:
        self.table.sort_column, self.table.sort_down = column, down
        self.table.release()
        self.reload()
        self.table.refresh()
        self.app.operations.say(f"sorted by {self.order()}" if column else "in the engine's order again: newest first")

    def order(self) -> str:
        """`cpu ▼`; "" for the engine's own order. For the frame: the column itself may have no room."""
        return f"{self.table.sort_column} {'▼' if self.table.sort_down else '▲'}" if self.table.sort_column else ""

    def on_table_highlighted(self, event: Table.Highlighted) -> None:
        event.stop()
        self.refresh_bindings()
        self.retitle()
        if self._resting is not None:
            self._resting.stop()
        if self.table.cursor == 0 and not self.world.subject and not self.world.subject_image:
            self.follow(event.key)  # the first row of all needs no rest
            return
        self._resting = self.set_timer(REST, lambda: self.follow(self.table.cursor_key))

    # filtering ------------------------------------------------------------------------------------

    def find(self) -> None:
        self._show_filter_line().focus()

    def put_filter(self, text: str) -> None:
        """Filter by `text` as if it had been typed and kept."""
        self.filter_text, self.filter = text, filters.parse(text)
        self._show_filter_line()

    def _show_filter_line(self) -> FilterLine:
        if self._filter_line is None:
            from tui.widgets.filter_line import FilterLine

            self._filter_line = FilterLine(self.filter_text, placeholder=self.FILTER_HELP, compact=True, id="filter")
            self.mount(self._filter_line)
        return self._filter_line

    def on_filter_line_done(self, event: FilterLine.Done) -> None:
        event.stop()
        self.close_filter(keep=event.keep)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.filter_text = event.value
        self.filter = filters.parse(event.value)
        self.reload_other()

    def close_filter(self, *, keep: bool) -> None:
        """Back to the list; the line goes if it is empty or not to be kept."""
        if not keep or not self.filter_text.strip():
            self.filter_text, self.filter = "", filters.Filter()
            if self._filter_line is not None:
                self._filter_line.remove()
                self._filter_line = None
            self.reload_other()
        self.table.focus()

    def reload_other(self) -> None:
        """Other rows were asked for: none of them keeps a place that it had among those before."""
        self.table.release()
        self.reload()

    def back(self) -> bool:
        if self.filter_text:
            self.close_filter(keep=False)
            return True
        had = self.table.clear_marks()
        self.retitle()
        return had

    def nothing_fits(self, total: int) -> list[Cell]:
        return [(("", ""),), cell(f"0 of {total} match `{plain(self.filter_text)}`. Esc clears.", "muted")]

    def count(self, shown: int, total: int) -> str:
        """`4`, `2 of 4`, with the number of marks."""
        text = str(total) if shown == total else f"{shown} of {total}"
        hidden = f", {self.table.hidden_marks} hidden" if self.table.hidden_marks else ""
        return f"{text} · {len(self.table.marks)} marked{hidden}" if self.table.marks else text
