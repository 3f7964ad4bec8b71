"""What images, volumes and other containers try against the whole engine, and what it gives away by itself."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.containers import records, transfer
from engine.errors import InvalidInput, NotFound
from engine.images.host import add_host_image
from engine.models import PortMapping
from engine.network import ports
from engine.settings import Settings
from engine.state.database import Database
from tests.conftest import SMALL, Command, environment, traces
from tests.support.exchanging import Exchanging

HOSTILE = "localhost/hostile:1"
LINK = "x\x1b]0;owned\x07\x1b[2Jy"


@pytest.mark.parametrize(
    ("config", "code"),
    [
        ({"User": "../../etc/passwd"}, 125),
        ({"User": "0:0:0"}, 125),
        ({"User": "4294967296"}, 125),
        ({"User": "-1"}, 125),
        ({"User": LINK}, 125),
        ({"User": "root\0x"}, 125),
        ({"Entrypoint": ["\0"]}, 125),
        ({"Entrypoint": [LINK]}, 127),
        ({"Entrypoint": ["../../../../bin/sh"], "Cmd": ["-c", "exit 9"]}, 9),
        ({"Entrypoint": ["/proc/self/exe"], "Cmd": ["-c", "import os; os.open('/proc/self/exe', os.O_WRONLY)"]}, None),
        ({"Entrypoint": ["/etc"]}, 126),
        ({"Entrypoint": [""]}, None),
        ({"Env": ["LD_PRELOAD=/x.so", "=", "NONAME", "A=\x1b[2J", "PATH="]}, 127),
        ({"Env": ["PATH=/proc/self/fd:/proc/1/root/bin"]}, None),
        ({"Env": ["A=b\0c"]}, 125),
        ({"WorkingDir": "../../.."}, 125),
        ({"WorkingDir": "/proc/self/fd/3"}, 125),
        ({"WorkingDir": "/etc/passwd"}, 125),
        ({"WorkingDir": f"/{LINK}"}, 0),
        ({"WorkingDir": "/" + "a" * 300}, 125),
        ({"Volumes": {"/../../../etc": {}}}, 0),
        ({"Volumes": {"relative": {}}}, 125),
        ({"Volumes": {"/proc": {}}}, 125),
        ({"StopSignal": "SIGNOTHING"}, 125),
        ({"StopSignal": "9" * 5000}, 125),
        ({"StopSignal": "\u00b2"}, 125),
        ({"StopSignal": "RTMIN+\u00b2"}, 125),
        (
            {"ExposedPorts": {"99999/tcp": {}, "x": {}, "-1": {}, "0": {}, "\u00b2/tcp": {}, "9" * 5000: {}, LINK: {}}},
            0,
        ),
        ({"Labels": {LINK: LINK}}, 0),
    ],
)
def test_a_hostile_image_config_gets_a_container_or_a_sentence(
    settings: Settings, pilothouse: Command, config: dict[str, Any], code: int | None
) -> None:
    database = Database(settings.database)
    try:
        usual = {"Cmd": ["sh", "-c", "exit 0"]}
        add_host_image(settings, database, HOSTILE, config={**usual, **config}, python=False)
    finally:
        database.close()
    ended = pilothouse("run", "--rm", "-P", HOSTILE)
    told = ended.stderr.decode()
    assert code is None or ended.returncode == code, told
    assert "Traceback" not in told
    assert "unexpected" not in told
    assert "\x1b" not in told + ended.stdout.decode(errors="replace")
    assert len(told.splitlines()) <= 3
    for verb in (("images",), ("inspect", HOSTILE), ("ps", "-a")):
        shown = pilothouse(*verb)
        assert shown.returncode == 0, verb
        assert b"\x1b" not in shown.stdout, verb
    assert pilothouse("ps", "-aq").stdout == b""
    assert traces(settings) == []


def test_a_port_that_is_none_is_not_written_down(settings: Settings, pilothouse: Command) -> None:
    """An image could expose 99999: every later command would have stumbled over it."""
    assert pilothouse("ps").returncode == 0
    database = Database(settings.database)
    try:
        for mapping in (PortMapping(99999), PortMapping(0), PortMapping(80, -1), PortMapping(80, 1 << 16)):
            with pytest.raises(InvalidInput, match="invalid port"):
                ports.reserve(settings, database, "a" * 64, [mapping])
    finally:
        database.close()
    assert pilothouse("ps").returncode == 0


class Swapping:
    """A thread that makes a name a directory and a symbolic link by turns, as another container would."""

    def __init__(self, place: Path, target: str) -> None:
        self.place, self.target, self.turns = place, target, 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        directory, link = self.place.with_name("as-directory"), self.place.with_name("as-link")
        directory.mkdir()
        link.symlink_to(self.target)
        self.place.mkdir()
        while not self._over.is_set():
            away = self.place.with_name("away")
            for source, target in ((self.place, away), (link, self.place), (self.place, link), (away, self.place)):
                with contextlib.suppress(OSError):  # the engine makes it anew
                    source.rename(target)
            self.turns += 1

    def __enter__(self) -> Swapping:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Path]:
    """A directory of the host's that nothing may be mounted on."""
    (tmp_path / "outside").mkdir()
    yield tmp_path / "outside"
    mounted = Path("/proc/self/mountinfo").read_text()
    assert str(tmp_path) not in mounted
    assert list((tmp_path / "outside").iterdir()) == []


@pytest.mark.usefixtures("image")
def test_a_mount_point_swapped_for_a_link_while_it_is_mounted_on(
    settings: Settings, pilothouse: Command, outside: Path, tmp_path: Path
) -> None:
    """CVE-2021-30465: another container that has the volume changes the path under the runtime's hands."""
    pilothouse("create", "-v", "shared:/shared", SMALL, "true")
    shared = settings.volumes / "shared" / "_data"
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "mark").touch()
    script = "grep -c ' /shared/place/' /proc/self/mountinfo; ls /shared/place/inner /etc/passwd"
    results = []
    for target in ("/", f"/proc/1/root{outside}", f"../../../../..{outside}"):
        for path in shared.iterdir():
            path.unlink() if path.is_symlink() else shutil.rmtree(path)
        with Swapping(shared / "place", target) as swapping:
            for _ in range(5):
                words = ("-v", "shared:/shared", "-v", f"{tmp_path / 'inner'}:/shared/place/inner:ro")
                ended = pilothouse("run", "--rm", *words, SMALL, "sh", "-c", script)
                assert b"Traceback" not in ended.stderr
                results.append(ended.returncode)
            assert swapping.turns > 100
    assert set(results) <= {0, 1, 2, 125}
    assert not Path("/inner").exists()


@pytest.mark.usefixtures("image")
def test_a_name_or_a_reference_never_becomes_a_path(settings: Settings, pilothouse: Command) -> None:
    before = sorted(path.name for path in settings.root.parent.iterdir())
    for name in ("../x", "a/b", "..", ".", "", "-x", "x\ny", LINK, "a" * 300):
        assert pilothouse("create", f"--name={name}", SMALL, "true").returncode in (0, 1, 125)
    for reference in ("../../etc", "localhost/../x", f"localhost/x@sha256:../../{'0' * 58}", LINK, "localhost/x:../y"):
        for verb in ("pull", "rmi", "inspect", "create"):
            ended = pilothouse(verb, reference)
            assert ended.returncode in (1, 125), (verb, reference)
            assert b"\x1b" not in ended.stdout + ended.stderr
    for words in (("logs", "../x"), ("rm", "../../x"), ("exec", "/", "sh"), ("stop", ".")):
        assert pilothouse(*words).returncode == 1
    assert sorted(path.name for path in settings.root.parent.iterdir()) in (before, [*before, "state"])
    for made in settings.containers.iterdir():
        assert len(made.name) == 64


@pytest.mark.usefixtures("image")
def test_a_secret_is_in_no_process_list_and_in_no_file_that_others_can_read(
    settings: Settings, pilothouse: Command
) -> None:
    secret = "hunter2-in-the-environment"
    pilothouse("run", "-d", "--name", "web", "-e", f"PASSWORD={secret}", "-p", "0:80", SMALL, "sleep", "60")
    pilothouse("exec", "-d", "-e", f"MORE={secret}", "web", "sleep", "60")
    for process in Path("/proc").glob("[0-9]*"):
        if int(process.name) == os.getpid():
            continue
        try:
            assert secret.encode() not in (process / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
    for top in (settings.root, settings.run):
        assert stat.S_IMODE(top.stat().st_mode) == 0o700 or top.stat().st_uid == 0
        for path in top.rglob("*"):
            if "snapshots" in path.parts or path.name == "netns" or path.is_symlink():
                continue
            mode = path.stat().st_mode
            if stat.S_ISSOCK(mode) or stat.S_ISFIFO(mode):
                assert stat.S_IMODE(mode) == 0o600, path
            elif stat.S_ISREG(mode) and mode & 0o077 and path.stat().st_size < 1 << 20:
                assert secret.encode() not in path.read_bytes(), path


def at_a_terminal(settings: Settings, *words: str, code: int | None = 0) -> bytes:
    """What a command shows at a terminal; it ends with `code`, unless that is None."""
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "engine.cli.main", *words]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment(settings))
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # how a terminal says that nobody is left at it
        while piece := os.read(ours, 65536):
            shown += piece
    os.close(ours)
    assert process.wait() == code or code is None, shown
    return shown


@pytest.mark.usefixtures("image")
def test_what_a_container_is_called_and_says_cannot_steer_the_terminal(settings: Settings, pilothouse: Command) -> None:
    script = f"echo '{LINK}'; touch '/{LINK}'; printf '{LINK[:15]}' >/proc/$$/comm; {LINK}; while :; do read x; done"
    words = ("-l", f"{LINK}={LINK}", "-e", f"A={LINK}", "-v", f"/tmp/{LINK}:/x", SMALL, "sh", "-c", script)
    pilothouse("run", "-dti", "--name", "loud", *words)
    while b"not found" not in pilothouse("logs", "loud").stdout:  # of the command that has such a name
        continue
    for shown in (
        ("ps", "-a", "--no-trunc"),
        ("ps", "-a", "--format", "{{.Labels}} {{.Command}} {{.Mounts}}"),
        ("ps", "-a", "--format", "json"),
        ("inspect", "loud"),
        ("inspect", "-f", "{{.Config.Labels}} {{.Config.Env}} {{.Path}} {{.Args}}", "loud"),
        ("logs", "loud"),
        ("logs", "-t", "--details", "loud"),
        ("top", "loud"),
        ("diff", "loud"),
        ("events", "--since", "1h", "--until", "0s"),
        ("events", "--since", "1h", "--until", "0s", "--format", "{{json .}}"),
        ("stats", "--no-stream", "--no-trunc"),
    ):
        seen = at_a_terminal(settings, *shown)
        assert b"x" in seen or b"loud" in seen, shown
        assert b"\x1b]" not in seen, shown
        assert b"\x1b[2J" not in seen or shown[0] == "stats", shown
        assert b"\x07" not in seen, shown
    assert json.loads(pilothouse("inspect", "loud").stdout)[0]["Config"]["Labels"][LINK] == LINK
    for words in (("exec", "loud", LINK), ("cp", f"loud:/{LINK}y", "x"), ("exec", "-u", LINK, "loud", "true")):
        told = pilothouse(*words).stderr
        assert told, words
        assert b"\x1b" not in told, words


@pytest.mark.usefixtures("image")
def test_what_cp_copies_is_the_containers_whatever_changes_places_meanwhile(
    settings: Settings, pilothouse: Command, outside: Path, tmp_path: Path
) -> None:
    """CVE-2018-15664: a directory becomes a link to the host's after it was looked at."""
    pilothouse("run", "-d", "--name", "box", "-v", "data:/data", SMALL, "sleep", "600")
    data = settings.volumes / "data" / "_data"
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "file").write_text("the host's")
    for name in ("place", "tree/place"):
        (data / name).mkdir(parents=True)
        (data / name / "file").write_text("the container's")
    (data / "link").symlink_to(tmp_path / "secrets")
    (tmp_path / "new").write_text("new")
    (data / "out").symlink_to(outside)
    (data / "in").mkdir()
    database = Database(settings.database)
    try:
        box = records.find(database, "box")
        seen: set[bytes] = set()
        for swapped, path in (("place", "/data/place/file"), ("tree/place", "/data/tree"), ("place", "/data/place/.")):
            with Exchanging(data / swapped, data / "link"):
                for _ in range(60):
                    with contextlib.suppress(NotFound):
                        transfer.copy_out(settings, database, box, path, seen.add, follow=True)
        assert any(b"the container's" in piece for piece in seen)
        assert not any(b"the host's" in piece for piece in seen)
        with Exchanging(data / "in", data / "out"):
            for _ in range(60):
                for path in ("/data/in/", "/data/in/new", "/data/in/."):
                    with contextlib.suppress(NotFound, InvalidInput):
                        transfer.copy_in(settings, database, box, str(tmp_path / "new"), path)
        assert list(data.glob("*/new")) != []
    finally:
        database.close()
    assert (tmp_path / "secrets" / "file").read_text() == "the host's"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "outside", "secrets"]


@pytest.mark.usefixtures("image")
def test_a_working_directory_may_change_places_with_a_link_meanwhile(
    settings: Settings, pilothouse: Command, outside: Path
) -> None:
    """CVE-2024-21626 and its like: `run -w`, `exec -w`."""
    (outside.parent / "secrets").mkdir()
    (outside.parent / "secrets" / "mark").touch()
    pilothouse("run", "-d", "--name", "box", "-v", "data:/data", SMALL, "sleep", "600")
    data = settings.volumes / "data" / "_data"
    (data / "place").mkdir()
    for target in (f"/proc/1/root{outside.parent}/secrets", "/proc/self/fd/7"):
        (data / "link").unlink(missing_ok=True)
        (data / "link").symlink_to(target)
        with Exchanging(data / "place", data / "link"):
            for _ in range(3):
                for verb in (
                    ("exec", "-w", "/data/place", "box"),
                    ("run", "--rm", "-v", "data:/data", "-w", "/data/place", SMALL),
                ):
                    ended = pilothouse(*verb, "sh", "-c", "pwd; ls")
                    assert b"mark" not in ended.stdout
                    assert ended.returncode in (0, 125, 126)


@pytest.mark.usefixtures("image")
def test_the_callers_terminal_is_never_the_containers(settings: Settings, pilothouse: Command) -> None:
    """Who holds it could type into it with TIOCSTI, for the caller's shell to execute: CVE-2016-7545 and its like."""
    ours = os.openpty()
    device = os.fstat(ours[1]).st_dev
    for end in ours:
        os.close(end)
    pilothouse("run", "-d", "--name", "box", SMALL, "sleep", "600")
    show = ("sh", "-c", "stat -L -c '%d %F' /proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2; tty </dev/tty")
    for words in (("run", "--rm", SMALL), ("run", "--rm", "-i", SMALL), ("exec", "box"), ("exec", "-i", "box")):
        seen = at_a_terminal(settings, *words, *show, code=None)
        assert b"fifo" in seen, words
        assert b"/dev/pts" not in seen, words
    for words in (("run", "--rm", "-it", SMALL), ("exec", "-it", "box")):
        seen = at_a_terminal(settings, *words, *show, code=None)
        assert seen.count(b"character special file") == 3
        assert f"{device} ".encode() not in seen, "the container's terminals are of a devpts of its own"


@pytest.mark.usefixtures("image")
def test_directories_within_each_other_without_end_are_measured_and_removed(
    settings: Settings, pilothouse: Command
) -> None:
    """Recursion, or a descriptor for each, would make them the last thing that is known of the container."""
    pilothouse("create", "--name", "deep", "-v", "/data", SMALL, "true")
    (container,) = settings.containers.iterdir()
    (volume,) = settings.volumes.iterdir()
    here = os.open(".", os.O_RDONLY)
    try:
        for top in (container / "upper", volume / "_data"):
            os.chdir(top)
            for _ in range(2000):
                Path("d").mkdir()
                os.chdir("d")
            Path("bottom").write_text("x")
    finally:
        os.fchdir(here)
        os.close(here)
    (container / "upper" / "top").write_text("abc")
    for words in (("ps", "-as"), ("inspect", "-s", "deep"), ("system", "df"), ("diff", "deep"), ("system", "check")):
        ended = pilothouse(*words)
        assert (ended.returncode, ended.stderr) == (0, b""), words
    few = 'ulimit -n 200; exec "$@"'
    command = ["sh", "-c", few, "sh", sys.executable, "-m", "engine.cli.main", "rm", "-v", "deep"]
    ended = subprocess.run(command, env=environment(settings), capture_output=True)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"deep\n", b"")
    assert [*settings.containers.iterdir(), *settings.volumes.iterdir()] == []
