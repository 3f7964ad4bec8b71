"""The list: aligned, stable under change, dropping what matters least."""

from __future__ import annotations

from textual import events
from textual.app import App, ComposeResult

from tests.tui.conftest import screen_text
from tui import theming
from tui.widgets.table import Column, Row, Table, _fit, cell

COLUMNS = (
    Column("name", "NAME", least=6, fair=10),
    Column("state", "STATE"),
    Column("cpu", "CPU", right=True, drop=1, least=5),
    Column("image", "IMAGE", drop=2),
)


class Lists(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.table = Table(COLUMNS)
        self.heard: list[str] = []
        self.asked: list[str] = []

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return theming.variables(theming.load("dark").colors)

    def compose(self) -> ComposeResult:
        yield self.table

    def on_table_heading_clicked(self, event: Table.HeadingClicked) -> None:
        self.asked.append(event.column)

    def on_table_highlighted(self, event: Table.Highlighted) -> None:
        self.heard.append(event.key)


def rows(*names: str) -> list[Row]:
    return [
        Row(name, (cell(name), cell("running"), cell("1.0%"), cell("nginx:alpine")), ("●", "good")) for name in names
    ]


async def test_columns_are_aligned_and_the_cursor_has_a_glyph():
    app = Lists()
    async with app.run_test(size=(60, 8)) as pilot:
        app.table.show(rows("web", "a-longer-name"))
        await pilot.pause()
        heading, first, second = screen_text(app).splitlines()[:3]
        assert first.startswith("▸ ● web")
        assert second.startswith("  ● a-longer-name")
        for title, text in (("STATE", "running"), ("IMAGE", "nginx:alpine")):
            assert heading.index(title) == first.index(text) == second.index(text)
        assert heading.index("CPU") + 3 == first.index("1.0%") + 4


async def test_the_cursor_comes_back_to_its_row_after_a_filter_has_hidden_all():
    app = Lists()
    async with app.run_test(size=(60, 8)):
        app.table.show(rows("a", "web", "c"))
        app.table.select("web")
        app.table.show([], [cell("0 of 3 match")])
        app.table.show([], [cell("0 of 3 match still")])
        app.table.show(rows("a", "web", "c"))
        assert app.table.cursor_key == "web"


async def test_columns_drop_by_importance_and_names_shrink_before():
    app = Lists()
    async with app.run_test(size=(44, 8)) as pilot:
        app.table.show(rows("a-very-long-name-indeed"))
        await pilot.pause()
        assert "IMAGE" not in screen_text(app)
        assert "CPU" in screen_text(app)
        await pilot.resize_terminal(24, 8)
        await pilot.pause()
        text = screen_text(app)
        assert "CPU" not in text
        assert "STATE" in text
        assert "…" in text
        await pilot.resize_terminal(80, 8)
        await pilot.pause()
        assert "a-very-long-name-indeed" in screen_text(app)
        assert "nginx:alpine" in screen_text(app)


async def test_the_cursor_follows_its_row_and_not_its_place():
    app = Lists()
    async with app.run_test(size=(60, 8)) as pilot:
        app.table.show(rows("a", "b", "c"))
        await pilot.press("j")
        assert app.table.cursor_key == "b"
        app.table.show(rows("new", "a", "b", "c"))
        assert app.table.cursor_key == "b"
        app.table.show(rows("new", "a", "c"))
        await pilot.pause()
        assert app.table.cursor_key == "c"
        assert app.heard == ["a", "b", "c"]


async def test_marks_go_with_their_rows():
    app = Lists()
    async with app.run_test(size=(60, 8)):
        app.table.show(rows("a", "b", "c"))
        app.table.mark()
        app.table.mark()
        assert app.table.chosen() == ["a", "b"]
        app.table.show(rows("b", "c"))
        assert app.table.chosen() == ["b"]
        assert app.table.clear_marks()
        assert app.table.chosen() == ["c"]  # the one under the cursor


async def test_a_long_list_scrolls_under_its_heading():
    app = Lists()
    async with app.run_test(size=(60, 6)) as pilot:
        app.table.show(rows(*(f"row-{number}" for number in range(50))))
        await pilot.press("G")
        await pilot.pause()
        lines = screen_text(app).splitlines()
        assert "NAME" in lines[0]
        assert "row-49" in lines[5]
        assert app.table.visible_keys() == [f"row-{number}" for number in range(45, 50)]
        await pilot.press("g", "pagedown")
        assert app.table.cursor_key == "row-4"


async def test_a_click_selects_and_a_click_on_the_heading_asks_to_sort():
    app = Lists()
    async with app.run_test(size=(60, 8)) as pilot:
        app.table.show(rows("a", "b", "c"))
        await pilot.pause()
        await pilot.click(Table, offset=(6, 2))
        assert app.table.cursor_key == "b"
        await pilot.click(Table, offset=(5, 0))
        await pilot.pause()
        assert app.asked == ["name"]


async def test_a_click_is_for_the_row_that_was_painted_there():
    app = Lists()
    async with app.run_test(size=(60, 8)) as pilot:
        app.table.show(rows("a", "b", "c"))
        await pilot.pause()
        app.table.show(rows("b", "a", "c"))  # not painted yet
        offset = {"widget": app.table, "x": 6, "y": 1, "delta_x": 0, "delta_y": 0, "button": 1}
        pressed = events.MouseDown(**offset, shift=False, meta=False, ctrl=False, screen_x=6, screen_y=1)
        app.table.on_mouse_down(pressed)
        app.table.show(rows("c", "b", "a"))
        await pilot.pause()
        app.table.on_click(events.Click(**offset, shift=False, meta=False, ctrl=False, screen_x=6, screen_y=1, chain=1))
        assert app.table.cursor_key == "a"
        assert app.table.cursor == 2


async def test_markup_in_a_cell_is_text():
    app = Lists()
    async with app.run_test(size=(60, 8)) as pilot:
        app.table.show([Row("x", (cell("[red]x[/red]"), cell("running"), cell("-"), cell("y")))])
        await pilot.pause()
        assert "[red]x[/red]" in screen_text(app)


async def test_of_a_long_text_the_part_that_tells_apart_is_shown():
    app = Lists()
    app.table = Table((Column("image", "IMAGE", least=8, fair=8, end=True), Column("state", "STATE", least=8, fair=8)))
    async with app.run_test(size=(26, 4)) as pilot:
        state = (("exit 127", "bad"), (" not found", "bad"))
        app.table.show([Row("1", (cell("registry.example.com/team/api:7"), state), ("●", "good"))])
        await pilot.pause()
        row = screen_text(app).splitlines()[1]
        assert "…/api:7 " in row
        assert row.rstrip().endswith("exit 127")


def test_a_path_that_is_too_long_keeps_its_last_names_whole():
    image = "127.0.0.1:5000/library/busybox:1"
    assert _fit(image, 19, right=False, end=True) == "…/library/busybox:1"
    assert _fit(image, 18, right=False, end=True) == "…/busybox:1       "
    assert _fit(image, 9, right=False, end=True) == "…usybox:1"
    assert _fit("a-volume-that-is-long", 8, right=False, end=True) == "…is-long"


async def test_what_an_empty_list_says_is_broken_at_spaces():
    app = Lists()
    async with app.run_test(size=(30, 8)) as pilot:
        app.table.show(
            [], [cell(""), (("Once it runs, ", "muted"), ("+", "title"), (" publishes one; R runs it anew.", ""))]
        )
        await pilot.pause()
        said = [line.strip() for line in screen_text(app).splitlines()]
        assert said[2:4] == ["Once it runs, + publishes", "one; R runs it anew."]
        app.table.show([], [cell("a-word-that-is-wider-than-the-list is cut")])
        await pilot.pause()
        assert [line.strip() for line in screen_text(app).splitlines()][2] == "is cut"


async def test_a_mark_stays_on_what_is_hidden_and_nothing_is_chosen_for_it():
    app = Lists()
    async with app.run_test(size=(60, 8)):
        app.table.show(rows("a", "b", "c"))
        app.table.mark()
        app.table.mark()
        app.table.show(rows("b", "c"), hidden=("a", "b", "c"))
        assert (app.table.chosen(), app.table.hidden_marks) == (["b"], 1)
        app.table.show(rows("c"), hidden=("a", "b", "c"))
        assert (app.table.chosen(), app.table.hidden_marks) == ([], 2)
        app.table.show(rows("b", "c"), hidden=("b", "c"))  # a is gone for good
        app.table.show(rows("a", "b", "c"), hidden=())
        assert app.table.chosen() == ["b"]
