"""Filters are proven by living under them: a child installs one and tells what its calls return."""

from __future__ import annotations

import errno
import json
import platform
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest

from engine.errors import InvalidInput, Unsupported
from engine.runtime import capabilities, seccomp, seccomp_docker, seccomp_profile, seccomp_syscalls

X86_64 = platform.machine() == "x86_64"
NUMBERS = seccomp_syscalls.table(seccomp.NATIVE[platform.machine()])

CHILD = """
import ctypes, json, mmap, os, struct, sys
program, calls = bytes.fromhex(sys.argv[1]), json.loads(sys.argv[2])
libc = ctypes.CDLL(None, use_errno=True)
enter = None
if any(call[0] == "32" for call in calls):
    # push rbx; mov eax, edi; mov ebx, esi; mov ecx, edx; int 0x80; pop rbx; ret
    code = mmap.mmap(-1, 4096, prot=7)
    code.write(bytes.fromhex("5389f889f389d1cd805bc3"))
    address = ctypes.addressof(ctypes.c_char.from_buffer(code))
    enter = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_int)(address)
buffer = ctypes.create_string_buffer(program, len(program))
filter_ = struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(buffer))
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, filter_) == 0, ctypes.get_errno()
results = []
for how, number, *arguments in calls:
    if how == "32":
        results.append(min(0, enter(number, *arguments)))
    else:
        ctypes.set_errno(0)
        done = libc.syscall(ctypes.c_long(number), *[ctypes.c_ulong(value) for value in arguments])
        results.append(-ctypes.get_errno() if done < 0 else 0)
print(json.dumps(results))
"""


def under(program: bytes, *calls: Sequence[Any]) -> list[int]:
    """What each call returns under the filter: 0 or a negative errno. A call is ("64" or "32", number, arguments)."""
    command = [sys.executable, "-I", "-S", "-c", CHILD, program.hex(), json.dumps(calls)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def default(*added: str) -> bytes:
    held = (*capabilities.DEFAULT, *added)
    return seccomp.compile(seccomp_profile.default_profile(held, platform.machine()), platform.machine())


def native(name: str, *arguments: int) -> tuple[Any, ...]:
    return ("64", NUMBERS[name], *arguments)


def rules(*syscalls: dict[str, Any], default_action: str = "SCMP_ACT_ALLOW") -> bytes:
    return seccomp.compile({"defaultAction": default_action, "syscalls": list(syscalls)}, platform.machine())


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("unshare", (0x20000,)),
        ("keyctl", (0, 0, 0, 0, 0)),
        ("add_key", (0, 0, 0, 0, 0)),
        ("mount", (0, 0, 0, 0, 0)),
        ("setns", (0, 0)),
        ("bpf", (0, 0, 0)),
        ("perf_event_open", (0, 0, 0, 0, 0)),
        ("userfaultfd", (0,)),
        ("io_uring_setup", (0, 0)),
        ("open_by_handle_at", (0, 0, 0)),
        ("kexec_load", (0, 0, 0, 0)),
        ("swapon", (0, 0)),
        ("process_vm_readv", (0, 0, 0, 0, 0, 0)),
        ("pidfd_getfd", (0, 0, 0)),
        ("personality", (0x40000,)),
        ("socket", (40, 1, 0)),
        ("socket", (1 << 32 | 40, 1, 0)),  # the kernel looks at the lower half only
        ("clone", (0x10000000 | 17, 0, 0, 0, 0)),
    ],
)
def test_the_default_denies_with_eperm(name, arguments):
    assert under(default(), native(name, *arguments)) == [-errno.EPERM]


def test_the_default_lets_ordinary_calls_through():
    calls = [native("getppid"), native("personality", 0xFFFFFFFF), native("socket", 2, 1, 0), native("umask", 0o22)]
    assert under(default(), *calls) == [0, 0, 0, 0]
    assert under(default(), native("socket", 41, 1, 0)) != [-errno.EPERM]  # AF_KCM: allowed, if the kernel has it


def test_clone3_says_enosys_so_that_the_c_library_falls_back():
    assert under(default(), native("clone3", 0, 0)) == [-errno.ENOSYS]


def test_calls_newer_than_the_profile_say_enosys():
    assert under(default(), ("64", 900)) == [-errno.ENOSYS]


def test_a_capability_opens_the_calls_that_it_is_for():
    assert under(default("CAP_SYS_ADMIN"), native("mount", 0, 0, 0, 0, 0))[0] != -errno.EPERM
    assert under(default("CAP_SYS_ADMIN"), native("clone3", 0, 0)) == [-errno.EINVAL]
    assert under(default("CAP_SYS_PTRACE"), native("process_vm_readv", 1, 0, 0, 0, 0, 1)) == [-errno.EINVAL]
    assert under(default("CAP_DAC_READ_SEARCH"), native("open_by_handle_at", 0, 0, 0)) == [-errno.EFAULT]


if X86_64:  # the only machine here with a second entry

    def test_the_32_bit_entry_is_judged_by_its_own_numbers():
        getpid, keyctl, unshare = 20, 288, 310
        calls = [("32", getpid, 0, 0), ("32", keyctl, 0, 0), ("32", unshare, 0x20000, 0), ("32", 900, 0, 0)]
        assert under(default(), *calls) == [0, -errno.EPERM, -errno.EPERM, -errno.ENOSYS]

    def test_an_architecture_that_is_not_listed_kills_the_process():
        with pytest.raises(subprocess.CalledProcessError) as killed:
            under(rules(), ("32", 20, 0, 0))
        assert killed.value.returncode == -31  # SIGSYS


@pytest.mark.parametrize(
    ("comparison", "value", "second", "holds", "fails"),
    [
        ("EQ", 1 << 32 | 5, 0, [1 << 32 | 5], [5, 1 << 32]),
        ("NE", 1 << 32 | 5, 0, [5, 1 << 32], [1 << 32 | 5]),
        ("LT", 1 << 32 | 5, 0, [0, 1 << 32 | 4, 0xFFFFFFFF], [1 << 32 | 5, 2 << 32]),
        ("LE", 1 << 32 | 5, 0, [6, 1 << 32 | 5], [1 << 32 | 6, 2 << 32]),
        ("GT", 1 << 32 | 5, 0, [1 << 32 | 6, 2 << 32], [0xFFFFFFFF, 1 << 32 | 5]),
        ("GE", 1 << 32 | 5, 0, [1 << 32 | 5, 2 << 32], [0xFFFFFFFF, 1 << 32 | 4]),
        ("MASKED_EQ", 0xF << 32 | 0xF0, 1 << 32 | 0x10, [1 << 32 | 0x1F], [0x10, 1 << 32 | 0x20]),
    ],
)
def test_arguments_are_compared_in_all_64_bits(comparison, value, second, holds, fails):
    argument = {"index": 2, "value": value, "valueTwo": second, "op": f"SCMP_CMP_{comparison}"}
    program = rules({"names": ["prctl"], "action": "SCMP_ACT_ERRNO", "errnoRet": 99, "args": [argument]})
    results = under(program, *(native("prctl", 9999, 0, each) for each in [*holds, *fails]))
    assert results == [-99] * len(holds) + [-errno.EINVAL] * len(fails)


def test_all_conditions_of_a_rule_must_hold_and_two_on_one_argument_are_alternatives():
    def equal(index: int, value: int) -> dict[str, Any]:
        return {"index": index, "value": value, "op": "SCMP_CMP_EQ"}

    both = rules({"names": ["prctl"], "action": "SCMP_ACT_ERRNO", "errnoRet": 99, "args": [equal(1, 1), equal(2, 2)]})
    assert under(both, native("prctl", 9999, 1, 2), native("prctl", 9999, 1, 3)) == [-99, -errno.EINVAL]
    either = rules({"names": ["prctl"], "action": "SCMP_ACT_ERRNO", "errnoRet": 99, "args": [equal(1, 1), equal(1, 2)]})
    assert under(either, *(native("prctl", 9999, value) for value in (1, 2, 3))) == [-99, -99, -errno.EINVAL]


@pytest.mark.parametrize(
    ("profile", "words"),
    [
        ({"defaultAction": "SCMP_ACT_MAYBE"}, "unknown action"),
        ({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 70000}, "not an errno"),
        (
            {
                "defaultAction": "SCMP_ACT_ALLOW",
                "syscalls": [
                    {"names": ["read"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 6, "op": "SCMP_CMP_EQ"}]}
                ],
            },
            "no argument 6",
        ),
    ],
)
def test_a_profile_that_makes_no_sense_is_refused(profile, words):
    with pytest.raises(InvalidInput, match=words):
        seccomp.compile(profile, platform.machine())


def test_an_unknown_machine_is_told_and_how_to_go_on():
    with pytest.raises(Unsupported, match="riscv64") as told:
        seccomp.compile({"defaultAction": "SCMP_ACT_ALLOW"}, "riscv64")
    assert "seccomp=unconfined" in told.value.hint


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_default_fits_every_machine(machine):
    program = seccomp.compile(seccomp_profile.default_profile(capabilities.DEFAULT, machine), machine)
    assert 0 < len(program) // 8 < seccomp.MAXIMUM_LENGTH


def test_every_name_of_the_default_is_a_system_call_somewhere():
    known = {
        name
        for architecture in ("X86_64", "X86", "AARCH64")
        for name in seccomp_syscalls.table(f"SCMP_ARCH_{architecture}")
    }
    arm_only = {"arm_fadvise64_64", "arm_sync_file_range", "breakpoint", "cacheflush", "set_tls", "sync_file_range2"}
    unused = {"fstatat64", "recv", "send"} | arm_only
    for machine in ("x86_64", "aarch64"):
        profile = seccomp_profile.default_profile(capabilities.NUMBERS, machine)
        names = {name for rule in profile["syscalls"] for name in rule["names"]}
        assert names - known <= unused


def test_a_compiled_filter_is_kept_and_a_damaged_one_made_anew(tmp_path):
    profile = seccomp_profile.default_profile(capabilities.DEFAULT, platform.machine())
    first = seccomp.compiled(profile, platform.machine(), str(tmp_path / "cache"))
    (kept,) = (tmp_path / "cache").iterdir()
    whole = kept.read_bytes()
    assert whole.endswith(first)
    assert seccomp.compiled(profile, platform.machine(), str(tmp_path / "cache")) == first
    for damaged in (b"half", whole[:-1], b"[]" + whole[2:]):
        kept.write_bytes(damaged)
        assert seccomp.compiled(profile, platform.machine(), str(tmp_path / "cache")) == first
    assert seccomp.compiled(profile, platform.machine(), "/proc/nowhere") == first


def test_dockers_format_chooses_by_capability_architecture_and_kernel():
    document = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": 1,
        "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}],
        "syscalls": [
            {"names": ["a"], "action": "SCMP_ACT_ALLOW"},
            {"names": ["b"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
            {"names": ["c"], "action": "SCMP_ACT_ALLOW", "excludes": {"caps": ["CAP_SYS_ADMIN"]}},
            {"names": ["d"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["arm64"]}},
            {"names": ["e"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "99.0"}},
            {"name": "f", "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "4.8"}},
        ],
    }
    names = lambda held: [rule["names"][0] for rule in seccomp_docker.translate(document, held, "x86_64")["syscalls"]]  # noqa: E731
    assert names([]) == ["a", "c", "f"]
    assert names(["CAP_SYS_ADMIN"]) == ["a", "b", "f"]
    assert seccomp_docker.translate(document, [], "x86_64")["architectures"] == ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        {"defaultAction": 1},
        {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{}]},
        {"defaultAction": "x", "syscalls": 1},
    ],
)
def test_a_document_that_is_no_profile_is_refused(document):
    with pytest.raises(InvalidInput, match="seccomp profile"):
        seccomp_docker.translate(document, [], "x86_64")
