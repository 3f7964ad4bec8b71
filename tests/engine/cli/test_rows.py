"""What the lists say of a container and of an image."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.cli.containerrows import HEADERS, TABLE, container_row, status
from engine.cli.imagerows import names
from engine.cli.listing import listing, table
from engine.cli.rows import Row, fixed_row
from engine.cli.terminal import safe
from engine.models import Container, Image, ImageConfig, Platform, RunOptions, State

NOW = 1_700_000_000.0
BOX = Container(
    id="0123456789abcdef" * 4,
    name="web",
    image="busybox:1",
    image_id="sha256:1",
    command=("sh", "-c", 'echo "a long command"'),
    options=RunOptions("busybox:1", labels={"b": "2", "a": "1"}),
    created=NOW - 7200,
    state=State.RUNNING,
    started=NOW - 180,
)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "Up 3 minutes"),
        ({"state": State.PAUSED}, "Up 3 minutes (Paused)"),
        ({"state": State.CREATED}, "Created"),
        ({"state": State.EXITED, "exit_code": 137, "finished": NOW - 7200}, "Exited (137) 2 hours ago"),
        ({"state": State.RESTARTING, "exit_code": 1, "finished": NOW - 5}, "Restarting (1) 5 seconds ago"),
        ({"state": State.DEAD}, "Dead"),
    ],
)
def test_the_status_reads_as_with_docker(changes, text):
    assert status(replace(BOX, **changes), NOW) == text


def test_the_table_of_containers_is_set_as_docker_sets_it():
    row = container_row(BOX, lambda image_id: None, truncate=True, size=None)
    lines = listing([row], "table {{.ID}}\\t{{.Command}}\\t{{.Names}}", HEADERS, TABLE).splitlines()
    assert lines == [
        "CONTAINER ID   COMMAND                   NAMES",
        '0123456789ab   "sh -c echo \\"a long …"   web',
    ]


def test_labels_can_be_asked_for_one_by_one_or_together():
    row = container_row(BOX, lambda image_id: None, truncate=True, size=None)
    assert listing([row], '{{.Label "a"}} {{.Labels}}', HEADERS, TABLE) == "1 a=1,b=2\n"


def test_a_list_in_json_has_an_object_on_each_line():
    assert listing([fixed_row({"B": "2", "A": "1"})] * 2, "json", {}, ()) == '{"A":"1","B":"2"}\n' * 2


def test_an_empty_list_has_its_heading():
    assert listing([], "", HEADERS, TABLE).startswith("CONTAINER ID   IMAGE     COMMAND   CREATED   STATUS    PORTS")


def test_control_characters_in_a_cell_cannot_steer_the_terminal_or_break_the_table():
    assert table([["A", "B"], ["\x1b[31mred\nx", "y"]]).splitlines()[1].startswith("\\x1b[31mred\\x0ax   y")


def test_safe_text_shows_what_would_steer_a_terminal():
    assert safe("a\x1b]0;title\x07b\x9b1m\u202ec\x7f\udcff") == "a\\x1b]0;title\\x07b\\x9b1m\\u202ec\\x7f\\xff"
    assert safe("line\nnext\tcell é", keep="\n\t") == "line\nnext\tcell é"


def image(references: tuple[str, ...], digests: tuple[str, ...] = ()) -> Image:
    return Image("sha256:1", "", references, digests, Platform("linux", "amd64"), NOW, 1, ImageConfig(), ())


def test_an_image_has_a_row_for_each_of_its_names():
    digest = "sha256:" + "a" * 64
    found = names(image(("docker.io/library/redis:7", "localhost/x:1"), (f"docker.io/library/redis@{digest}",)))
    assert found == [("redis", "7", digest), ("localhost/x", "1", "<none>")]
    assert names(image((), (f"docker.io/library/redis@{digest}",))) == [("redis", "<none>", digest)]
    assert names(image(())) == [("<none>", "<none>", "<none>")]


def test_a_row_prints_itself_as_a_map():
    assert isinstance(fixed_row({"A": 1}), Row)
    assert listing([fixed_row({"A": 1})], "{{.}}", {}, ()) == "map[A:1]\n"
