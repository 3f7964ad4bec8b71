"""`--security-opt` and the defaults it changes, read from inside."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import SMALL, Command

pytestmark = pytest.mark.usefixtures("image")


def status(pilothouse: Command, *words: str) -> dict[str, str]:
    """/proc/self/status of a container's process."""
    shown = pilothouse("run", "--rm", "--network", "none", *words, SMALL, "cat", "/proc/self/status").stdout.decode()
    return dict(line.split(":\t", 1) for line in shown.splitlines() if ":\t" in line)


def test_the_defaults_are_dockers(pilothouse: Command) -> None:
    found = status(pilothouse)
    assert (found["Seccomp"], found["NoNewPrivs"]) == ("2", "0")
    assert {found[f"Cap{kind}"] for kind in ("Prm", "Eff", "Bnd")} == {"00000000a80425fb"}
    assert {found[f"Cap{kind}"] for kind in ("Inh", "Amb")} == {"0" * 16}


def test_each_word_does_what_it_says(pilothouse: Command) -> None:
    assert status(pilothouse, "--security-opt", "seccomp=unconfined")["Seccomp"] == "0"
    assert status(pilothouse, "--security-opt", "no-new-privileges")["NoNewPrivs"] == "1"
    assert status(pilothouse, "--security-opt", "no-new-privileges:false")["NoNewPrivs"] == "0"
    privileged = status(pilothouse, "--privileged")
    assert privileged["Seccomp"] == "0"
    assert int(privileged["CapEff"], 16) > 0xA80425FB
    covered = ("grep", "-q", " /proc/sys ", "/proc/self/mountinfo")
    open_paths = ("--security-opt", "systempaths=unconfined")
    assert pilothouse("run", "--rm", *open_paths, SMALL, *covered).returncode == 1
    assert pilothouse("run", "--rm", SMALL, *covered).returncode == 0
    refused = pilothouse("run", "--rm", "--security-opt", "nonsense=1", SMALL, "true")
    assert refused.returncode == 125
    assert b'invalid --security-opt: "nonsense=1"' in refused.stderr


def test_a_profile_of_the_users_own_in_dockers_format(pilothouse: Command, tmp_path: Path) -> None:
    profile = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}],
        "syscalls": [
            {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28},
            {"names": ["unlinkat", "unlink"], "action": "SCMP_ACT_ERRNO", "excludes": {"caps": ["CAP_SYS_PTRACE"]}},
        ],
    }
    (tmp_path / "own.json").write_text(json.dumps(profile))
    own = ("--security-opt", f"seccomp={tmp_path / 'own.json'}")
    ended = pilothouse("run", "--rm", *own, SMALL, "mkdir", "/x")
    assert (ended.returncode, b"No space left on device" in ended.stderr) == (1, True)
    assert pilothouse("run", "--rm", *own, SMALL, "rm", "/etc/hostname").returncode == 1
    script = "touch /x && rm /x"
    assert pilothouse("run", "--rm", *own, "--cap-add", "SYS_PTRACE", SMALL, "sh", "-c", script).returncode == 0
    assert pilothouse("run", "--rm", *own, SMALL, "sh", "-c", script).returncode == 1
