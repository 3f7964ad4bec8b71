"""`--userns auto`: root inside is nobody on the host, and the container works as any other."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.runtime.status import read_state
from engine.settings import Settings
from tests.conftest import PYTHON, SMALL, Command

AUTO = ("--userns", "auto")


def out(ended) -> str:  # type: ignore[no-untyped-def]
    assert (ended.returncode, ended.stderr) == (0, b"")
    return ended.stdout.decode()


@pytest.mark.usefixtures("python_image")
def test_root_inside_is_a_user_without_a_name_outside(settings: Settings, pilothouse: Command) -> None:
    words = ("-p", "0:80", "-v", "data:/data", "-w", "/made", *AUTO, PYTHON, "sleep", "60")
    out(pilothouse("run", "-d", "--name", "web", *words))
    (container,) = settings.containers.iterdir()
    first = int((container / "first-user").read_text())
    assert 524288 <= first <= 1878982656
    pid = read_state(str(container))["pid"]
    assert Path(f"/proc/{pid}").stat().st_uid == first
    assert out(pilothouse("exec", "web", "id", "-u")) == "0\n"
    assert out(pilothouse("exec", "-u", "9", "web", "id", "-u")) == "9\n"
    assert out(pilothouse("exec", "web", "cat", "/proc/self/uid_map")).split() == ["0", str(first), "65536"]
    script = (
        "touch /file /data/file /tmp/file && mkdir /new && echo x > /dev/stdout && echo y > /etc/hosts"
        " && echo $(stat -c %u / /file /data/file /new /bin/sh /dev/null /etc/hosts /made)"
    )
    assert out(pilothouse("exec", "web", "sh", "-c", script)) == "x\n0 0 0 0 0 0 0 0\n"
    changing = "import os; os.chown('/new', 7, 7); os.setgroups([3]); os.setuid(7); open('/new/seven', 'w')"
    out(pilothouse("exec", "web", "python3", "-c", changing))
    assert (container / "upper" / "file").stat().st_uid == first
    assert (settings.volumes / "data" / "_data" / "file").stat().st_uid == 0, "a volume is as any container left it"
    for refused in (
        "import ctypes; l = ctypes.CDLL(None, use_errno=True); r = l.mount(b't', b'/tmp', b'tmpfs', 0, 0)",
        "import ctypes; l = ctypes.CDLL(None, use_errno=True); r = l.unshare(0x10000000)",
        "import os, ctypes; r = 0; os.mknod('/node', 0o20666, os.makedev(1, 3))",
        "import socket; r = 0; socket.sethostname('x')",
        "r = 0; open('/proc/sys/kernel/pid_max', 'w')",
        "import socket; r = 0; socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)",
    ):
        ended = pilothouse("exec", "web", "python3", "-c", f"{refused}\nassert r == -1 and ctypes.get_errno() == 1")
        if ended.returncode:
            assert b"Permission" in ended.stderr or b"not permitted" in ended.stderr or b"Read-only" in ended.stderr
        else:
            assert "r = l." in refused, refused
    assert out(pilothouse("top", "web")).splitlines()[1].split()[0] == "root"
    out(pilothouse("restart", "-t", "0", "web"))
    assert out(pilothouse("exec", "web", "stat", "-c", "%u", "/file", "/new", "/new/seven")).split() == ["0", "7", "7"]


@pytest.mark.usefixtures("image")
def test_the_capabilities_and_the_filter_are_the_usual_ones(pilothouse: Command) -> None:
    show = ("sh", "-c", "grep -E 'Cap|Seccomp:|NoNewPrivs' /proc/self/status; umask; ls /proc/self/fd; ls /; id")
    assert out(pilothouse("run", "--rm", *AUTO, SMALL, *show)) == out(pilothouse("run", "--rm", SMALL, *show))
    user = ("-u", "5:6")
    assert out(pilothouse("run", "--rm", *AUTO, *user, SMALL, *show)) == out(
        pilothouse("run", "--rm", *user, SMALL, *show)
    )
    init = ("--init", "--read-only", "-w", "/tmp")
    assert out(pilothouse("run", "--rm", *AUTO, *init, SMALL, "pwd")) == "/tmp\n"


@pytest.mark.usefixtures("image")
def test_a_terminal_belongs_to_the_containers_user(settings: Settings, pilothouse: Command) -> None:
    out(
        pilothouse(
            "run",
            "-dt",
            "--name",
            "web",
            *AUTO,
            SMALL,
            "sh",
            "-c",
            "stat -L -c %u:%g /proc/self/fd/0; echo hi > /dev/console; sleep 60",
        )
    )
    from tests.engine.runtime.conftest import eventually

    eventually(lambda: b"hi" in pilothouse("logs", "web").stdout)
    assert pilothouse("logs", "web").stdout == b"0:5\r\nhi\r\n"


@pytest.mark.usefixtures("image")
def test_each_container_has_users_of_its_own(settings: Settings, pilothouse: Command) -> None:
    for name in ("aa", "bb", "cc"):
        out(pilothouse("run", "--name", name, *AUTO, SMALL, "true"))
    assert len({(path / "first-user").read_text() for path in settings.containers.iterdir()}) == 3


@pytest.mark.usefixtures("image")
def test_a_bind_mount_stays_the_hosts(settings: Settings, pilothouse: Command, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    (tmp_path / "secret").chmod(0o600)
    tmp_path.chmod(0o755)
    tmp_path.parent.chmod(0o755)
    ended = pilothouse(
        "run", "--rm", *AUTO, "-v", f"{tmp_path}:/m", SMALL, "sh", "-c", "stat -c %u /m; cat /m/secret; echo > /m/new"
    )
    assert ended.stdout == b"65534\n"
    assert [entry.name for entry in tmp_path.iterdir()] == ["secret"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--userns", "nope"), "--userns: invalid USER mode: nope"),
        ((*AUTO, "--privileged"), "privileged mode is incompatible with user namespaces"),
        ((*AUTO, "--network", "host"), "cannot share the host's network namespace when user namespaces are enabled"),
        ((*AUTO, "-u", "70000"), "the container has no user or group 70000"),
    ],
)
@pytest.mark.usefixtures("image")
def test_what_does_not_go_together_is_refused(pilothouse: Command, words: tuple[str, ...], told: str) -> None:
    ended = pilothouse("run", "--rm", *words, SMALL, "true")
    assert ended.returncode == 125
    assert told in ended.stderr.decode()
    assert pilothouse("ps", "-aq").stdout == b""
