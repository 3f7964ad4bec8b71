"""Capability sets as Docker makes them."""

from __future__ import annotations

import pytest

from engine.errors import InvalidInput
from engine.runtime import capabilities

ALL = tuple(capabilities.NUMBERS)


def test_the_default_set_is_dockers():
    assert capabilities.mask(capabilities.chosen(available=ALL)) == 0xA80425FB


def test_names_are_read_with_and_without_prefix_in_any_case():
    assert capabilities.chosen(["net_admin", "CAP_SYS_TIME"], available=ALL)[-2:] == ("CAP_NET_ADMIN", "CAP_SYS_TIME")


def test_drop_all_leaves_what_is_added():
    assert capabilities.chosen(["CHOWN"], ["ALL"], available=ALL) == ("CAP_CHOWN",)


def test_add_all_leaves_out_what_is_dropped():
    chosen = capabilities.chosen(["ALL"], ["SYS_ADMIN"], available=ALL)
    assert set(ALL) - set(chosen) == {"CAP_SYS_ADMIN"}


def test_privileged_is_everything_the_engine_has():
    assert capabilities.chosen(privileged=True) == capabilities.bounding()


def test_a_default_the_engine_lacks_is_left_out_and_one_asked_for_is_an_error():
    assert capabilities.chosen(available=["CAP_CHOWN"]) == ("CAP_CHOWN",)
    with pytest.raises(InvalidInput, match="CAP_SYS_TIME cannot be added"):
        capabilities.chosen(["SYS_TIME"], available=["CAP_CHOWN"])


@pytest.mark.parametrize(("add", "drop", "field"), [(["FOO"], [], "CapAdd"), ([], ["FOO"], "CapDrop")])
def test_an_unknown_name_is_refused_in_dockers_words(add, drop, field):
    with pytest.raises(InvalidInput, match=f'invalid {field}: unknown capability: "CAP_FOO"'):
        capabilities.chosen(add, drop)


def test_mask_and_names_are_each_others_inverse():
    assert capabilities.names(capabilities.mask(ALL)) == ALL
    assert max(capabilities.NUMBERS.values()) == 40
