"""The light dataclasses behave as the standard library's do."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import subprocess
import sys

import pytest

from engine.frozen import asdict, replace
from engine.models import Event, Mount, PortMapping, Resources, RunOptions
from tests.conftest import PROJECT

OPTIONS = RunOptions("redis", ports=(PortMapping(80, 8080),), resources=Resources(memory=5), labels={"a": "b"})


def test_positions_names_defaults_and_factories_fill_the_fields() -> None:
    event = Event(1.0, "container", "start", id="x")
    assert (event.time, event.id, event.name, event.attributes, event.cursor) == (1.0, "x", "", {}, 0)
    assert Event(1.0, "a", "b", "c").attributes is not Event(1.0, "a", "b", "c").attributes


def test_a_missing_a_superfluous_and_an_unknown_argument_are_type_errors() -> None:
    for values, named in (((), {}), ((1,) * 9, {}), ((1,), {"colour": 2})):
        with pytest.raises(TypeError):
            PortMapping(*values, **named)


def test_equal_fields_make_equal_and_equally_hashed_values() -> None:
    assert PortMapping(80) == PortMapping(80) != PortMapping(81)
    assert len({PortMapping(80), PortMapping(80)}) == 1
    assert PortMapping(80) != (80, 0, "", "tcp")


def test_nothing_can_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        OPTIONS.name = "x"  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        del OPTIONS.name
    with pytest.raises(AttributeError):
        object.__setattr__(OPTIONS, "other", 1)


def test_replace_and_asdict_agree_with_the_standard_librarys() -> None:
    assert replace(OPTIONS, name="x") == dataclasses.replace(OPTIONS, name="x")
    assert asdict(OPTIONS) == dataclasses.asdict(OPTIONS)
    assert [field.name for field in dataclasses.fields(Mount)] == list(Mount.__match_args__)


def test_copies_pickles_and_prints() -> None:
    assert copy.copy(OPTIONS) == copy.deepcopy(OPTIONS) == pickle.loads(pickle.dumps(OPTIONS)) == OPTIONS
    assert repr(PortMapping(80)) == "PortMapping(container_port=80, host_port=0, host_ip='', protocol='tcp')"


def test_the_models_do_not_import_the_standard_librarys() -> None:
    code = "import sys, engine.models; sys.exit('dataclasses' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT).returncode == 0
