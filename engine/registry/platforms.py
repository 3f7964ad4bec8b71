"""Which platform this machine is, and which of an index's entries fits it best.

Names and order follow containerd's platforms package, which Docker uses.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from engine.errors import InvalidInput
from engine.models import Platform

# uname's and people's names -> (GOARCH, variant)
_ARCHITECTURES = {
    "x86_64": ("amd64", ""),
    "x86-64": ("amd64", ""),
    "amd64": ("amd64", ""),
    "i386": ("386", ""),
    "i486": ("386", ""),
    "i586": ("386", ""),
    "i686": ("386", ""),
    "386": ("386", ""),
    "aarch64": ("arm64", ""),
    "arm64": ("arm64", ""),
    "armhf": ("arm", "v7"),
    "armel": ("arm", "v6"),
    "armv8l": ("arm", "v8"),
    "armv7l": ("arm", "v7"),
    "armv6l": ("arm", "v6"),
    "armv5tel": ("arm", "v5"),
    "arm": ("arm", "v7"),
    "ppc64le": ("ppc64le", ""),
    "riscv64": ("riscv64", ""),
    "s390x": ("s390x", ""),
    "loongarch64": ("loong64", ""),
    "loong64": ("loong64", ""),
    "mips64": ("mips64", ""),
    "mips64le": ("mips64le", ""),
    "wasm": ("wasm", ""),
}
_SYSTEMS = frozenset(("linux", "windows", "darwin", "freebsd", "netbsd", "openbsd", "wasip1"))
# the variant that a bare architecture means
_IMPLIED = {"arm": "v7", "arm64": "v8", "amd64": "v1"}


def local() -> Platform:
    """The platform of this machine."""
    machine = os.uname().machine
    architecture, variant = _ARCHITECTURES.get(machine, (machine, ""))
    return Platform("linux", architecture, variant)


def parse(text: str) -> Platform:
    """`--platform`: `os[/architecture[/variant]]` or an architecture alone.

    Raises: InvalidInput.
    """
    parts = text.lower().split("/")
    here = local()
    if not all(part.replace("_", "").replace("-", "").isalnum() and part.isascii() for part in parts):
        parts = []
    match parts:
        case [system] if system in _SYSTEMS:
            return Platform(system, here.architecture, here.variant)
        case [architecture] if architecture in _ARCHITECTURES:
            return _normal(here.os, architecture, "")
        case [system, architecture]:
            return _normal(system, architecture, "")
        case [system, architecture, variant]:
            return _normal(system, architecture, variant)
    raise InvalidInput(
        f"invalid platform {text[:60]!r}",
        hint="give os/architecture[/variant], for example linux/arm64 or linux/arm/v7",
    )


def fits(wanted: Platform, offered: Platform) -> bool:
    """Whether an image for `offered` can run where `wanted` is asked for."""
    return _rank(wanted, offered) >= 0


def best(wanted: Platform, offered: Sequence[Platform]) -> int:
    """The index of the best fit, the first one among equals; -1 if none fits."""
    ranks = [_rank(wanted, one) for one in offered]
    highest = max(ranks, default=-1)
    return ranks.index(highest) if highest >= 0 else -1


def _normal(system: str, architecture: str, variant: str) -> Platform:
    known, implied = _ARCHITECTURES.get(architecture, (architecture, ""))
    variant = variant or implied
    if variant.isdecimal():
        variant = f"v{variant}"
    if known == "arm64" and variant == "v8":
        variant = ""
    return Platform(system, known, variant)


def _rank(wanted: Platform, offered: Platform) -> int:
    """Negative if it does not fit; else the higher the better: an older variant of the same family runs too."""
    wanted = _normal(wanted.os.lower(), wanted.architecture.lower(), wanted.variant.lower())
    offered = _normal(offered.os.lower(), offered.architecture.lower(), offered.variant.lower())
    if wanted.os != offered.os:
        return -1
    if wanted.architecture != offered.architecture:
        # an armv8 processor runs 32-bit code: last resort, as containerd orders it
        if wanted.architecture == "arm64" and offered.architecture == "arm":
            return _level(offered)
        return -1
    if wanted.variant == offered.variant:
        return 1000
    most, level = _level(wanted), _level(offered)
    return level * 10 + 10 if 0 <= level <= most else -1


def _level(platform: Platform) -> int:
    variant = platform.variant or _IMPLIED.get(platform.architecture, "v0")
    return int(variant[1:]) if variant[:1] == "v" and variant[1:].isdecimal() else -1
