"""A runtime-spec `linux.seccomp` compiled to the classic BPF program that seccomp(2) takes, without libseccomp.

The program first looks at the architecture a call was made with (so that the numbers mean what they say, seccomp(2)),
then finds the number's action by binary search, then compares arguments where a rule asks for it.
Sources: seccomp(2); kernel Documentation/userspace-api/seccomp_filter.rst, include/uapi/linux/{filter,seccomp,audit}.h.
"""

from __future__ import annotations

import errno
import os
import struct

from engine.errors import InvalidInput, Unsupported
from engine.runtime import seccomp_syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, constant
    Condition = tuple[int, str, int, int]  # argument, comparison, value, second value
    Rule = tuple[tuple[Condition, ...], int]  # all conditions hold -> return value
    Leaf = tuple[Rule, ...]

# filter.h
_LOAD, _AND, _JUMP, _RETURN = 0x20, 0x54, 0x05, 0x06
_IF_EQUAL, _IF_GREATER, _IF_GREATER_OR_EQUAL = 0x15, 0x25, 0x35
_FORMAT = 1  # of what `compiled` keeps; another number for another compiler
MAXIMUM_LENGTH = 4096  # instructions, BPF_MAXINSNS

# seccomp.h
KILL_PROCESS, KILL_THREAD, TRAP, ERRNO = 0x80000000, 0x00000000, 0x00030000, 0x00050000
TRACE, LOG, ALLOW = 0x7FF00000, 0x7FFC0000, 0x7FFF0000
_ACTIONS = {
    "SCMP_ACT_KILL": KILL_THREAD,
    "SCMP_ACT_KILL_THREAD": KILL_THREAD,
    "SCMP_ACT_KILL_PROCESS": KILL_PROCESS,
    "SCMP_ACT_TRAP": TRAP,
    "SCMP_ACT_ERRNO": ERRNO,
    "SCMP_ACT_TRACE": TRACE,
    "SCMP_ACT_LOG": LOG,
    "SCMP_ACT_ALLOW": ALLOW,
}
_MAXIMUM_ERRNO = 4095

# audit.h
_AUDIT = {"SCMP_ARCH_X86_64": 0xC000003E, "SCMP_ARCH_X86": 0x40000003, "SCMP_ARCH_AARCH64": 0xC00000B7}
NATIVE = {"x86_64": "SCMP_ARCH_X86_64", "aarch64": "SCMP_ARCH_AARCH64"}

_NUMBER_OFFSET, _ARCHITECTURE_OFFSET, _ARGUMENTS_OFFSET = 0, 4, 16  # struct seccomp_data

_FAIL = -1  # jump to the end of the rule, resolved when the rule is put together
_DONE = -2  # jump to the end of the condition


def compile(profile: dict[str, Any], architecture: str) -> bytes:
    """The filter as an array of struct sock_filter, in the machine's byte order (little endian on all we know).

    A call made with an architecture that the profile does not list kills the process. With a default of EPERM, a number
    above every one the profile knows fails with ENOSYS instead, as under runc, so that C libraries fall back to older
    calls.

    :param architecture: as `uname -m` says.
    :raises InvalidInput: an action, comparison or errno that does not exist; a filter that is too long.
    :raises Unsupported: a machine whose system calls we do not know, SCMP_ACT_NOTIFY.
    """
    native = NATIVE.get(architecture)
    if native is None:
        raise Unsupported(
            f"no seccomp filter can be made for {architecture}: its system call numbers are not known here",
            hint="--security-opt seccomp=unconfined runs without a filter",
        )
    listed = list(profile.get("architectures") or ()) or [native]
    default = _verdict(str(profile.get("defaultAction", "SCMP_ACT_ERRNO")), profile.get("defaultErrnoRet"))
    program: list[Instruction] = [(_LOAD, 0, 0, _ARCHITECTURE_OFFSET)]
    for name, token in _AUDIT.items():
        if name not in listed:
            continue
        body = _section(profile, name, default)
        if name == "SCMP_ARCH_X86_64":
            x32 = _section(profile, "SCMP_ARCH_X32", default) if "SCMP_ARCH_X32" in listed else [_return(KILL_PROCESS)]
            body = _choose(seccomp_syscalls.X32_BIT, body, x32)
        body = [(_LOAD, 0, 0, _NUMBER_OFFSET), *body]
        program += [(_IF_EQUAL, 1, 0, token), (_JUMP, 0, 0, len(body)), *body]
    program.append(_return(KILL_PROCESS))
    if len(program) > MAXIMUM_LENGTH:
        raise InvalidInput(
            f"the seccomp profile is too long: {len(program)} instructions, {MAXIMUM_LENGTH} are allowed"
        )
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in program)


def compiled(profile: dict[str, Any], architecture: str, directory: str) -> bytes:
    """As `compile`, kept in `directory` with the profile it is of: a container that starts again has it for a read.

    A directory that cannot be written is no failure. Raises as `compile`.
    """
    import binascii
    import json

    text = json.dumps([_FORMAT, architecture, profile], sort_keys=True).encode()
    # a checksum tells files apart, comparing tells whether it is the one: importing hashlib takes 3 ms
    path = f"{directory}/{binascii.crc32(text):08x}.bpf"
    try:
        with open(path, "rb") as file:
            kept, _, program = file.read().partition(b"\0")
        if kept == text and program and len(program) % 8 == 0:
            return program
    except OSError:
        pass  # not compiled yet
    program = compile(profile, architecture)
    draft = f"{path}.{os.urandom(4).hex()}"
    try:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        with open(draft, "wb") as file:
            file.write(text + b"\0" + program)
        os.replace(draft, path)  # whole or not at all
    except OSError:
        pass  # disk full, read-only: it is only a cache
    return program


def _section(profile: dict[str, Any], architecture: str, default: int) -> list[Instruction]:
    """The search for one architecture; the accumulator holds the number."""
    numbers = seccomp_syscalls.table(architecture)
    leaves: dict[int, list[Rule]] = {}
    for entry in profile.get("syscalls") or ():
        verdict = _verdict(str(entry.get("action")), entry.get("errnoRet"))
        alternatives = _alternatives(entry.get("args") or ())
        for name in entry.get("names") or ():
            number = numbers.get(name)
            if number is None:
                continue  # of another architecture, or newer than our table: the default holds
            rules = leaves.setdefault(number, [])
            if not rules or rules[-1][0]:  # after an unconditional rule none is reached
                rules += [(conditions, verdict) for conditions in alternatives]
    if not leaves:
        return [_return(default)]
    otherwise: Rule = ((), default)
    starts: list[tuple[int, Leaf]] = [(0, (otherwise,))]
    for number in sorted(leaves):
        rules = leaves[number]
        leaf = tuple(rules) if not rules[-1][0] else (*rules, otherwise)
        _append(starts, number, leaf)
        _append(starts, number + 1, (otherwise,))
    if default == ERRNO | errno.EPERM:
        _append(starts, max(leaves) + 1, (((), ERRNO | errno.ENOSYS),))
    return _search(starts)


def _append(starts: list[tuple[int, Leaf]], number: int, leaf: Leaf) -> None:
    """From `number` on, `leaf` holds; neighbours with the same leaf are one."""
    if starts[-1][0] == number:
        starts.pop()
    if not starts or starts[-1][1] != leaf:
        starts.append((number, leaf))


def _search(starts: list[tuple[int, Leaf]]) -> list[Instruction]:
    if len(starts) == 1:
        return _leaf(starts[0][1])
    middle = len(starts) // 2
    return _choose(starts[middle][0], _search(starts[:middle]), _search(starts[middle:]))


def _choose(pivot: int, below: list[Instruction], above: list[Instruction]) -> list[Instruction]:
    """Go on in `below` or `above`, by the accumulator. A conditional jump reaches 255 instructions, the other all."""
    if len(below) <= 255:
        return [(_IF_GREATER_OR_EQUAL, len(below), 0, pivot), *below, *above]
    return [(_IF_GREATER_OR_EQUAL, 0, 1, pivot), (_JUMP, 0, 0, len(below)), *below, *above]


def _leaf(rules: Leaf) -> list[Instruction]:
    code: list[Instruction] = []
    for conditions, verdict in rules:
        block: list[Instruction] = []
        for condition in conditions:
            block += _resolve(_condition(condition), _DONE)
        block.append(_return(verdict))
        code += _resolve(block, _FAIL)
    return code


def _resolve(block: list[Instruction], label: int) -> list[Instruction]:
    """Jumps to `label` become jumps to just after the block."""
    size = len(block)
    return [
        (
            code,
            size - position - 1 if true == label else true,
            size - position - 1 if false == label else false,
            constant,
        )
        for position, (code, true, false, constant) in enumerate(block)
    ]


def _condition(condition: Condition) -> list[Instruction]:
    """Compare one 64-bit argument, upper half first: falls through if it holds, jumps to `_FAIL` if not."""
    index, comparison, value, second = condition
    offset = _ARGUMENTS_OFFSET + 8 * index
    low, high = (_LOAD, 0, 0, offset), (_LOAD, 0, 0, offset + 4)
    value_low, value_high = value & 0xFFFFFFFF, value >> 32 & 0xFFFFFFFF
    if comparison == "SCMP_CMP_EQ":
        return [high, (_IF_EQUAL, 0, _FAIL, value_high), low, (_IF_EQUAL, 0, _FAIL, value_low)]
    if comparison == "SCMP_CMP_NE":
        return [high, (_IF_EQUAL, 0, _DONE, value_high), low, (_IF_EQUAL, _FAIL, 0, value_low)]
    if comparison in ("SCMP_CMP_GE", "SCMP_CMP_GT"):
        last = _IF_GREATER_OR_EQUAL if comparison == "SCMP_CMP_GE" else _IF_GREATER
        return [
            high,
            (_IF_GREATER, _DONE, 0, value_high),
            (_IF_EQUAL, 0, _FAIL, value_high),
            low,
            (last, 0, _FAIL, value_low),
        ]
    if comparison in ("SCMP_CMP_LT", "SCMP_CMP_LE"):
        last = _IF_GREATER_OR_EQUAL if comparison == "SCMP_CMP_LT" else _IF_GREATER
        return [
            high,
            (_IF_GREATER, _FAIL, 0, value_high),
            (_IF_EQUAL, 0, _DONE, value_high),
            low,
            (last, _FAIL, 0, value_low),
        ]
    datum = second & value
    return [
        high,
        (_AND, 0, 0, value_high),
        (_IF_EQUAL, 0, _FAIL, datum >> 32 & 0xFFFFFFFF),
        low,
        (_AND, 0, 0, value_low),
        (_IF_EQUAL, 0, _FAIL, datum & 0xFFFFFFFF),
    ]


_COMPARISONS = frozenset(f"SCMP_CMP_{name}" for name in ("EQ", "NE", "GE", "GT", "LT", "LE", "MASKED_EQ"))


def _alternatives(args: Any) -> list[tuple[Condition, ...]]:
    """The conditions of a rule. Several on one argument are alternatives, as runc has it; else all must hold."""
    conditions: list[Condition] = []
    for argument in args:
        index, comparison = int(argument.get("index", 0)), str(argument.get("op", ""))
        if comparison not in _COMPARISONS:
            raise InvalidInput(f"seccomp profile: unknown comparison {comparison!r}")
        if not 0 <= index <= 5:
            raise InvalidInput(f"seccomp profile: a system call has no argument {index}")
        values = [int(argument.get(key) or 0) for key in ("value", "valueTwo")]
        if any(not 0 <= value < 1 << 64 for value in values):
            raise InvalidInput(f"seccomp profile: {values} do not fit into 64 bits")
        conditions.append((index, comparison, values[0], values[1]))
    if len({condition[0] for condition in conditions}) < len(conditions):
        return [(condition,) for condition in conditions]
    return [tuple(conditions)]


def _verdict(action: str, number: Any) -> int:
    if action == "SCMP_ACT_NOTIFY":
        raise Unsupported("seccomp profile: SCMP_ACT_NOTIFY needs a listener, which this engine does not have")
    if action not in _ACTIONS:
        raise InvalidInput(f"seccomp profile: unknown action {action!r}", hint=f"known are {', '.join(_ACTIONS)}")
    value = _ACTIONS[action]
    if value in (ERRNO, TRACE):
        code = errno.EPERM if number is None else int(number)
        if not 0 <= code <= _MAXIMUM_ERRNO:
            raise InvalidInput(f"seccomp profile: {code} is not an errno")
        value |= code
    return value


def _return(value: int) -> Instruction:
    return (_RETURN, 0, 0, value)
