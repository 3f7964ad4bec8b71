"""What `info` warns of, on hosts that lack something."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from engine.containers import precautions
from engine.linux import mounts, netlink, netns
from engine.network import nftables
from engine.runtime.cgroup_mounts import Mounts
from engine.settings import Settings
from tests.engine.network.test_firewalls import forward_chain

WHOLE = Mounts(dict.fromkeys(("memory", "cpu", "pids", "freezer", "devices"), "/x"), "")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "root").mkdir()
    return Settings(tmp_path / "root", tmp_path / "run")


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A /proc of a machine on which all is well."""
    for name, content in (
        ("sys/kernel/seccomp/actions_avail", "kill_process allow\n"),
        ("filesystems", "nodev\toverlay\n"),
        ("sys/net/ipv4/ip_forward", "1\n"),
    ):
        path = tmp_path / "proc" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return tmp_path / "proc"


@pytest.mark.parametrize(
    ("missing", "told"),
    [
        ("sys/kernel/seccomp/actions_avail", "no seccomp filters"),
        ("sys/net/ipv4/ip_forward", "IPv4 forwarding is off"),
    ],
)
def test_what_the_kernel_lacks_is_told(settings: Settings, proc: Path, missing: str, told: str) -> None:
    assert told not in str(precautions.warnings(settings, proc=proc))
    (proc / missing).unlink()
    assert told in str(precautions.warnings(settings, proc=proc))


def test_an_overlay_that_the_first_mount_will_load_is_not_missed(
    settings: Settings, proc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (proc / "filesystems").write_text("nodev\ttmpfs\n")
    assert "overlay" not in str(precautions.warnings(settings, proc=proc))
    monkeypatch.setattr(mounts, "can_mount", lambda kind: kind != "overlay")
    assert "modprobe overlay" in str(precautions.warnings(settings, proc=proc))


def test_missing_controllers_are_told_with_what_follows(settings: Settings, proc: Path) -> None:
    assert "controller" not in str(precautions.warnings(settings, proc=proc, mounts=WHOLE))
    told = precautions.warnings(settings, proc=proc, mounts=Mounts({"cpu": "/x"}, ""))
    assert [sentence.split(":")[0] for sentence in told if "controller" in sentence] == [
        f"no cgroup controller {name}" for name in ("memory", "pids", "freezer", "devices")
    ]


@pytest.mark.parametrize(
    ("release", "is_old"), [("5.11.0-rc1", True), ("4.19.0", True), ("5.12.0", False), ("6.1", False)]
)
def test_an_old_kernel_is_told(proc: Path, release: str, is_old: bool) -> None:
    assert ("is too old" in str(list(precautions._kernel(proc, release)))) == is_old


def test_a_store_from_which_nothing_can_be_executed_is_told(settings: Settings, proc: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "noexec,nosuid", "x", settings.root], check=True)
    try:
        assert "mounted noexec,nosuid" in str(precautions.warnings(settings, proc=proc))
    finally:
        subprocess.run(["umount", settings.root], check=True)


def test_a_firewall_that_stops_what_is_forwarded_is_told(settings: Settings, proc: Path, tmp_path: Path) -> None:
    told: list[list[str]] = []

    def inside() -> None:
        with netlink.Netlink(netlink.NETFILTER) as netfilter:
            told.append(precautions.warnings(settings, proc=proc))
            nftables.commit(netfilter, forward_chain(nftables.INET, "wall", "hold", nftables.DROP))
            told.append(precautions.warnings(settings, proc=proc))

    pin = str(tmp_path / "netns")
    try:
        netns.create(pin, inside)
    finally:
        netns.unpin(pin)
    assert "firewall" not in str(told[0])
    assert f"wall/hold stops forwarded packets: rules that let {settings.bridge} pass" in str(told[1])


def test_a_legacy_table_is_told(settings: Settings, proc: Path) -> None:
    (proc / "net").mkdir()
    (proc / "net/ip_tables_names").write_text("nat\nfilter\n")
    assert "iptables-legacy -I FORWARD" in str(precautions.warnings(settings, proc=proc))
