"""One table makes bindings, footer, help, palette and README: it must hold together."""

from __future__ import annotations

from collections import Counter

from textual.binding import Binding

from tests.conftest import PROJECT
from tui import keymap
from tui.dashboard import Dashboard
from tui.dialogs.help import help_lines
from tui.files.pane import FilesPane
from tui.images.pane import ImagePane
from tui.inspect.outline import Outline
from tui.inspect.pane import InspectPane
from tui.logs.view import LogView
from tui.panes.containers import ContainersPane
from tui.panes.detail_pane import DetailPane
from tui.panes.images import ImagesPane
from tui.panes.ports import PortsPane
from tui.panes.stats import StatsView
from tui.panes.volumes import VolumesPane
from tui.processes.pane import ProcessesPane
from tui.shell.pane import ShellPane
from tui.shell.screen import ShellScreen
from tui.welcome.pane import WelcomePane
from tui.widgets.table import Table
from tui.widgets.text_view import TextView

OWNERS = {
    "app": Dashboard,
    "containers": ContainersPane,
    "images": ImagesPane,
    "layers": ImagePane,
    "volumes": VolumesPane,
    "list": ContainersPane,
    "rows": Table,
    "logs": LogView,
    "ports": PortsPane,
    "stats": StatsView,
    "detail": TextView,
    "welcome": WelcomePane,
    "tree": Outline,
    "inspect": InspectPane,
    "processes": ProcessesPane,
    "files": FilesPane,
    "container": DetailPane,
    "shelltab": ShellPane,
    "shell": ShellScreen,
}


def test_every_id_is_there_once_and_belongs_to_a_pane():
    assert [id for id, count in Counter(key.id for key in keymap.KEYS).items() if count > 1] == []
    assert {key.pane for key in keymap.KEYS} == set(keymap.PANES) == set(OWNERS)


def test_no_key_means_two_things_in_one_place():
    assert {pane for place in keymap.PLACES for pane in place} == set(keymap.PANES)
    assert list(keymap.clashes(keymap.defaults())) == []


def test_every_action_can_be_done_by_the_pane_it_belongs_to():
    for key in keymap.KEYS:
        name = key.action.split("(")[0]
        assert hasattr(OWNERS[key.pane], f"action_{name}"), key.id


def test_every_key_is_bound_where_it_belongs():
    for key in keymap.KEYS:
        bound = {binding.id for binding in OWNERS[key.pane].BINDINGS if isinstance(binding, Binding)}
        assert key.id in bound, key.id


def test_no_key_needs_ctrl_and_tabs_have_keys_a_german_keyboard_can_type():
    for key in keymap.KEYS:
        assert any(not each.startswith("ctrl+") for each in key.keys), key.id
    assert "greater_than_sign" in keymap.BY_ID["app.next_tab"].keys


def test_help_and_readme_name_every_key():
    panes = tuple(keymap.PANES)
    for line in help_lines(panes, 31, keymap.defaults()):  # of a screen of 40 columns
        assert len("".join(text for text, _ in line).rstrip()) <= 31
    helped = "\n".join("".join(text for text, _ in line) for line in help_lines(panes, 200, keymap.defaults()))
    for key in keymap.KEYS:
        assert key.help in helped
        assert f"| {key.help} |" in keymap.readme_table()


def test_the_readme_has_the_table_of_keys() -> None:
    assert keymap.readme_table() in (PROJECT / "README.md").read_text(), "run `python -m tests.screenshots`"
