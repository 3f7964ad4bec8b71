"""The start of a container: what its first process finds, and what is told when there is none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.errors import CommandNotExecutable, CommandNotFound, RuntimeFailure
from engine.runtime import cgroups, control, launch
from tests.engine.runtime.conftest import Containers, bind, eventually, finish, frames, read_until


def test_output_comes_from_the_first_byte_and_goes_to_the_log_too(containers: Containers) -> None:
    container = containers.make(["sh", "-c", "echo out; echo err >&2"])
    result = finish(containers.attached(container))
    assert (result.code, result.stdout, result.stderr) == (0, b"out\n", b"err\n")
    assert sorted(containers.log(container)) == ["err", "out"]


def test_the_exit_code_is_the_commands_and_128_and_more_for_a_signal(containers: Containers) -> None:
    assert containers.sh("exit 7").code == 7
    assert containers.sh("sh -c 'kill -TERM $$'; exit $?").code == 143
    container = containers.started(["sleep", "60"])
    attachment = control.attach(containers.settings, container)
    os.kill(containers.status(container).pid, 9)
    assert finish(attachment).code == 137


@pytest.mark.parametrize(
    ("command", "error", "words"),
    [
        ("frobnicate", CommandNotFound, 'exec: "frobnicate": executable file not found in $PATH'),
        ("/no/such", CommandNotFound, 'exec: "/no/such": stat /no/such: no such file or directory'),
        ("/script", CommandNotFound, "exec /script: no such file or directory"),
        ("/etc/passwd", CommandNotExecutable, 'exec: "/etc/passwd": permission denied'),
        ("/etc", CommandNotExecutable, 'exec: "/etc": is a directory'),
        ("/noise", CommandNotExecutable, 'exec: "/noise": exec format error'),
    ],
)
def test_a_command_that_cannot_run_is_told_in_dockers_words_and_leaves_nothing(
    containers: Containers, command: str, error: type[RuntimeFailure], words: str
) -> None:
    for name, content in (("script", "#!/no/interpreter\n"), ("noise", "\x00\x01noise")):
        (containers.image / name).write_text(content)
        (containers.image / name).chmod(0o755)
    container = containers.make([command])
    with pytest.raises(error) as raised:
        launch.start(containers.settings, container)
    assert str(raised.value) == f"OCI runtime create failed: {words}"
    now = containers.status(container)
    assert (now.state, now.exit_code, now.live) == ("created", error.exit_code, False)
    assert not any(
        Path(path).exists() for path in cgroups.find(f"{containers.settings.cgroup_parent}/{container}").directories
    )
    assert [left.name for left in containers.settings.run_dir(container).iterdir()] == ["monitor.log"]


def test_a_start_that_fails_in_the_middle_names_its_stage_and_leaves_nothing(containers: Containers) -> None:
    container = containers.make(["true"], mounts=[{"destination": "/x", "type": "nofs", "source": "nofs"}])
    with pytest.raises(RuntimeFailure, match="nofs") as raised:
        launch.start(containers.settings, container)
    assert raised.value.stage == "mount /x"
    assert cgroups.pids(f"{containers.settings.cgroup_parent}/{container}") == []
    assert not any(
        Path(path).exists() for path in cgroups.find(f"{containers.settings.cgroup_parent}/{container}").directories
    )


def test_the_process_is_what_the_bundle_says(containers: Containers) -> None:
    script = (
        "id -u; id -g; id -G; pwd; echo $GREETING; umask; hostname; ulimit -n; stat -c %a /made/for/you; echo $HOME"
    )
    user = {"uid": 1234, "gid": 2345, "additionalGids": [5, 6], "umask": 0o077}
    result = containers.sh(
        script,
        process={
            "user": user,
            "cwd": "/made/for/you",
            "env": ["PATH=/usr/bin:/bin", "GREETING=old", "GREETING=hello you", "HOME=/nowhere"],
            "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}],
        },
    )
    expected = ["1234", "2345", "2345 5 6", "/made/for/you", "hello you", "0077", "boxy", "100", "755", "/nowhere"]
    assert result.text.splitlines() == expected


def test_every_listed_namespace_is_new_and_the_rest_are_the_hosts(containers: Containers) -> None:
    names = ("pid", "mnt", "ipc", "uts", "cgroup", "net", "user")
    script = "".join(f"readlink /proc/self/ns/{name};" for name in names)
    inside = containers.sh(script).text.split()
    host = [str(Path(f"/proc/self/ns/{name}").readlink()) for name in names]
    assert [one == other for one, other in zip(inside, host, strict=True)] == [False] * 6 + [True]
    kinds = [{"type": kind} for kind in ("pid", "mount", "ipc", "uts", "cgroup")]
    assert containers.sh("readlink /proc/self/ns/net", linux={"namespaces": kinds}).text.strip() == host[5]


def test_capabilities_and_no_new_privileges_are_exactly_those_of_the_bundle(containers: Containers) -> None:
    result = containers.sh("grep -E '^(Cap|NoNew)' /proc/self/status", process={"noNewPrivileges": True})
    assert dict(line.split(":\t") for line in result.text.splitlines()) == {
        "CapInh": "0000000000000000",
        "CapPrm": "00000000a80425fb",
        "CapEff": "00000000a80425fb",
        "CapBnd": "00000000a80425fb",
        "CapAmb": "0000000000000000",
        "NoNewPrivs": "1",
    }
    capabilities = {"bounding": ["CAP_NET_BIND_SERVICE", "CAP_OF_THE_FUTURE"]}
    for kind in ("effective", "permitted", "inheritable", "ambient"):
        capabilities[kind] = ["CAP_NET_BIND_SERVICE"]
    changes = {"capabilities": capabilities, "user": {"uid": 7, "gid": 7}}
    result = containers.sh("grep ^Cap /proc/self/status", process=changes)
    assert {line.split("\t")[1] for line in result.text.splitlines()} == {"0000000000000400"}


@pytest.mark.parametrize("no_new_privileges", [False, True])
def test_the_seccomp_filter_of_the_bundle_is_in_force(containers: Containers, no_new_privileges: bool) -> None:
    denied = [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}]
    profile = {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"]}
    result = containers.sh(
        "mkdir /tmp/x; grep Seccomp: /proc/self/status",
        linux={"seccomp": profile | {"syscalls": denied}},
        process={"noNewPrivileges": no_new_privileges},
    )
    assert b"Operation not supported" in result.stderr
    assert result.text.split() == ["Seccomp:", "2"]


def test_stdin_reaches_the_process_and_ends_there(containers: Containers) -> None:
    text = b"line\n" * 100_000
    container = containers.make(["wc", "-c"], stdin_open=True)
    attachment = containers.attached(container, stdin=True)
    left = text
    while left:
        taken = attachment.send(left)
        left = left[taken:]
    attachment.close_stdin()
    assert finish(attachment).text.strip() == str(len(text))


def test_without_stdin_there_is_an_end_of_file_at_once(containers: Containers) -> None:
    assert containers.run(["cat"]).code == 0


def test_a_terminal_is_the_containers_own_and_has_the_window_size(containers: Containers) -> None:
    container = containers.make(
        [
            "sh",
            "-c",
            "trap 'stty size; exit 3' WINCH; tty; stty size; echo console >/dev/console; while :; do sleep 0.1; done",
        ],
        process={"terminal": True, "consoleSize": {"width": 91, "height": 27}},
        stdin_open=True,
    )
    attachment = containers.attached(container, stdin=True)
    assert attachment.tty
    assert read_until(attachment, b"console").split() == [b"/dev/pts/0", b"27", b"91", b"console"]
    attachment.resize(100, 40)
    result = finish(attachment)
    assert (result.code, result.stdout.split()) == (3, [b"40", b"100"])


def test_ctrl_c_on_the_terminal_interrupts_the_foreground_process(containers: Containers) -> None:
    container = containers.make(
        ["sh", "-c", "trap 'exit 42' INT; echo ready; while :; do sleep 0.05; done"],
        process={"terminal": True},
        stdin_open=True,
    )
    attachment = containers.attached(container, stdin=True)
    read_until(attachment, b"ready")
    attachment.send(b"\x03")
    assert finish(attachment).code == 42


def test_devices_links_and_shared_memory_are_there(containers: Containers) -> None:
    script = (
        "echo x >/dev/null; head -c 2 /dev/zero | od -An -tx1; readlink /dev/ptmx /dev/fd; "
        "stat -c '%t:%T %a' /dev/full; stat -fc %T /dev/shm /dev/mqueue"
    )
    result = containers.sh(script)
    assert result.text.split() == ["00", "00", "pts/ptmx", "/proc/self/fd", "1:7", "666", "tmpfs", "mqueue"]
    assert containers.sh("echo to stdout >/dev/stdout", process={"user": {"uid": 9, "gid": 9}}).text == "to stdout\n"


def test_paths_are_masked_and_read_only_as_listed(containers: Containers) -> None:
    script = "cat /proc/timer_list /proc/keys; ls /sys/firmware; echo boxer >/proc/sys/kernel/hostname; touch /sys/x"
    result = containers.sh(script)
    assert result.stdout == b""
    assert result.stderr.count(b"Read-only file system") == 2


def test_a_read_only_root_has_its_mounts_writable(containers: Containers) -> None:
    result = containers.sh(
        "touch /x; touch /dev/shm/y && echo wrote", config={"root": {"path": "rootfs", "readonly": True}}
    )
    assert b"Read-only file system" in result.stderr
    assert result.text == "wrote\n"


def test_bind_mounts_follow_their_options_and_make_their_mount_points(containers: Containers, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("from the host\n")
    mounts = [
        bind(str(tmp_path), "/new/place"),
        bind(str(tmp_path), "/shut", "ro"),
        bind(str(tmp_path / "file"), "/etc/one-file", "ro"),
        {"destination": "/scratch", "type": "tmpfs", "source": "tmpfs", "options": ["size=64k", "mode=1750", "noexec"]},
    ]
    script = (
        "cat /etc/one-file; echo in >/new/place/inside; touch /shut/x; stat -c %a /scratch; grep scratch /proc/mounts"
    )
    result = containers.sh(script, mounts=mounts)
    assert result.text.startswith("from the host\n1750\n")
    assert "noexec" in result.text and "size=64k" in result.text
    assert b"Read-only file system" in result.stderr
    assert (tmp_path / "inside").read_text() == "in\n"


def test_nothing_of_the_containers_mounts_is_seen_on_the_host(containers: Containers) -> None:
    container = containers.started(["sleep", "60"])
    assert container not in Path("/proc/self/mountinfo").read_text()


def test_writes_go_to_the_upper_directory_and_stay_for_the_next_start(containers: Containers) -> None:
    container = containers.make(["sh", "-c", "cat /left; echo mine >/left"], remove=False)
    assert finish(containers.attached(container)).stdout == b""
    assert finish(containers.attached(container)).stdout == b"mine\n"
    assert (containers.settings.container_dir(container) / "upper/left").read_text() == "mine\n"
    assert not (containers.image / "left").exists()


def test_a_container_that_is_removed_at_its_end_can_still_be_started_again_before(containers: Containers) -> None:
    """Its overlay is volatile: of that the kernel leaves a mark which forbids the next mount."""
    container = containers.make(["echo", "again"], remove=True)
    for _ in range(2):
        assert finish(containers.attached(container)).stdout == b"again\n"


def test_the_upper_layers_hide_the_lower_ones_and_there_may_be_a_hundred(containers: Containers) -> None:
    layers = []
    for number in range(100):
        layer = containers.settings.root / "layers" / f"{number:060d}"
        layer.mkdir(parents=True)
        (layer / "top").write_text(f"{number}\n")
        layers.insert(0, str(layer))
    assert containers.run(["cat", "/top"], lower=[*layers, str(containers.image)]).text == "99\n"


def test_kernel_parameters_of_the_containers_namespaces_are_set(containers: Containers) -> None:
    result = containers.sh(
        "cat /proc/sys/net/ipv4/ip_unprivileged_port_start",
        linux={"sysctl": {"net.ipv4.ip_unprivileged_port_start": "80"}},
    )
    assert result.text == "80\n"


def test_init_reaps_orphans_passes_signals_on_and_ends_as_the_command(containers: Containers) -> None:
    script = "trap 'exit 5' TERM; cat /proc/1/cmdline; echo; (sleep 0.05 &); echo ready; while :; do sleep 0.02; done"
    container = containers.make(["sh", "-c", script], init=True)
    attachment = containers.attached(container)
    assert read_until(attachment, b"ready").replace(b"\0", b"").split() == [b"init", b"ready"]
    control.kill(containers.settings, container, 15, by_user=True)
    assert finish(attachment).code == 5
    assert containers.run(["sh", "-c", "kill -9 $$"], init=True).code == 137


def test_a_command_that_is_not_there_is_told_with_init_too(containers: Containers) -> None:
    with pytest.raises(CommandNotFound):
        launch.start(containers.settings, containers.make(["frobnicate"], init=True))


def test_a_large_output_comes_whole_and_in_order(containers: Containers) -> None:
    result = containers.sh("seq 1 200000")
    assert result.stdout == b"".join(b"%d\n" % number for number in range(1, 200_001))


def test_lines_written_one_by_one_without_a_pause_are_logged_whole_and_in_order(containers: Containers) -> None:
    result = containers.sh("n=0; while [ $n -lt 20000 ]; do echo $n; echo e$n >&2; n=$((n+1)); done; seq 20000 40000")
    assert result.code == 0
    lines = containers.log(containers.ids[-1])
    assert [line for line in lines if line[0] != "e"] == [
        str(number) for number in [*range(20000), *range(20000, 40001)]
    ]
    assert [line for line in lines if line[0] == "e"] == [f"e{number}" for number in range(20000)]


def test_an_unfinished_line_is_logged_while_the_process_goes_on(containers: Containers) -> None:
    container = containers.make(["sh", "-c", "printf 'Password: '; sleep 60"])
    attachment = containers.attached(container)
    assert frames(attachment) == [("stdout", b"Password: ")]
    eventually(lambda: containers.log(container) == ["Password: "])
