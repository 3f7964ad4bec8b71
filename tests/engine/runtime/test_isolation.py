"""The classes of holes that engines had, each tried."""

from __future__ import annotations

import errno
import os
import stat
import sys
from pathlib import Path

import pytest

from engine.errors import RuntimeFailure
from engine.runtime import launch
from engine.runtime.execute import ExecSpec, container_process, execute
from tests.engine.runtime.conftest import Containers, bind, finish, system_mounts
from tests.support.exchanging import Exchanging

LIST_DESCRIPTORS = ["ls", "/proc/self/fd"]
OWN = ["0", "1", "2", "3"]  # 3 is the directory that ls reads: one more would have moved it to 4


@pytest.mark.parametrize("init", [False, True])
def test_no_descriptor_of_the_engine_reaches_the_container(containers: Containers, init: bool) -> None:
    os.set_inheritable(leaked := os.open("/", os.O_RDONLY), True)  # a careless caller's
    try:
        result = containers.run(LIST_DESCRIPTORS, init=init)
    finally:
        os.close(leaked)
    assert result.text.split() == OWN
    container = containers.started(["sleep", "60"], init=init)
    process = container_process(containers.settings, container) | {"args": LIST_DESCRIPTORS}
    listed = finish(execute(containers.settings, container, ExecSpec(process))).text.split()
    assert listed == OWN
    held = {os.readlink(entry) for entry in Path(f"/proc/{containers.status(container).pid}/fd").iterdir()}  # noqa: PTH115
    assert all(path == "/dev/null" or Path(path).name in ("stdout", "stderr") for path in held)


@pytest.mark.parametrize("user", [0, 9])
def test_the_hosts_null_device_is_not_the_containers_to_change(containers: Containers, user: int) -> None:
    """Its stdin was the host's open file: fchmod(2) on that would have closed /dev/null to everybody."""
    before = Path("/dev/null").stat()
    process = {"user": {"uid": user, "gid": user}}
    command = ["sh", "-c", "chmod 604 /proc/self/fd/0; stat -L -c %a:%d /proc/self/fd/0 /dev/null"]
    inside = containers.run(command, process=process).text.split()
    container = containers.started(["sleep", "60"], process=process)
    spec = ExecSpec(container_process(containers.settings, container) | {"args": command})
    inside += finish(execute(containers.settings, container, spec)).text.split()
    after = Path("/dev/null").stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert len(inside) == 4
    assert not any(line.endswith(f":{before.st_dev}") for line in inside)


def test_a_null_device_that_the_container_has_replaced_is_not_opened(containers: Containers) -> None:
    container = containers.started(["sleep", "60"])
    process = container_process(containers.settings, container)
    for swap in ("ln -s /etc/passwd", "mkfifo", "mknod -m 666"):
        words = f"rm /dev/null; {swap} /dev/null{' c 1 5' if 'mknod' in swap else ''}; stat -c %F /dev/null"
        spec = ExecSpec(process | {"args": ["sh", "-c", words]})
        assert "regular" not in finish(execute(containers.settings, container, spec)).text
        spec = ExecSpec(process | {"args": ["sh", "-c", "stat -L -c %F /proc/self/fd/0; cat | wc -c"]})
        assert finish(execute(containers.settings, container, spec)).text == "fifo\n0\n"


@pytest.mark.parametrize(
    "directory", [f"/proc/self/fd/{number}" for number in range(3, 12)] + ["/proc/1/root", "/link"]
)
def test_a_working_directory_cannot_lead_out_through_a_magic_link(containers: Containers, directory: str) -> None:
    """CVE-2024-21626."""
    (containers.image / "link").symlink_to("/proc/self/fd/7")
    container = containers.make(["cat", "../../../etc/hostname"], process={"cwd": directory})
    with pytest.raises(RuntimeFailure, match=r"(?i)a link that is not followed|no such file"):
        launch.start(containers.settings, container)
    running = containers.started(["sleep", "60"])
    process = container_process(containers.settings, running) | {"args": ["pwd"], "cwd": directory}
    with pytest.raises(RuntimeFailure, match=r"(?i)a link that is not followed|no such file"):
        execute(containers.settings, running, ExecSpec(process))


def test_the_interpreter_behind_proc_self_exe_cannot_be_opened_for_writing(containers: Containers) -> None:
    """CVE-2019-5736. Without the guard the answer would be ETXTBSY, and a success once nobody executes it."""
    container = containers.started(["sleep", "60"], init=True)
    for pid in (containers.state(container)["monitor_pid"], containers.status(container).pid):
        assert Path(f"/proc/{pid}/exe").samefile(os.path.realpath(sys.executable))
        for flags in (os.O_WRONLY | os.O_TRUNC, os.O_RDWR | os.O_TRUNC):
            with pytest.raises(OSError) as raised:
                os.open(f"/proc/{pid}/exe", flags)
            assert raised.value.errno == errno.EROFS


def test_process_1_of_init_is_closed_to_the_container(containers: Containers) -> None:
    """It is our interpreter, of the same user and with the same capabilities: only that it is not dumpable keeps it."""
    container = containers.started(["sleep", "60"], init=True)
    process = container_process(containers.settings, container)
    script = "readlink /proc/1/exe || readlink /proc/1/fd/0 || readlink /proc/1/cwd || cat /proc/1/maps"
    result = finish(execute(containers.settings, container, ExecSpec(process | {"args": ["sh", "-c", script]})))
    assert (result.code != 0, result.stdout) == (True, b"")


@pytest.mark.parametrize("name", ["proc", "sys"])
def test_an_image_cannot_move_proc_or_sys_by_a_symlink(containers: Containers, name: str) -> None:
    """CVE-2019-19921: the masks and our own writes would go elsewhere."""
    (containers.image / name).rmdir()
    (containers.image / "elsewhere").mkdir()
    (containers.image / name).symlink_to("elsewhere")
    with pytest.raises(RuntimeFailure, match=f"/{name} of the image must be an ordinary directory"):
        launch.start(containers.settings, containers.make(["true"]))


@pytest.mark.parametrize("destination", ["/proc/sys", "/proc/self/attr", "/x/../proc/1", "/proc/../proc/cmdline"])
def test_nothing_may_be_mounted_inside_proc(containers: Containers, tmp_path: Path, destination: str) -> None:
    with pytest.raises(RuntimeFailure, match="cannot be mounted because it is inside /proc"):
        launch.start(containers.settings, containers.make(["true"], mounts=[bind(str(tmp_path), destination)]))


def test_nor_by_a_symlink_that_leads_there(containers: Containers, tmp_path: Path) -> None:
    (containers.image / "innocent").symlink_to("/proc/sys")
    with pytest.raises(RuntimeFailure, match="inside /proc"):
        launch.start(containers.settings, containers.make(["true"], mounts=[bind(str(tmp_path), "/innocent")]))


def test_a_mount_point_that_is_a_symlink_stays_inside_the_root(containers: Containers, tmp_path: Path) -> None:
    outside, source = tmp_path / "outside", tmp_path / "source"
    outside.mkdir()
    source.mkdir()
    (source / "mark").touch()
    (containers.image / "absolute").symlink_to(outside)
    (containers.image / "climbing").symlink_to("../" * 20 + str(outside).lstrip("/") + "/deeper")
    mounts = [bind(str(source), "/absolute/one"), bind(str(source), "/climbing/two")]
    with pytest.raises(RuntimeFailure, match="leads nowhere"):
        launch.start(containers.settings, containers.make(["true"], mounts=mounts))
    assert list(outside.iterdir()) == []
    (containers.image / str(outside).lstrip("/") / "deeper").mkdir(parents=True)
    result = containers.sh(f"ls /absolute/one; ls {outside}/deeper/two", mounts=mounts)
    assert result.text == "mark\nmark\n"
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("kind", ["symlink", "file", "zero device"])
def test_masking_insists_on_the_real_null_device(containers: Containers, tmp_path: Path, kind: str) -> None:
    """CVE-2025-31133: a /dev/null that is something else would be shown instead of hidden."""
    if kind == "symlink":
        (tmp_path / "null").symlink_to("/etc/passwd")
    elif kind == "file":
        (tmp_path / "null").write_text("forged")
    else:
        os.mknod(tmp_path / "null", stat.S_IFCHR | 0o666, os.makedev(1, 5))
    mounts = [mount for mount in system_mounts() if not mount["destination"].startswith("/dev")]
    config = {"mounts": [*mounts, bind("/usr", "/usr", "ro"), bind(str(tmp_path), "/dev")]}
    with pytest.raises(RuntimeFailure, match="null"):
        launch.start(containers.settings, containers.make(["cat", "/proc/timer_list"], config=config))
    assert [entry.name for entry in tmp_path.iterdir()] == ["null"], "nothing of ours is put into a /dev of the host"


def test_a_device_is_not_made_where_something_else_stands(containers: Containers) -> None:
    device = {"path": "/etc/passwd", "type": "c", "major": 1, "minor": 5}
    with pytest.raises(RuntimeFailure, match="create devices"):
        launch.start(containers.settings, containers.make(["true"], linux={"devices": [device]}))


def test_the_hosts_mounts_and_paths_are_not_in_the_containers_mount_table(containers: Containers) -> None:
    result = containers.sh("cat /proc/self/mountinfo")
    assert str(containers.settings.root) not in result.text
    assert len(result.text.splitlines()) < 40


def test_the_container_sees_its_own_cgroup_only_and_cannot_write_it(containers: Containers) -> None:
    listing = "cut -d: -f3 /proc/self/cgroup | sort -u"
    script = f"{listing}; for d in /sys/fs/cgroup /sys/fs/cgroup/*/; do mkdir $d/x && echo made; done"
    assert containers.sh(script).text == "/\n"


def test_a_root_process_without_capabilities_cannot_mount_or_trace(containers: Containers) -> None:
    result = containers.sh("mount -t tmpfs none /tmp; echo $?; mknod /dev/sda b 8 0 && cat /dev/sda")
    assert result.text.splitlines()[0] != "0"
    assert result.code != 0


def test_what_the_engine_keeps_is_for_root_alone(containers: Containers) -> None:
    container = containers.started(["sleep", "60"])
    run_dir = containers.settings.run_dir(container)
    assert stat.S_IMODE(run_dir.stat().st_mode) == 0o700
    for path in (*run_dir.iterdir(), containers.settings.container_dir(container) / "state.json"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_kernel_parameters_are_written_to_the_kernel_only(containers: Containers) -> None:
    """CVE-2019-16884 and its like: where /proc is not mounted, the image's own file of that name is left alone."""
    forged = containers.image / "proc/sys/net/ipv4/ip_unprivileged_port_start"
    forged.parent.mkdir(parents=True)
    forged.write_text("forged")
    without = [mount for mount in system_mounts() if mount["destination"] != "/proc"]
    config = {"mounts": [*without, bind("/usr", "/usr", "ro")]}
    linux = {"sysctl": {"net.ipv4.ip_unprivileged_port_start": "80"}, "maskedPaths": [], "readonlyPaths": []}
    with pytest.raises(RuntimeFailure, match="is not on a proc filesystem"):
        launch.start(containers.settings, containers.make(["true"], config=config, linux=linux))
    assert forged.read_text() == "forged"


def test_hostile_bundles_are_refused_with_a_sentence(containers: Containers) -> None:
    for changes in (
        {"process": {"user": {"uid": 2**32, "gid": 0}}},
        {"process": {"user": {"uid": 0, "gid": -2}}},
        {"process": {"rlimits": [{"type": "RLIMIT_NOFILE", "soft": 10, "hard": 5}]}},
        {"linux": {"sysctl": {"kernel.no_such_thing": "1"}}},
        {"linux": {"sysctl": {"../../etc/passwd": "1"}}},
        {"linux": {"namespaces": [{"type": "network", "path": "/no/such/netns"}]}},
        {"mounts": [bind("/no/such/source", "/x")]},
        {"mounts": [bind("/etc/hostname", "/tmp")]},
        {"lower": ["/no/such/snapshot"]},
    ):
        with pytest.raises(RuntimeFailure, match="OCI runtime create failed: ") as raised:
            launch.start(containers.settings, containers.make(["true"], **changes))  # type: ignore[arg-type]
        assert "Traceback" not in str(raised.value)
        assert len(str(raised.value)) > 40


SHOW = (  # with what the shell has built in
    'while read -r a b c from place e; do echo "on $place from $from"; done </proc/self/mountinfo;'
    ' read -r line </proc/timer_list; [ -n "$line" ] && echo "unmasked $line";'
    " echo changed >/proc/sys/kernel/core_pattern"
)


@pytest.mark.parametrize(
    ("mounted", "name"), [("/etc", "hosts"), ("/dev", "null"), ("/dev", "console"), ("/dev", "pts")]
)
def test_what_is_mounted_on_may_change_places_with_a_link_meanwhile(
    containers: Containers, tmp_path: Path, mounted: str, name: str
) -> None:
    """CVE-2019-16884, CVE-2021-30465, CVE-2025-31133, CVE-2025-52565: nothing is mounted over /proc/sys or elsewhere,
    nothing of /proc/sys is mounted where it could be written."""
    shared, outside = tmp_path / "shared", tmp_path / "outside"
    (shared / "pts").mkdir(parents=True)
    outside.mkdir()
    (outside / "target").write_text("untouched")
    for file in ("hosts", "console"):
        (shared / file).touch()
    os.mknod(shared / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    mounts = system_mounts()
    if mounted == "/dev":
        kept = "/dev/pts" if name != "null" else "none"
        mounts = [each for each in mounts if not each["destination"].startswith("/dev")]
        mounts += [each for each in system_mounts() if each["destination"] == kept]
    mounts.insert(0, bind(str(shared), mounted))
    mounts.append(bind("/usr", "/usr", "ro"))
    if name == "hosts":
        mounts.append(bind(str(outside / "target"), "/etc/hosts", "ro"))
    process = {"terminal": name in ("console", "pts")}
    before = Path("/proc/sys/kernel/core_pattern").read_bytes()
    ended = set()
    inner = containers.image / str(outside).lstrip("/")
    inner.mkdir(parents=True)
    for target in ("/proc/sys/kernel/core_pattern", str(outside if name == "pts" else outside / "target")):
        (shared / "link").unlink(missing_ok=True)
        (shared / "link").symlink_to(target)
        with Exchanging(shared / name, shared / "link"):
            for _ in range(12):
                container = containers.make(["sh", "-c", SHOW], config={"mounts": mounts}, process=process)
                try:
                    shown = finish(containers.attached(container)).text
                except RuntimeFailure:
                    ended.add("refused")
                    continue
                ended.add("ran")
                assert "on /proc/sys from /sys" in shown
                for never in ("on /proc/sys/kernel", "from /sys/kernel", "unmasked"):
                    assert never not in shown
                if name != "null":  # it is where it was found, whatever that is called now
                    places = (f"{mounted}/{name}", f"{mounted}/link", str(outside))
                    assert any(f"on {place}" in shown for place in places)
    assert "ran" in ended
    assert Path("/proc/sys/kernel/core_pattern").read_bytes() == before
    assert (outside / "target").read_text() == "untouched"
    assert sorted(path.name for path in outside.iterdir()) == ["target"]
