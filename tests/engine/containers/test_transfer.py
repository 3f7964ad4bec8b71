"""docker cp: its rules for names, and what a hostile container or archive tries by it."""

from __future__ import annotations

import io
import os
import shutil
import socket
import stat
import struct
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.cli.main import main
from engine.errors import Conflict
from engine.models import RunOptions
from engine.settings import Settings
from engine.state.locks import lock
from tests.conftest import SMALL, Command, environment

pytestmark = pytest.mark.usefixtures("image")


@pytest.fixture(params=["running", "resting"])
def box(request: pytest.FixtureRequest, settings: Settings, pilothouse: Command) -> Path:
    """A container `box` with the volume `data` at /data: what is at /data on the host."""
    verb = ("run", "-d") if request.param == "running" else ("create",)
    assert pilothouse(*verb, "--name", "box", "-v", "data:/data", SMALL, "sleep", "600").returncode == 0
    return settings.volumes / "data" / "_data"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, empty."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


def archive(*entries: tuple[str, bytes, str]) -> bytes:
    """A tar of (name, type, link or content)."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, kind, text in entries:
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = kind, 0o644 if kind == tarfile.REGTYPE else 0o755
            if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
                entry.linkname = text
            entry.size = len(text) if kind == tarfile.REGTYPE else 0
            tar.addfile(entry, io.BytesIO(text.encode()))
    return made.getvalue()


def names(packed: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        return tar.getnames()


Told = Callable[..., str]


@pytest.fixture
def told(settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Told:
    """Runs `cp` in this process, for speed: what it says as it fails; empty if it works."""

    def run(*words: str, input: bytes = b"") -> str:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(input)))
        code = main(["--root", str(settings.root), "--runroot", str(settings.run), "cp", *words])
        said = capsys.readouterr().err
        assert "unexpected" not in said
        assert bool(code) == bool(said)
        return said

    return run


def test_into_a_container_by_dockers_rules(told: Told, box: Path, here: Path) -> None:
    Path("file").write_text("new")
    os.chown("file", 12, 34)
    Path("dir/sub").mkdir(parents=True)
    Path("dir/sub/deep").write_text("deep")
    Path("link").symlink_to("dir")
    for words in (
        ("file", "box:/data/name"),
        ("file", "box:data"),  # from the root, and into the directory
        ("dir", "box:/data/copied"),
        ("dir", "box:/data/"),
        ("./dir/.", "box:/data"),
        ("link", "box:/data/aslink"),
        ("-L", "link", "box:/data/asdir"),
        ("link/", "box:/data/astoo"),
    ):
        assert told(*words) == "", words
    found = sorted(str(path.relative_to(box)) for path in box.rglob("*"))
    assert found == sorted(
        "name file copied copied/sub copied/sub/deep dir dir/sub dir/sub/deep sub sub/deep aslink"
        " asdir asdir/sub asdir/sub/deep astoo astoo/sub astoo/sub/deep".split()
    )
    assert (box / "name").read_text() == "new"
    assert (box / "aslink").readlink() == Path("dir")
    assert ((box / "name").stat().st_uid, (box / "name").stat().st_gid) == (12, 34)
    assert (box / "name").stat().st_mtime_ns == Path("file").stat().st_mtime_ns
    for words, reason in (
        (("file", "box:/nowhere/"), "no such directory"),
        (("file", "box:/nowhere/x"), "Could not find the file /nowhere in container box"),
        (("dir", "box:/data/name"), "cannot copy directory"),
        (("nothing", "box:/data"), "lstat nothing: no such file or directory"),
        (("-", "box:/data/name"), 'destination "box:/data/name" must be a directory'),
        (("box:/x", "box:/y"), "copying between containers is not supported"),
        (("file", "./box:x"), "must specify at least one container source"),
        (("file", "nobody:/x"), "No such container: nobody"),
    ):
        assert reason in told(*words)


def test_out_of_a_container_by_dockers_rules(pilothouse: Command, told: Told, box: Path, here: Path) -> None:
    (box / "dir").mkdir()
    (box / "dir/one").write_text("1")
    (box / "dir/two").hardlink_to(box / "dir/one")
    (box / "link").symlink_to("/data/dir")
    (box / "name").write_text("content")
    os.chown(box / "name", 12, 34)
    Path("there").mkdir()
    for words in (
        ("box:/data/name", "renamed"),
        ("box:data/name", "there"),
        ("box:/data/dir", "there"),
        ("box:/data/dir", "fresh"),
        ("box:/data/dir/.", "."),
        ("box:/data/link", "aslink"),
        ("-L", "box:/data/link", "asdir"),
        ("box:/data/link/", "astoo"),
        ("-a", "box:/data/name", "owned"),
    ):
        assert told(*words) == "", words
    found = sorted(str(path.relative_to(here)) for path in here.rglob("*"))
    assert found == sorted(
        "renamed there there/name there/dir there/dir/one there/dir/two fresh fresh/one fresh/two one two aslink"
        " asdir asdir/one asdir/two astoo astoo/one astoo/two owned".split()
    )
    assert Path("renamed").read_text() == "content"
    assert Path("fresh/one").samefile("fresh/two")
    assert Path("aslink").readlink() == Path("/data/dir")
    assert [Path(name).stat().st_uid for name in ("renamed", "owned")] == [0, 12]
    assert names(pilothouse("cp", "box:/data/dir", "-").stdout) == ["dir", "dir/one", "dir/two"]
    assert names(pilothouse("cp", "box:/data/dir/.", "-").stdout) == [".", "./one", "./two"]
    for words, reason in (
        (("box:/data/name", "nowhere/"), "no such directory"),
        (("box:/data/name", "nowhere/x"), "does not exist"),
        (("box:/data/dir", "renamed"), "cannot copy directory"),
        (("box:/nothing", "x"), "Could not find the file /nothing in container box"),
        (("box:/data/name/", "x"), "Could not find the file /data/name/ in container box"),
    ):
        assert reason in told(*words)


def test_an_archive_from_a_pipe_comes_back_as_it_went_in(pilothouse: Command, told: Told, box: Path) -> None:
    packed = archive(
        ("./", tarfile.DIRTYPE, ""),
        ("./a/", tarfile.DIRTYPE, ""),
        ("./a/file", tarfile.REGTYPE, "x" * 5000),
        ("./a/hard", tarfile.LNKTYPE, "./a/file"),
        ("./a/.wh.file", tarfile.REGTYPE, "no whiteout"),
    )
    before = box.stat().st_mode
    assert told("-", "box:/data", input=packed) == ""
    assert box.stat().st_mode == before
    assert sorted(path.name for path in (box / "a").iterdir()) == [".wh.file", "file", "hard"]
    assert (box / "a/file").samefile(box / "a/hard")
    with tarfile.open(fileobj=io.BytesIO(pilothouse("cp", "box:/data/a", "-").stdout)) as back:
        found = sorted((each.name, each.size) for each in back)
    assert found == [("a", 0), ("a/.wh.file", 11), ("a/file", 5000), ("a/hard", 0)]


def test_a_container_that_does_not_run_has_its_mounts_and_keeps_none(
    settings: Settings, pilothouse: Command, told: Told, here: Path
) -> None:
    Path("bound").mkdir()
    Path("file").write_text("x")
    words = ("-v", f"{here}/bound:/bound:ro", "-v", "data:/data", "--tmpfs", "/scratch")
    pilothouse("create", "--name", "box", *words, SMALL, "cat", "/written")
    pilothouse("create", "--name", "fixed", "--read-only", "-v", "data:/data", SMALL, "true")
    assert told("file", "box:/written") == ""
    assert told("file", "fixed:/data/from-fixed") == ""
    assert told("box:/data/from-fixed", "back") == ""
    for place in ("box:/bound/x", "fixed:/x"):
        assert "Read-only file system" in told("file", place)
    assert str(settings.root) not in Path("/proc/self/mountinfo").read_text()
    assert pilothouse("diff", "box").stdout == b"C /bound\nC /data\nA /written\n".replace(b"C", b"A", 2)
    assert pilothouse("start", "-a", "box").stdout == b"x"


def test_a_container_cannot_be_started_while_its_files_are_mounted_for_a_copy(
    settings: Settings, pilothouse: Command
) -> None:
    """Two overlays on one writable layer: the kernel promises nothing for that."""
    pilothouse("create", "--name", "box", SMALL, "cat", "/first")
    (container,) = settings.containers.iterdir()
    packed = archive(("first", tarfile.REGTYPE, "x"), ("second", tarfile.REGTYPE, "y" * 5000))
    words = [sys.executable, "-m", "engine.cli.main", "cp", "-", "box:/"]
    copying = subprocess.Popen(words, stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(settings))
    assert copying.stdin is not None
    copying.stdin.write(packed)
    copying.stdin.flush()  # but it does not end yet
    while not (container / "work/work").exists():
        assert copying.poll() is None
    with (
        pytest.raises(Conflict, match="in use by another command"),
        lock(settings, "container", container.name, blocking=False),
    ):
        pass
    assert copying.communicate() == (None, b"")
    assert pilothouse("start", "-a", "box").stdout == b"x"


def test_a_file_that_is_mounted_is_not_replaced_and_stays_mounted(pilothouse: Command, told: Told, here: Path) -> None:
    """The mount is in the container's namespace: unlink(2) from ours would take it down and succeed."""
    Path("host").write_text("the host's")
    Path("other").write_text("other")
    pilothouse("run", "-d", "--name", "box", "-v", f"{here}/host:/bound", SMALL, "sleep", "600")
    for place in ("/bound", "/etc/hosts"):
        assert "busy" in told("other", f"box:{place}")
    assert pilothouse("exec", "box", "cat", "/bound").stdout == b"the host's"


def test_a_containers_links_lead_nowhere_else(told: Told, box: Path, here: Path, tmp_path: Path) -> None:
    """CVE-2018-15664 without the race: absolute, climbing, through /proc."""
    (tmp_path / "secret").write_text("of the host")
    (tmp_path / "outside").mkdir()
    Path("file").write_text("x")
    (box / "absolute").symlink_to(tmp_path)
    (box / "climbing").symlink_to("../" * 30 + str(tmp_path).lstrip("/"))
    (box / "magic").symlink_to(f"/proc/1/root{tmp_path}")
    (box / "cwd").symlink_to(f"/proc/self/cwd{tmp_path}")
    (box / "file").symlink_to(tmp_path / "secret")
    (box / "tree/inner").mkdir(parents=True)
    for link in ("absolute", "climbing", "magic", "file"):
        (box / "tree/inner" / link).symlink_to((box / link).readlink())
    assert told("box:/data/tree", "got") == ""
    assert all(path.is_symlink() for path in Path("got/inner").iterdir())
    assert len(list(Path("got/inner").iterdir())) == 4
    shutil.rmtree("got")
    for link in ("absolute", "climbing", "magic", "cwd"):
        for flag in ((), ("-L",)):
            assert told(*flag, f"box:/data/{link}/secret", "got") != ""
            assert told("file", f"box:/data/{link}/outside/") != ""
            assert told("file", f"box:/data/{link}/outside/x") != ""
    assert told("-L", "box:/data/file", "got") != ""
    told("file", "box:/data/file")
    told("-", "box:/data/absolute", input=archive(("x", tarfile.REGTYPE, "x")))
    told("-", "box:/data", input=archive(("climbing/x", tarfile.REGTYPE, "x")))
    assert not Path("got").exists()
    assert (tmp_path / "secret").read_text() == "of the host"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["here", "outside", "secret"]
    assert list((tmp_path / "outside").iterdir()) == []


def test_an_archive_cannot_leave_the_place_it_is_unpacked_in(told: Told, box: Path, tmp_path: Path) -> None:
    (box / "inner").mkdir()
    (box / "beside").write_text("untouched")
    for entries in (
        [("../beside", tarfile.REGTYPE, "x")],
        [("a/../../beside", tarfile.REGTYPE, "x")],
        [("hard", tarfile.LNKTYPE, "../beside"), ("hard", tarfile.REGTYPE, "x")],
        [("hard", tarfile.LNKTYPE, "/etc/shadow")],
    ):
        assert "the archive" in told("-", "box:/data/inner", input=archive(*entries))
    assert told("-", "box:/data/inner", input=b"this is no archive" * 99) != ""
    absolute = archive((f"{tmp_path}/absolute", tarfile.REGTYPE, "x"))
    assert told("-", "box:/data/inner", input=absolute) == ""
    assert (box / "inner" / str(tmp_path).lstrip("/") / "absolute").exists()
    out = archive(("out", tarfile.SYMTYPE, str(tmp_path)), ("out/x", tarfile.REGTYPE, "x"))
    told("-", "box:/data/inner", input=out)
    assert (box / "beside").read_text() == "untouched"
    assert list(tmp_path.iterdir()) == []
    over = archive(("inner", tarfile.REGTYPE, "x"))
    assert "cannot overwrite directory with non-directory" in told("-", "box:/data", input=over)
    over = archive(("beside", tarfile.DIRTYPE, ""))
    assert "cannot overwrite non-directory with directory" in told("-", "box:/data", input=over)


def test_nothing_dangerous_is_made_on_the_host(pilothouse: Command, told: Told, box: Path, here: Path) -> None:
    """Docker makes the device nodes and keeps the set-user-ID bits, of files that then are root's."""
    (box / "set-id").write_text("#!/bin/sh\n")
    (box / "set-id").chmod(0o6755)
    os.setxattr(box / "set-id", "user.note", b"x")
    all_capabilities = struct.pack("<5I", 0x02000001, 0xFFFFFFFF, 0, 0x1FF, 0)  # capability.h, vfs_cap_data, in effect
    os.setxattr(box / "set-id", "security.capability", all_capabilities)
    os.mknod(box / "disk", stat.S_IFBLK | 0o666, os.makedev(8, 0))
    os.mknod(box / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.mkfifo(box / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(box / "socket"))
    ended = pilothouse("cp", "box:/data", "got", timeout=20)
    left_out = b"2 device nodes were not made on this host, got/disk among them\n"
    assert (ended.returncode, ended.stderr) == (0, left_out)
    assert sorted(path.name for path in Path("got").iterdir()) == ["fifo", "set-id"]
    assert stat.S_IMODE(Path("got/set-id").stat().st_mode) == 0o755
    assert os.listxattr("got/set-id") == []
    assert pilothouse("cp", "-a", "box:/data", "all").returncode == 0
    assert stat.S_IMODE(Path("all/set-id").stat().st_mode) == 0o6755
    assert os.getxattr("all/set-id", "user.note") == b"x"
    assert os.getxattr("all/set-id", "security.capability") == all_capabilities
    assert "cannot be copied" in told("box:/data/socket", "x")


def test_names_and_bytes_of_any_kind_survive_and_none_steers_the_terminal(
    settings: Settings, pilothouse: Command, told: Told, box: Path, here: Path
) -> None:
    odd = (b"\x1b]0;owned\x07", b"\xff\xfe", b"new\nline", "ümläut".encode(), b"n" * 200)
    for name in odd:
        Path(os.fsdecode(os.fsencode(box) + b"/" + name)).write_bytes(name)
    Path(box, *["d" * 100] * 8).mkdir(parents=True)
    assert told("box:/data", "got") == ""
    assert sorted(os.fsencode(path.name) for path in Path("got").iterdir()) == sorted((*odd, b"d" * 100))
    assert all(Path(os.fsdecode(b"got/" + name)).read_bytes() == name for name in odd)
    missing = pilothouse("cp", "box:/data/\x1b[2J", "x").stderr
    assert b"\x1b" not in missing
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "engine.cli.main", "cp", "box:/data", "-"]
    refused = subprocess.run(command, stdout=theirs, stderr=subprocess.PIPE, env=environment(settings), timeout=60)
    os.close(ours)
    os.close(theirs)
    assert b"refusing to write an archive to a terminal" in refused.stderr


def test_what_belongs_to_the_kernel_is_left_out(pilothouse: Command, told: Told, here: Path) -> None:
    pilothouse("run", "-d", "--name", "box", SMALL, "sleep", "600")
    assert told("box:/proc", "got") == ""
    assert list(Path("got").iterdir()) == []
    assert "cannot be copied" in told("box:/proc/version", "version")


def test_too_many_directories_within_each_other_are_refused(pilothouse: Command, box: Path, here: Path) -> None:
    os.chdir(box)
    for _ in range(300):
        Path("d").mkdir()
        os.chdir("d")
    os.chdir(here)
    ended = pilothouse("cp", "box:/data", "-")
    assert (ended.returncode, b"nested more than 256 deep" in ended.stderr) == (1, True)


@pytest.mark.parametrize("verb", [("run", "-d"), ("create",)])
def test_users_of_the_containers_own_are_translated_both_ways(
    settings: Settings, pilothouse: Command, told: Told, here: Path, verb: tuple[str, ...]
) -> None:
    Path("file").write_text("x")
    os.chown("file", 5, 6)
    pilothouse(*verb, "--name", "box", "--userns", "auto", "-v", "data:/data", SMALL, "sleep", "600")
    for place in ("/file", "/data/file"):
        assert told("file", f"box:{place}") == ""
        assert told("-a", f"box:{place}", "back") == ""
        assert (Path("back").stat().st_uid, Path("back").stat().st_gid) == (5, 6)
    (container,) = settings.containers.iterdir()
    first = int((container / "first-user").read_text())
    assert (container / "upper/file").stat().st_uid == first + 5
    assert (settings.volumes / "data/_data/file").stat().st_uid == 5
    os.chown("file", 70000, 0)
    assert "no user or group 70000" in told("file", "box:/file")


async def test_the_engine_with_its_threads_copies_too(engine, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "file").write_text("threads")
    await engine.create(RunOptions(SMALL, ("true",), name="box"))
    await engine.copy_to("box", str(tmp_path / "file"), "/file")
    assert [await engine.copy_from("box", "/file", str(tmp_path / "back"))] == [[]]
    assert (tmp_path / "back").read_text() == "threads"
