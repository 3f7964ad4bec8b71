"""The run form is the command line in pieces."""

from __future__ import annotations

import shlex

import pytest

from engine.cli.options import parse_run
from engine.errors import InvalidInput
from engine.models import PortMapping
from tui.run_line import Fields, PortRow, fields_from, fields_of, is_run_line, line_of, options_of


def test_fields_become_run_options():
    fields = Fields(
        "redis:7",
        "cache",
        "redis-server --save ''",
        ports=(PortRow("8080", "80"), PortRow("53", "53/udp"), PortRow("", "443"), PortRow("any", "22")),
        env=("A=1", "B=x y"),
        volumes=("data:/data", ""),
        memory="64m",
        remove=True,
    )
    options = options_of(fields)
    assert options.command == ("redis-server", "--save", "")
    assert options.ports == (PortMapping(80, 8080), PortMapping(53, 53, protocol="udp"), PortMapping(22))
    assert options.env == ("A=1", "B=x y")
    assert (options.name, options.remove, options.detach, options.resources.memory) == ("cache", True, True, 64 << 20)


def test_a_port_row_takes_addresses_any_port_and_a_whole_mapping():
    rows = (PortRow("127.0.0.1:8080", "80"), PortRow("127.0.0.1:any", "81"), PortRow("[::1]:9000:90"), PortRow("1:2"))
    assert options_of(Fields("x", ports=rows)).ports == (
        PortMapping(80, 8080, "127.0.0.1"),
        PortMapping(81, 0, "127.0.0.1"),
        PortMapping(90, 9000, "::1"),
        PortMapping(2, 1),
    )


def test_the_line_that_is_shown_means_the_same():
    fields = Fields(
        "redis:7",
        "cache",
        "redis-server",
        ports=(PortRow("8080", "80"),),
        env=("A=1",),
        volumes=("data:/data",),
        memory="64m",
        cpus="0.5",
        user="1000:1000",
        workdir="/srv",
        hostname="h",
        restart="on-failure:3",
        entrypoint="sh",
        options="--cap-drop ALL",
        pull="always",
    )
    assert parse_run(shlex.split(line_of(fields))) == options_of(fields)
    assert fields_from(options_of(fields)) == fields


def test_without_detach_the_container_gets_a_terminal_to_attach_to():
    assert line_of(Fields("redis:7", detach=False)) == "pilothouse run -it redis:7"
    assert not fields_of("docker run -it redis:7")[0].detach
    assert fields_of("docker run redis:7")[0].detach
    assert fields_of("docker run -dit redis:7")[0].options == "-it"


@pytest.mark.parametrize(
    "line",
    [
        "docker run -d --name web -p 8080:80 -e TZ=Europe/Oslo -v data:/srv:ro nginx:alpine",
        "podman run --rm -it --memory 256m --cap-drop ALL redis:7 redis-server --port 1",
        "sudo docker run --privileged --tmpfs /run --entrypoint sh busybox -c 'echo $HOME'",
    ],
)
def test_a_pasted_line_falls_into_the_fields_and_out_again(line: str):
    words = [word for word in shlex.split(line) if word != "sudo"]
    expected = parse_run(words)
    options = options_of(fields_of(line)[0])
    assert (options.image, options.command, options.ports, options.env) == (
        expected.image,
        expected.command,
        expected.ports,
        expected.env,
    )
    assert (options.mounts, options.entrypoint, options.privileged) == (
        expected.mounts,
        expected.entrypoint,
        expected.privileged,
    )
    assert options.resources == expected.resources


def test_flags_of_dockers_that_there_are_not_are_named_and_the_rest_is_taken():
    fields, left_out = fields_of(
        "docker run --gpus all -d --device=/dev/a --device /dev/b --oom-kill-disable -e A=1 nginx x"
    )
    assert sorted(left_out) == ["--device /dev/a", "--device /dev/b", "--gpus all", "--oom-kill-disable"]
    assert (fields.image, fields.command, fields.env, fields.options) == ("nginx", "x", ("A=1",), "")


def test_a_flag_that_nobody_knows_is_named_and_nothing_is_taken():
    with pytest.raises(InvalidInput, match="unknown flag: --gpu"):
        fields_of("docker run --gpu all nginx")


def test_only_whole_lines_count_as_pasted():
    assert is_run_line("docker run nginx")
    assert is_run_line("$ sudo podman run nginx")
    assert not is_run_line("docker")
    assert not is_run_line("runner/docker:1")


def test_an_open_quote_is_a_problem_of_its_field():
    with pytest.raises(InvalidInput, match="options"):
        options_of(Fields("x", options="'A=1"))
