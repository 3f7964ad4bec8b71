"""config.json as Docker's daemon would write it for the same options."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.containers import spec, volumes
from engine.containers.users import ResolvedUser
from engine.errors import InvalidInput
from engine.models import Endpoint, ImageConfig, Mount, Resources, RunOptions, Ulimit
from engine.runtime import capabilities
from engine.settings import Settings

BOX = "ab" * 32
NETWORK = Endpoint("/n/netns")
SETTINGS = Settings(Path("/r"), Path("/n"))


def made(image: ImageConfig | None = None, *, endpoint: Endpoint | None = NETWORK, uid: int = 0, **options: Any):
    image = image or ImageConfig(cmd=("sh",))
    run = RunOptions(image="x", **options)
    return spec.runtime_spec(
        SETTINGS,
        BOX,
        run,
        image,
        endpoint,
        hostname="box",
        user=ResolvedUser(uid, uid, (uid,)),
        mounts=volumes.resolve(SETTINGS, BOX, run.mounts, image),
        files=[("/r/hosts", "/etc/hosts")],
    )


def command(images_entrypoint, images_command, **options):
    return spec.command_of(
        RunOptions(image="x", **options), ImageConfig(entrypoint=images_entrypoint, cmd=images_command)
    )


def test_the_command_is_the_images_or_the_users():
    assert command(("e",), ("c",)) == ("e", "c")
    assert command(("e",), ("c",), command=("mine",)) == ("e", "mine")
    assert command(None, ("c",), command=("mine", "x")) == ("mine", "x")


def test_an_entrypoint_of_the_users_drops_the_images_command():
    assert command(("e",), ("c",), entrypoint=("mine",)) == ("mine",)
    assert command(("e",), ("c",), entrypoint=("mine",), command=("x",)) == ("mine", "x")
    assert command(("e",), ("c",), entrypoint=("",), command=("x",)) == ("x",)


@pytest.mark.parametrize(("entrypoint", "cmd", "options"), [(None, None, {}), (("e",), ("c",), {"entrypoint": ("",)})])
def test_no_command_is_told(entrypoint, cmd, options):
    with pytest.raises(InvalidInput, match="No command specified"):
        command(entrypoint, cmd, **options)


def test_the_environment_follows_dockers_order_and_precedence():
    image = ImageConfig(cmd=("sh",), env=("PATH=/bin", "A=image", "B=image"))
    env = made(image, env=("A=user", "C=user", "B"), tty=True)["process"]["env"]
    assert env == ["PATH=/bin", "HOSTNAME=box", "TERM=xterm", "A=user", "C=user", "HOME=/"]
    assert made()["process"]["env"][0] == f"PATH={spec.DEFAULT_PATH}"
    assert "HOME=/mine" in made(env=("HOME=/mine",))["process"]["env"]


def test_the_default_process_has_dockers_capabilities_and_root():
    process = made()["process"]
    expected = [name for name in capabilities.DEFAULT if name in capabilities.bounding()]
    assert process["capabilities"]["bounding"] == process["capabilities"]["effective"] == expected
    assert process["capabilities"]["inheritable"] == process["capabilities"]["ambient"] == []
    assert process["user"] == {"uid": 0, "gid": 0, "additionalGids": [0]}
    assert (process["cwd"], process["noNewPrivileges"], process["terminal"]) == ("/", False, False)


def test_a_user_other_than_root_has_no_capability_in_effect():
    sets = made(uid=1000)["process"]["capabilities"]
    assert sets["effective"] == sets["permitted"] == []
    assert sets["bounding"]


def test_the_default_container_is_closed():
    linux = made()["linux"]
    assert "/proc/kcore" in linux["maskedPaths"]
    assert "/proc/sys" in linux["readonlyPaths"]
    assert linux["seccomp"]["defaultAction"] == "SCMP_ACT_ERRNO"
    assert linux["resources"]["devices"][0] == {"allow": False, "access": "rwm"}
    assert {"type": "network", "path": "/n/netns"} in linux["namespaces"]
    assert linux["cgroupsPath"] == f"/{SETTINGS.cgroup_parent}/{BOX}"
    options = {mount["destination"]: mount["options"] for mount in made()["mounts"]}
    assert "ro" in options["/sys"]
    assert "ro" in options["/sys/fs/cgroup"]


def test_privileged_opens_all_of_it():
    document = made(privileged=True)
    linux = document["linux"]
    assert "seccomp" not in linux
    assert linux["maskedPaths"] == linux["readonlyPaths"] == []
    assert linux["resources"]["devices"] == [{"allow": True, "access": "rwm"}]
    assert any(device["path"].startswith("/dev/") for device in linux["devices"])
    assert document["process"]["capabilities"]["bounding"] == list(capabilities.bounding())
    assert all("ro" not in mount["options"] for mount in document["mounts"])


def test_the_hosts_network_has_no_namespace_and_no_sysctl():
    linux = made(endpoint=None, network="host")["linux"]
    assert all(namespace["type"] != "network" for namespace in linux["namespaces"])
    assert linux["sysctl"] == {}


def test_limits_are_in_the_specs_units():
    resources = made(resources=Resources(memory=64 << 20, cpus=0.5, pids=50))["linux"]["resources"]
    assert resources["memory"] == {"limit": 64 << 20, "swap": 128 << 20}
    assert resources["cpu"] == {"quota": 50_000, "period": 100_000}
    assert resources["pids"] == {"limit": 50}


@pytest.mark.parametrize(
    ("resources", "words"),
    [
        (Resources(memory=1 << 20), "Minimum memory limit allowed is 6MB"),
        (Resources(memory_swap=1 << 20), "You should always set the Memory limit"),
        (Resources(memory=64 << 20, memory_swap=10 << 20), "Minimum memoryswap limit should be larger"),
        (Resources(cpus=10_000), "Range of CPUs is from 0.01 to"),
    ],
)
def test_limits_that_cannot_be_meant_are_refused_in_dockers_words(resources, words):
    with pytest.raises(InvalidInput, match=words):
        made(resources=resources)


def test_ulimits_become_rlimits():
    process = made(ulimits=(Ulimit("nofile", 100, 200), Ulimit("core", -1, -1)))["process"]
    assert process["rlimits"][0] == {"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}
    assert process["rlimits"][1]["hard"] == spec.RLIM_INFINITY
    with pytest.raises(InvalidInput, match="invalid ulimit type: foo"):
        made(ulimits=(Ulimit("foo", 1, 1),))


def test_a_mount_of_the_users_takes_the_place_of_a_standard_one():
    mounts = made(mounts=(Mount("tmpfs", "/dev/shm"), Mount("bind", "/etc/hosts", "/etc/hosts")))["mounts"]
    destinations = [mount["destination"] for mount in mounts]
    assert destinations.count("/dev/shm") == destinations.count("/etc/hosts") == 1
    assert [m["source"] for m in mounts if m["destination"] == "/etc/hosts"] == ["/etc/hosts"]


def test_parents_are_mounted_before_what_lies_in_them():
    mounts = made(mounts=(Mount("tmpfs", "/a/b/c"), Mount("tmpfs", "/a"), Mount("tmpfs", "/a/b")))["mounts"]
    assert [m["destination"] for m in mounts if m["destination"].startswith("/a")] == ["/a", "/a/b", "/a/b/c"]


def test_read_only_covers_the_root_and_the_engines_files():
    document = made(read_only=True)
    assert document["root"]["readonly"]
    assert document["mounts"][-1]["options"] == ["rbind", "ro", "rprivate"]


def test_a_relative_working_directory_is_refused():
    with pytest.raises(InvalidInput, match="the working directory 'rel' is invalid, it needs to be an absolute path"):
        made(working_dir="rel")
    assert made(working_dir="//foo/./bar/")["process"]["cwd"] == "/foo/bar"


def test_a_nul_in_what_an_image_says_is_refused():
    with pytest.raises(InvalidInput, match="NUL"):
        made(ImageConfig(cmd=("sh",), env=("A=\0",)))


def test_security_options_in_dockers_words(tmp_path):
    assert "seccomp" not in made(security_opt=("seccomp=unconfined",))["linux"]
    assert made(security_opt=("no-new-privileges",))["process"]["noNewPrivileges"]
    assert not made(security_opt=("no-new-privileges:false",))["process"]["noNewPrivileges"]
    assert made(security_opt=("systempaths=unconfined",))["linux"]["maskedPaths"] == []
    profile = tmp_path / "profile.json"
    profile.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW"}))
    assert made(security_opt=(f"seccomp={profile}",))["linux"]["seccomp"]["defaultAction"] == "SCMP_ACT_ALLOW"
    profile.write_text("{")
    with pytest.raises(InvalidInput, match="decoding seccomp profile"):
        made(security_opt=(f"seccomp={profile}",))
    with pytest.raises(InvalidInput, match=r"opening seccomp profile \(/nonexist\) failed: No such file"):
        made(security_opt=("seccomp=/nonexist",))
    with pytest.raises(InvalidInput, match='invalid --security-opt: "foo"'):
        made(security_opt=("foo",))


def test_the_document_is_plain_json_and_the_monitor_settings_too():
    document = made(tty=True, privileged=True)
    assert json.loads(json.dumps(document)) == document
    settings = spec.monitor_settings(
        SETTINGS,
        BOX,
        RunOptions(image="x", interactive=True),
        name="n",
        image="x",
        labels={},
        lower=["/l2", "/l1"],
        stop_signal="SIGTERM",
        exit_command=["true"],
    )
    assert json.loads(json.dumps(settings)) == settings
    assert settings["stdin_once"]
    assert document["linux"]["cgroupsPath"] == f"/{settings['cgroup']}"
