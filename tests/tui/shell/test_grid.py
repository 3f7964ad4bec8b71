"""The terminal's screen, fed with what programs write."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui.shell.grid import HISTORY, Grid
from tui.shell.parser import LONGEST_STRING, Parser


class Screen:
    """A grid with a parser in front and its answers behind."""

    def __init__(self, columns: int = 20, lines: int = 5) -> None:
        self.answers: list[str] = []
        self.grid = Grid(columns, lines, self.answers.append)
        self.parser = Parser(self.grid)

    def write(self, *texts: str) -> Screen:
        for text in texts:
            self.parser.feed(text.encode())
        return self

    @property
    def rows(self) -> list[str]:
        return self.grid.text().split("\n")

    def styles(self, y: int = 0) -> list[tuple[str, str, str]]:
        return [(text, cell.fg, cell.bg) for text, cell in self.grid.row(y)]


def test_text_wraps_and_scrolls_into_the_history():
    screen = Screen(10, 2).write("0123456789abc\r\nsecond\r\nthird")
    assert screen.rows == ["second", "third"]
    assert ["".join(text for text, _ in runs) for runs in screen.grid.history] == ["0123456789", "abc"]


def test_the_history_does_not_grow_without_end():
    screen = Screen(10, 2).write("line\r\n" * (HISTORY + 100))
    assert len(screen.grid.history) == HISTORY


def test_sequences_may_be_cut_anywhere():
    text = "\x1b[1;31mred\x1b[0m \x1b]0;a title\x1b\\\x1bP+q436f\x1b\\你\x1b[2;3Hhere"
    whole = Screen().write(text)
    cut = Screen()
    for byte in text.encode():
        cut.parser.feed(bytes((byte,)))
    assert cut.grid.text() == whole.grid.text() == "red 你\n  here\n\n\n"
    assert cut.grid.title == "a title"
    assert cut.styles()[0] == ("red", "red", "default")


def test_what_vim_asks_of_a_terminal_leaves_no_trace():
    screen = Screen().write("\x1b[>4;2m\x1b[?4m\x1bP+q436f\x1b\\\x1b]11;?\x07\x1b[>c\x1b[6n\x1b[c\x1b[?12$p\x1b[2 qx")
    assert screen.rows[0] == "x"
    assert screen.styles()[0] == ("x", "default", "default")
    assert screen.answers == ["\x1b[>0;276;0c", "\x1b[1;1R", "\x1b[?62;22c", "\x1b[?12;2$y"]


def test_the_alternate_screen_gives_the_main_one_back_as_it_was():
    screen = Screen().write("before\x1b[?1049h\x1b[2J\x1b[H", "inside", "\n" * 30)
    assert "before" not in screen.grid.text()
    assert len(screen.grid.history) == 0
    screen.write("\x1b[?1049l", " and after")
    assert screen.rows[0] == "before and after"


def test_colours_of_every_kind():
    screen = Screen(40).write(
        "\x1b[31ma\x1b[92mb\x1b[38;5;9mc\x1b[38;5;200md\x1b[38;2;1;2;3me\x1b[38:2::4:5:6mf\x1b[38:5:1mg\x1b[48;5;4mh\x1b[mi"
    )
    assert screen.styles() == [
        ("a", "red", "default"),
        ("b", "bright_green", "default"),
        ("c", "bright_red", "default"),
        ("d", "ff00d7", "default"),
        ("e", "010203", "default"),
        ("f", "040506", "default"),
        ("g", "red", "default"),
        ("h", "red", "blue"),
        ("i", "default", "default"),
    ]


def test_erasing_paints_the_background():
    screen = Screen(6, 2).write("\x1b[44m\x1b[K\x1b[mab")
    assert screen.styles() == [("ab", "default", "default"), ("    ", "default", "blue")]


def test_wide_characters_take_two_cells_and_halves_become_blank():
    screen = Screen(5, 2).write("你好世")
    assert screen.rows == ["你好", "世"]
    screen.write("\x1b[1;2Hx")
    assert screen.rows[0] == " x好"


def test_line_drawing_characters_are_drawn():
    assert Screen().write("\x1b(0lqk\x1b(Bq").rows[0] == "┌─┐q"


def test_regions_lines_and_characters_are_moved_as_told():
    screen = Screen(8, 5).write("1\r\n2\r\n3\r\n4\r\n5", "\x1b[2;4r\x1b[2;1H\x1b[M")
    assert screen.rows == ["1", "3", "4", "", "5"]
    screen.write("\x1b[L")
    assert screen.rows == ["1", "", "3", "4", "5"]
    screen.write("\x1b[S")
    assert screen.rows == ["1", "3", "4", "", "5"]
    screen.write("\x1b[T\x1b[2;1Habcdef\x1b[2;2H\x1b[2P\x1b[@")
    assert screen.rows[1] == "a def"
    screen.write("\x1b[2;1H-\x1b[3b")
    assert screen.rows[1] == "----f"


def test_a_smaller_screen_keeps_what_is_above_the_cursor_in_the_history():
    screen = Screen(10, 4).write("1\r\n2\r\n3\r\n4")
    screen.grid.resize(2, 10)
    assert screen.rows == ["3", "4"]
    assert len(screen.grid.history) == 2
    screen.grid.resize(4, 20)
    assert screen.rows == ["3", "4", "", ""]


@pytest.mark.parametrize("hostile", ["\u202e", "\u2028", "\x9b31m", "\x85", "\u200b", "\x7f"])
def test_nothing_that_steers_a_terminal_gets_into_a_cell(hostile: str):
    screen = Screen().write(f"a{hostile}b")
    assert hostile[0] not in screen.grid.text()


def test_endless_strings_and_sequences_do_not_grow():
    screen = Screen().write("\x1b]0;" + "x" * 100_000, "y" * 100_000)
    assert len(screen.parser._collected) <= LONGEST_STRING
    screen.write("\x07", "\x1b[" + "1;" * 100_000, "mok")
    assert screen.rows[0].endswith("ok")
    assert len(screen.parser._rest) < 300


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=40),
            st.sampled_from(
                [
                    b"\x1b[",
                    b"\x1b]",
                    b"\x1bP",
                    b"\x1b[?1049h",
                    b"\x1b[9999;9999H",
                    b"\x1b[9999L",
                    b"\x1b[3;1r",
                    b"\x1b[?6h",
                    b"\x1b7",
                    b"\x1b8",
                    b"\x1b[4h",
                ]
            ),
        ),
        max_size=40,
    )
)
@settings(max_examples=150, deadline=None)
def test_nothing_a_program_writes_breaks_it(pieces: list[bytes]):
    screen = Screen(12, 4)
    for number, piece in enumerate(pieces):
        screen.parser.feed(piece)
        if number % 7 == 3:
            screen.grid.resize(2 + number % 5, 3 + number % 11)
    for y in range(screen.grid.lines):
        screen.grid.row(y)
    assert 0 <= screen.grid.cursor.y < screen.grid.lines
    assert 0 <= screen.grid.cursor.x <= screen.grid.columns
    assert all(0 <= y < screen.grid.lines for y in screen.grid.buffer)
