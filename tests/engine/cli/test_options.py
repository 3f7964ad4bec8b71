"""The line of `run` becomes RunOptions, and RunOptions become a line."""

from __future__ import annotations

import shlex
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.cli.options import command_line, parse_run
from engine.errors import InvalidInput
from engine.models import Mount, PortMapping, Resources, RestartPolicy, RunOptions, Ulimit


def parsed(line: str) -> RunOptions:
    return parse_run(shlex.split(line))


def refusal(line: str) -> str:
    with pytest.raises(InvalidInput) as refused:
        parsed(line)
    return refused.value.message


def test_a_line_of_docker_can_be_pasted_with_or_without_its_head():
    wanted = RunOptions("nginx", name="web", detach=True, ports=(PortMapping(80, 8080),))
    for head in (
        "docker run",
        "podman run",
        "docker container run",
        "pilothouse run",
        "/usr/bin/docker run",
        "run",
        "",
    ):
        assert parsed(f"{head} -d --name web -p 8080:80 nginx") == wanted


def test_options_stop_at_the_image():
    options = parsed("run -it busybox ls -l --rm")
    assert (options.image, options.command, options.remove) == ("busybox", ("ls", "-l", "--rm"), False)


def test_the_limits_are_read_with_their_units():
    options = parsed("run -m 512m --memory-swap 1g --cpus 1.5 --pids-limit 100 --shm-size 128m --ulimit nofile=5:9 x")
    assert options.resources == Resources(512 << 20, 1 << 30, 1.5, 100)
    assert options.shm_size == 128 << 20
    assert options.ulimits == (Ulimit("nofile", 5, 9),)
    assert parsed("run -m 64m --memory-swap -1 x").resources.memory_swap == -1


def test_an_empty_entrypoint_takes_the_one_of_the_image_away():
    assert parsed("run --entrypoint '' x y").entrypoint == ()
    assert parsed("run --entrypoint sh x").entrypoint == ("sh",)
    assert parsed("run x").entrypoint is None


def test_restart_policies():
    assert parsed("run --restart on-failure:3 x").restart == RestartPolicy("on-failure", 3)
    assert parsed("run --restart unless-stopped x").restart == RestartPolicy("unless-stopped")
    assert refusal("run --restart sometimes x") == "pilothouse: invalid restart policy 'sometimes'"
    assert "maximum retry count cannot be used" in refusal("run --restart always:3 x")
    assert "maximum retry count must be an integer" in refusal("run --restart on-failure:x x")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("run --rm --restart always x", "conflicting options: cannot specify both --restart and --rm"),
        ("run --pull soon x", 'invalid pull option: \'soon\': must be one of "always", "missing" or "never"'),
        ("run -w tmp x", "the working directory 'tmp' is invalid, it needs to be an absolute path"),
        ("run -p 99999:80 x", "invalid hostPort: 99999"),
        ("run -m 1k x", "Minimum memory limit allowed is 6MB"),
        ("run -m 64m --memory-swap 32m x", "Minimum memoryswap limit should be larger than memory limit, see usage"),
        ("run --cpus 4000 x", "Range of CPUs is from 0.01 to "),
        ("run -v /a:/x -v /b:/x/ x", "Duplicate mount point: /x/"),
        ("run --security-opt foo x", 'Invalid --security-opt: "foo"'),
        ("run --security-opt seccomp=/nope x", "opening seccomp profile (/nope) failed: open /nope: no such file"),
    ],
)
def test_contradictions_are_refused_in_the_words_of_docker(line, message):
    assert message in refusal(line)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("run --foo x", "unknown flag: --foo"),
        ("run", '"pilothouse run" requires at least 1 argument.'),
        ("run -m x x", 'invalid argument "x" for "-m, --memory" flag: invalid size: \'x\''),
        ("run --ulimit foo x", 'invalid argument "foo" for "--ulimit" flag: invalid ulimit argument: foo'),
        ("run --ulimit foo=1 x", 'invalid argument "foo=1" for "--ulimit" flag: invalid ulimit type: foo'),
        (
            "run --ulimit nofile=5:3 x",
            'invalid argument "nofile=5:3" for "--ulimit" flag: '
            "ulimit soft limit must be less than or equal to hard limit: 5 > 3",
        ),
        ("run --add-host a x", 'invalid argument "a" for "--add-host" flag: bad format for add-host: "a"'),
        ("run --add-host a:b x", 'invalid argument "a:b" for "--add-host" flag: invalid IP address in add-host: "b"'),
        ("run --dns x x", 'invalid argument "x" for "--dns" flag: IP address is not correctly formatted: x'),
        ("run --cpus x x", 'invalid argument "x" for "--cpus" flag: failed to parse x as a rational number'),
        ("run -e = x", 'invalid argument "=" for "-e, --env" flag: invalid environment variable: ='),
        ("run -l =x x", 'invalid argument "=x" for "-l, --label" flag: invalid label \'=x\': empty name'),
        ("run --help", "--help asks for help; it is no option of a container"),
    ],
)
def test_values_that_cannot_be_read_are_refused_in_the_words_of_docker(line, message):
    assert refusal(line) == message


def test_flags_that_only_docker_has_are_named_all_at_once_when_a_line_is_pasted():
    message = refusal("docker run --gpus all -d --device=/dev/fuse --oom-kill-disable --name x nginx")
    assert message == "not supported yet: --device, --gpus, --oom-kill-disable"


def test_a_range_of_host_ports_for_one_container_port_takes_the_first_that_is_free():
    options = parse_run(["-p", "8000-8010:80", "x"], is_free=lambda ip, port, protocol: port == 8004)
    assert options.ports == (PortMapping(80, 8004),)


WORD = st.text(string.ascii_letters + string.digits + "-_./ '\"$ü=", min_size=1, max_size=12)
NAME = st.from_regex("[a-z][a-z0-9_]{0,8}", fullmatch=True)
PATH = st.from_regex("/[a-z][a-z0-9/]{0,8}[a-z]", fullmatch=True)
PORTS = st.builds(
    PortMapping,
    st.integers(1, 65535),
    st.integers(0, 65535),
    st.sampled_from(("", "127.0.0.1", "0.0.0.0", "::1", "::")),
    st.sampled_from(("tcp", "udp")),
)
NOCOPY = st.sampled_from(((), ("nocopy",)))
SIZED = st.sampled_from(((), ("size=65536", "mode=1777")))
MOUNTS = st.one_of(
    st.builds(Mount, st.just("bind"), PATH, PATH, st.booleans(), st.sampled_from(((), ("rslave",)))),
    st.builds(Mount, st.just("bind"), PATH, PATH, st.booleans(), st.sampled_from((("create",), ("create", "shared")))),
    st.builds(Mount, st.just("volume"), PATH, st.just("") | NAME.map("v".__add__), st.booleans(), NOCOPY),
    st.builds(Mount, st.just("tmpfs"), PATH, st.just(""), st.booleans(), SIZED),
)
OPTIONS = st.builds(
    RunOptions,
    image=NAME,
    command=st.lists(WORD, max_size=3).map(tuple),
    name=st.just("") | NAME,
    entrypoint=st.none() | st.just(()) | st.tuples(WORD),
    env=st.lists(st.tuples(NAME, WORD).map("=".join), max_size=3).map(tuple),
    labels=st.dictionaries(NAME, WORD, max_size=2),
    user=st.sampled_from(("", "root", "1000:1000")),
    working_dir=st.just("") | PATH,
    hostname=st.just("") | NAME,
    tty=st.booleans(),
    interactive=st.booleans(),
    detach=st.booleans(),
    network=st.sampled_from(("bridge", "none", "host")),
    ports=st.lists(PORTS, max_size=3, unique=True).map(tuple),
    publish_all=st.booleans(),
    mounts=st.lists(MOUNTS, max_size=3, unique_by=lambda mount: mount.target.replace("//", "/")).map(tuple),
    resources=st.builds(
        Resources,
        memory=st.just(0) | st.integers(6 << 20, 1 << 40),
        memory_swap=st.sampled_from((0, -1)),
        cpus=st.sampled_from((0.0, 0.5, 1.0)),
        pids=st.integers(0, 1000),
    ),
    restart=st.sampled_from((RestartPolicy(), RestartPolicy("always"), RestartPolicy("on-failure", 5))),
    cap_add=st.lists(st.sampled_from(("NET_ADMIN", "SYS_TIME")), max_size=2).map(tuple),
    security_opt=st.sampled_from(((), ("no-new-privileges",), ("seccomp=unconfined",))),
    privileged=st.booleans(),
    read_only=st.booleans(),
    ulimits=st.sampled_from(((), (Ulimit("nofile", 5, 9), Ulimit("nproc", -1, -1)))),
    extra_hosts=st.sampled_from(((), ("a:10.0.0.1", "b:::1"))),
    dns=st.sampled_from(((), ("1.1.1.1", "::1"))),
    init=st.booleans(),
    stop_signal=st.sampled_from(("", "SIGINT")),
    stop_timeout=st.sampled_from((None, 0.0, 5.0)),
    platform=st.sampled_from(("", "linux/arm64")),
    pull=st.sampled_from(("missing", "always", "never")),
    shm_size=st.sampled_from((64 << 20, 1 << 20, 12345)),
)


@given(OPTIONS)
@settings(max_examples=150, deadline=None)
def test_the_command_line_of_options_is_read_back_as_the_same_options(options):
    line = command_line(options)
    assert parse_run(shlex.split(line)) == options, line
