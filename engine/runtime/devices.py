"""Which devices a container has, and how the device cgroup holds it to them (v1 lists, v2 eBPF).

Rules are those of the runtime-spec (`linux.resources.devices`), read in order as cgroup v1 reads them: a rule for
everything sets the default and forgets the rest, any other is an exception to the default.
Sources: runtime-spec config-linux.md; kernel Documentation/admin-guide/cgroup-v1/devices.rst, cgroup-v2.rst "Device
controller"; include/uapi/linux/bpf.h, struct bpf_cgroup_dev_ctx.

Imported by the monitor: no heavy imports here.
"""

from __future__ import annotations

import errno
import os

from engine.errors import RuntimeFailure, Unsupported
from engine.linux import bpf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# runtime-spec, "Default Devices": path, type, major, minor, mode
DEFAULT_NODES = (
    ("/dev/null", "c", 1, 3, 0o666),
    ("/dev/zero", "c", 1, 5, 0o666),
    ("/dev/full", "c", 1, 7, 0o666),
    ("/dev/random", "c", 1, 8, 0o666),
    ("/dev/urandom", "c", 1, 9, 0o666),
    ("/dev/tty", "c", 5, 0, 0o666),
)

# What every container may use beside the rules of its spec, as in runc: making any node (which the rules keep from
# being opened), the default devices, ptmx, pseudo terminals, tun.
ALWAYS_ALLOWED = (
    ("c", -1, -1, "m"),
    ("b", -1, -1, "m"),
    *((kind, major, minor, "rwm") for _, kind, major, minor, _ in DEFAULT_NODES),
    ("c", 5, 1, "rwm"),
    ("c", 5, 2, "rwm"),
    ("c", 136, -1, "rwm"),
    ("c", 10, 200, "rwm"),
)

_ACCESS_BITS = {"m": 1, "r": 2, "w": 4}
_TYPE_NUMBERS = {"b": 1, "c": 2}


class Policy:
    """The sum of a list of rules: a default, and for (type, major, minor) the accesses that differ from it."""

    __slots__ = ("allow", "exceptions")

    def __init__(self, allow: bool) -> None:
        self.allow = allow
        self.exceptions: dict[tuple[str, int, int], set[str]] = {}

    def add(self, allow: bool, kind: str, major: int, minor: int, access: str) -> None:
        """One more rule; -1 stands for any number, kind "a" for every device."""
        if kind == "a":
            self.allow = allow
            self.exceptions.clear()
            return
        key = (kind, major, minor)
        if allow == self.allow:
            self.exceptions.get(key, set()).difference_update(access)
            if not self.exceptions.get(key):
                self.exceptions.pop(key, None)
        else:
            self.exceptions.setdefault(key, set()).update(access)


def policy(rules: list[dict[str, Any]]) -> Policy:
    """Read a spec's rules; `ALWAYS_ALLOWED` is added unless the default is to allow. The kernel's default is allow."""
    result = Policy(allow=True)
    for rule in rules:
        result.add(
            bool(rule.get("allow")),
            str(rule.get("type") or "a"),
            _number(rule.get("major")),
            _number(rule.get("minor")),
            str(rule.get("access") or "rwm"),
        )
    if not result.allow:
        for kind, major, minor, access in ALWAYS_ALLOWED:
            result.add(True, kind, major, minor, access)
    return result


def restrict_v1(directory: str, rules: list[dict[str, Any]]) -> None:
    """Write the rules to the device cgroup at `directory`. Raises: RuntimeFailure (stage "cgroup")."""
    wanted = policy(rules)
    _write(f"{directory}/devices.{'allow' if wanted.allow else 'deny'}", "a")
    file = f"{directory}/devices.{'deny' if wanted.allow else 'allow'}"
    for (kind, major, minor), access in wanted.exceptions.items():
        text = f"{kind} {_text(major)}:{_text(minor)} {''.join(sorted(access))}"
        # a parent that lacks a device cannot give it on (nested engines): then the container lacks it too
        _write(file, text, tolerate=errno.EPERM if not wanted.allow else 0)


def restrict_v2(directory: str, rules: list[dict[str, Any]]) -> None:
    """Attach a program with the rules to the v2 cgroup at `directory`; it lives as long as the cgroup.

    Raises: Unsupported if the kernel has no BPF for device cgroups.
    """
    wanted = policy(rules)
    if wanted.allow and not wanted.exceptions:
        return
    target = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        program = bpf.load(bpf.PROG_TYPE_CGROUP_DEVICE, assemble(wanted))
        try:
            bpf.attach(target, program, bpf.ATTACH_CGROUP_DEVICE, bpf.F_ALLOW_MULTI)
        finally:
            os.close(program)
    except OSError as error:
        raise Unsupported(
            f"the devices of a container cannot be restricted: bpf(2): {error.strerror}",
            hint="the kernel needs CONFIG_CGROUP_BPF, and the engine CAP_BPF or CAP_SYS_ADMIN",
        ) from error
    finally:
        os.close(target)


def assemble(wanted: Policy) -> bytes:
    """The eBPF program for one policy: r0 = 1 lets the access pass, r0 = 0 refuses it."""
    code = [
        bpf.instruction(bpf.LOAD_WORD, 2, 1, 0),  # r2 = access << 16 | type
        bpf.instruction(bpf.MOVE_REGISTER, 3, 2),
        bpf.instruction(bpf.AND, 3, immediate=0xFFFF),  # r3 = type
        bpf.instruction(bpf.SHIFT_RIGHT, 2, immediate=16),  # r2 = access
        bpf.instruction(bpf.LOAD_WORD, 4, 1, 4),  # r4 = major
        bpf.instruction(bpf.LOAD_WORD, 5, 1, 8),  # r5 = minor
    ]
    for (kind, major, minor), access in wanted.exceptions.items():
        code += _exception(kind, major, minor, sum(_ACCESS_BITS[letter] for letter in access), wanted.allow)
    code += _verdict(wanted.allow)
    return b"".join(code)


def _exception(kind: str, major: int, minor: int, access: int, default: bool) -> list[bytes]:
    tests = [(3, _TYPE_NUMBERS[kind])]
    if major >= 0:
        tests.append((4, major))
    if minor >= 0:
        tests.append((5, minor))
    verdict = _verdict(not default)
    if default:
        # refused if any of the accesses asked for is excepted: skip when none is
        match = [
            bpf.instruction(bpf.MOVE_REGISTER, 6, 2),
            bpf.instruction(bpf.AND, 6, immediate=access),
            bpf.instruction(bpf.JUMP_EQUAL, 6, offset=len(verdict)),
        ]
    else:
        # let pass only if all of the accesses asked for are excepted: skip when one is left
        match = [
            bpf.instruction(bpf.MOVE_REGISTER, 6, 2),
            bpf.instruction(bpf.AND, 6, immediate=7 & ~access),
            bpf.instruction(bpf.JUMP_NOT_EQUAL, 6, offset=len(verdict)),
        ]
    tail = len(match) + len(verdict)
    count = len(tests)
    jumps = [
        bpf.instruction(bpf.JUMP_NOT_EQUAL, register, offset=count - position - 1 + tail, immediate=value)
        for position, (register, value) in enumerate(tests)
    ]
    return jumps + match + verdict


def _verdict(allow: bool) -> list[bytes]:
    return [bpf.instruction(bpf.MOVE, 0, immediate=int(allow)), bpf.instruction(bpf.EXIT)]


def _number(value: Any) -> int:
    return -1 if value is None else int(value)


def _text(number: int) -> str:
    return "*" if number < 0 else str(number)


def _write(path: str, text: str, *, tolerate: int = 0) -> None:
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, text.encode())
        finally:
            os.close(fd)
    except OSError as error:
        if tolerate and error.errno == tolerate:
            return
        message = f"the device rule {text!r} cannot be set in {path}: {error.strerror}"
        raise RuntimeFailure(message, stage="cgroup") from error
