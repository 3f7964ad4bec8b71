"""Flags are read as Docker reads them."""

from __future__ import annotations

import pytest

from engine.cli.flags import Command, Flag, HelpWanted, UsageError, parse
from engine.errors import InvalidInput


def _even(text: str) -> int:
    if int(text) % 2:
        raise InvalidInput(f"{text} is odd")
    return int(text)


THING = Command(
    "thing",
    "[OPTIONS] NAME",
    "Do a thing",
    (
        Flag("interactive", bool, short="i"),
        Flag("tty", bool, short="t"),
        Flag("detach", bool, short="d"),
        Flag("rm", bool),
        Flag("proxy", bool, default=True),
        Flag("name", str, short="n"),
        Flag("env", list, short="e"),
        Flag("time", int),
        Flag("even", _even, short="x"),
    ),
    minimum=1,
)
STOPPING = Command("run", "", "", THING.flags, interspersed=False)


def test_short_flags_can_be_combined_and_the_last_may_take_a_value():
    args = parse(THING, ["-itdn", "web", "x"])
    assert (args.interactive, args.tty, args.detach, args.name, args.words) == (True, True, True, "web", ["x"])
    assert parse(THING, ["-itnweb", "x"]).name == "web"
    assert parse(THING, ["-n=web", "x"]).name == "web"


def test_long_flags_take_their_value_from_an_equals_sign_or_the_next_word():
    assert parse(THING, ["--name=web", "x"]).name == "web"
    assert parse(THING, ["--name", "web", "x"]).name == "web"
    assert parse(THING, ["--name=a=b", "x"]).name == "a=b"
    assert parse(THING, ["--name=", "x"]).name == ""


def test_the_value_of_a_flag_may_look_like_a_flag():
    assert parse(THING, ["-e", "-x", "--env", "--rm", "x"]).env == ["-x", "--rm"]


def test_booleans_can_be_switched_off():
    args = parse(THING, ["--rm=false", "--proxy=0", "-t=true", "x"])
    assert (args.rm, args.proxy, args.tty) == (False, False, True)


def test_flags_may_follow_arguments_unless_the_command_stops_at_the_first():
    assert parse(THING, ["x", "--rm"]).rm
    args = parse(STOPPING, ["--rm", "busybox", "ls", "--rm", "-l"])
    assert args.words == ["busybox", "ls", "--rm", "-l"]


def test_two_dashes_end_the_flags_and_one_dash_is_an_argument():
    assert parse(THING, ["--", "--rm"]).words == ["--rm"]
    assert parse(THING, ["-"]).words == ["-"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--foo"], "unknown flag: --foo"),
        (["--foo=1"], "unknown flag: --foo"),
        (["-z"], "unknown shorthand flag: 'z' in -z"),
        (["-iz"], "unknown shorthand flag: 'z' in -iz"),
        (["--name"], "flag needs an argument: --name"),
        (["-in"], "flag needs an argument: 'n' in -in"),
        (
            ["--rm=so"],
            'invalid argument "so" for "--rm" flag: strconv.ParseBool: parsing "so": invalid syntax',
        ),
        (["--time", "1s"], 'invalid argument "1s" for "--time" flag: strconv.ParseInt: parsing "1s": invalid syntax'),
        (["-x", "3"], 'invalid argument "3" for "-x, --even" flag: 3 is odd'),
    ],
)
def test_a_wrong_flag_is_told_in_the_words_of_docker_and_ends_with_125(words, message):
    with pytest.raises(UsageError) as refused:
        parse(THING, words)
    assert refused.value.message == message
    assert refused.value.exit_code == 125


@pytest.mark.parametrize(
    ("minimum", "maximum", "words", "message"),
    [
        (1, None, [], '"pilothouse v" requires at least 1 argument.'),
        (2, 2, ["a"], '"pilothouse v" requires exactly 2 arguments.'),
        (0, 1, ["a", "b"], '"pilothouse v" requires at most 1 argument.'),
        (0, 0, ["a"], '"pilothouse v" accepts no arguments.'),
    ],
)
def test_a_wrong_number_of_arguments_ends_with_1(minimum, maximum, words, message):
    with pytest.raises(UsageError) as refused:
        parse(Command("v", "", "", minimum=minimum, maximum=maximum), words)
    assert (refused.value.message, refused.value.exit_code) == (message, 1)


def test_h_asks_for_help_only_where_it_means_nothing_else():
    with pytest.raises(HelpWanted):
        parse(THING, ["-h"])
    with pytest.raises(HelpWanted):
        parse(THING, ["--help"])
    named = Command("run", "", "", (Flag("hostname", str, short="h"),))
    assert parse(named, ["-h", "box"]).hostname == "box"
