"""What the engine finds on this machine: each thing is tried, not guessed from a version number."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from engine.errors import InvalidInput
from engine.linux.processes import see_off
from engine.settings import Settings

NETWORK_PATIENCE = 3.0  # seconds
TRIAL_PATIENCE = 10.0


@dataclass(frozen=True, slots=True)
class Check:
    """One line. `good` False: `how` says what to do about it, or what goes without it."""

    name: str
    good: bool
    words: str
    how: str = ""


async def of_machine(settings: Settings) -> list[Check]:
    """Namespaces, overlayfs, cgroups, network, ports."""
    tried = await _trial(settings)
    return [
        _namespaces(tried),
        _overlayfs(tried, settings),
        await asyncio.to_thread(_cgroups),
        _network(tried),
        _ports(tried),
    ]


async def of_registry() -> Check:
    """Whether anything answers where images without a registry in their name come from. Sends nothing."""
    from engine.reference import DEFAULT_REGISTRY
    from engine.registry.configuration import Configuration

    try:
        endpoint = Configuration.load().endpoints(DEFAULT_REGISTRY)[0]
    except InvalidInput as error:
        return Check("registry", False, "registry: config.toml has a mistake", str(error))
    host, _, port = (
        endpoint.host.rpartition(":") if endpoint.host.rpartition(":")[2].isdigit() else (endpoint.host, "", "")
    )
    number = int(port) if port else 80 if endpoint.plain else 443
    try:
        async with asyncio.timeout(NETWORK_PATIENCE):
            _, writer = await asyncio.open_connection(host.strip("[]"), number)
    except OSError as error:  # TimeoutError is one
        words = "no answer" if isinstance(error, TimeoutError) else (error.strerror or str(error))
        return Check(
            "registry",
            False,
            "no network",
            f"{endpoint.host}: {words}. The demo needs none; another registry may answer.",
        )
    writer.close()
    return Check("registry", True, "registry reachable")


async def _trial(settings: Settings) -> dict[str, str]:
    """Feature to what was wrong with it ("" for nothing); what is not in it was not reached."""
    place = settings.root if settings.root.is_dir() else settings.root.parent
    try:
        directory = await asyncio.to_thread(tempfile.mkdtemp, prefix=".trial-", dir=place if place.is_dir() else None)
    except OSError as error:
        return {"overlayfs": f"{place}: {error.strerror}"}
    ours = str(Path(__file__).resolve().parent.parent.parent)
    path = os.pathsep.join(filter(None, (ours, os.environ.get("PYTHONPATH"))))
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "tui.welcome.trial", directory,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path},
        )  # fmt: skip
        try:
            async with asyncio.timeout(TRIAL_PATIENCE):
                said, _ = await process.communicate()
        except TimeoutError:
            return {}
        finally:
            await see_off(process)
    finally:
        await asyncio.to_thread(shutil.rmtree, directory, True)
    lines = (line.partition("\t") for line in said.decode(errors="replace").splitlines())
    return {name: trouble for name, _, trouble in lines}


def _namespaces(tried: dict[str, str]) -> Check:
    if tried.get("namespaces") == "":
        return Check("namespaces", True, "namespaces")
    return Check("namespaces", False, "no namespaces", f"{_why(tried, 'namespaces')}. Pilothouse needs root for them.")


def _overlayfs(tried: dict[str, str], settings: Settings) -> Check:
    if tried.get("overlayfs") == "":
        return Check("overlayfs", True, "overlayfs")
    return Check(
        "overlayfs",
        False,
        "no overlayfs",
        f"{_why(tried, 'overlayfs')}. Load its module (modprobe overlay), or let --root be a directory on ext4, xfs or "
        f"btrfs: {settings.root} may itself be on an overlay.",
    )


def _cgroups() -> Check:
    from engine.runtime.cgroups import Mounts

    mounts = Mounts.of_host()
    lacking = [name for name in ("cpu", "memory", "pids") if mounts.directory(name, "x") is None]
    if not mounts.v1 and not mounts.v2:
        return Check("cgroups", False, "no cgroups", "Nothing is mounted on /sys/fs/cgroup: no limits and no readings.")
    if lacking:
        which = ", ".join(lacking)
        return Check("cgroups", False, f"cgroup v{mounts.version} without {which}", f"Limits of {which} are refused.")
    return Check("cgroups", True, f"cgroup v{mounts.version} (cpu, memory, pids)")


def _network(tried: dict[str, str]) -> Check:
    lacking = [name for name in ("bridge", "nftables") if tried.get(name) != ""]
    if not lacking:
        return Check("network", True, "bridge, nftables")
    return Check(
        "network",
        False,
        f"no {' and no '.join(lacking)}",
        f"{_why(tried, lacking[0])}. Without it: --network none or host. Its modules: bridge, nf_tables, nft_nat.",
    )


def _ports(tried: dict[str, str]) -> Check:
    if tried.get("low_ports") == "":
        return Check("ports", True, "any port")
    return Check(
        "ports",
        False,
        "ports from 1024 on",
        f"{_why(tried, 'low_ports')}. sysctl net.ipv4.ip_unprivileged_port_start=80",
    )


def _why(tried: dict[str, str], name: str) -> str:
    return tried.get(name) or "it could not be tried"
