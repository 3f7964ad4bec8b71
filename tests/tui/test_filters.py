"""The filter line: words and terms, all of which must fit."""

from __future__ import annotations

from engine.models import Container, Image, ImageConfig, Platform, PortMapping, RunOptions, State
from tui.filters import parse

OPTIONS = RunOptions(image="redis:7", labels={"tier": "Front"})
PORTS = (PortMapping(80, 8080),)
WEB = Container("ab" * 32, "web", "redis:7", "sha256:1", ("bad-server",), OPTIONS, 0.0, State.RUNNING, ports=PORTS)
OLD = Container(
    "cd" * 32, "old", "nginx", "sha256:2", ("nginx",), RunOptions(image="nginx"), 0.0, State.EXITED, exit_code=3
)


def fits(line: str) -> list[str]:
    return [container.name for container in (WEB, OLD) if parse(line).fits_container(container)]


def test_an_empty_line_fits_everything():
    assert fits("") == ["web", "old"]
    assert not parse("  ")


def test_words_look_at_what_the_list_shows():
    assert fits("WEB") == fits("redis:7") == fits("running") == fits("8080") == fits("8080→80") == ["web"]
    assert fits("exit 3") == ["old"]


def test_words_look_at_no_command_and_at_an_id_from_six_digits_on_and_from_its_start():
    assert fits("bad") == fits("server") == fits("ab") == fits("ababa") == fits("bababa") == []
    assert fits("ababab") == fits("id:a") == fits("command:bad-s") == ["web"]
    assert fits("id:b") == []


def test_a_filter_for_a_state_says_so():
    assert parse("status:exit").asks_for_state
    assert not parse("exit status:").asks_for_state


def test_words_look_at_the_names_of_an_image_as_the_list_shows_them():
    config = ImageConfig(labels={"tier": "front"})
    names = ("docker.io/library/redis:7",)
    image = Image("sha256:" + "ab" * 32, "sha256:1", names, (), Platform("linux", "amd64"), 0.0, 1, config, ())
    for line, wanted in {
        "redis": True,
        "library": False,
        "docker.io": False,
        "image:docker.io": True,
        "ab": False,
        "ababab": True,
        "sha256:ababab": True,
        "id:ab": True,
        "label:tier=front": True,
    }.items():
        assert parse(line).fits_image(image) is wanted, line


def test_terms_look_at_one_thing_each():
    assert fits("status:running") == fits("label:tier=front") == fits("image:redis") == ["web"]
    assert fits("status:exit") == ["old"]
    assert fits("image:redis status:exit") == []


def test_a_term_still_being_typed_hides_nothing():
    assert fits("status:") == ["web", "old"]
