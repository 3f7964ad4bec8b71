"""bpf(2): eBPF instructions, loading a program and attaching it to a cgroup.

Instruction format: kernel Documentation/bpf/standardization/instruction-set.rst; commands: include/uapi/linux/bpf.h.
"""

from __future__ import annotations

import os
import struct

# opcodes we use: class | source | operation
LOAD_WORD = 0x61  # dst = *(u32 *)(src + offset)
AND = 0x54  # w(dst) &= imm
SHIFT_RIGHT = 0x74  # w(dst) >>= imm
MOVE = 0xB7  # dst = imm
MOVE_REGISTER = 0xBC  # w(dst) = w(src)
JUMP_EQUAL = 0x15
JUMP_NOT_EQUAL = 0x55
EXIT = 0x95

PROG_LOAD, PROG_ATTACH, PROG_DETACH = 5, 8, 9
PROG_TYPE_CGROUP_DEVICE = 15
ATTACH_CGROUP_DEVICE = 6
F_ALLOW_MULTI = 2

_NUMBERS = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "ppc64le": 361, "s390x": 351}


def instruction(code: int, dst: int = 0, src: int = 0, offset: int = 0, immediate: int = 0) -> bytes:
    """One 64-bit eBPF instruction, in the machine's byte order."""
    return struct.pack("=BBhI", code, src << 4 | dst, offset, immediate & 0xFFFFFFFF)


def load(program_type: int, program: bytes) -> int:
    """BPF_PROG_LOAD: the program's file descriptor, close-on-exec. Raises: OSError, with the verifier's last words."""
    import ctypes

    code = ctypes.create_string_buffer(program, len(program))
    licence = ctypes.create_string_buffer(b"Apache-2.0")
    log = ctypes.create_string_buffer(65536)
    attributes = struct.pack(
        "=IIQQIIQI", program_type, len(program) // 8, ctypes.addressof(code), ctypes.addressof(licence), 0, 0, 0, 0
    )
    try:
        return _bpf(PROG_LOAD, attributes)
    except OSError:
        pass  # once more, to hear why
    attributes = struct.pack(
        "=IIQQIIQI",
        program_type,
        len(program) // 8,
        ctypes.addressof(code),
        ctypes.addressof(licence),
        1,
        len(log),
        ctypes.addressof(log),
        0,
    )
    try:
        return _bpf(PROG_LOAD, attributes)
    except OSError as error:
        words = log.value.decode(errors="replace").strip().splitlines()
        raise OSError(error.errno, f"{error.strerror}{': ' + words[-1] if words else ''}") from error


def attach(target: int, program: int, attach_type: int, flags: int = 0) -> None:
    """BPF_PROG_ATTACH: the program acts on the cgroup `target` (a directory's descriptor) until that is removed."""
    _bpf(PROG_ATTACH, struct.pack("=IIII", target, program, attach_type, flags))


def detach(target: int, program: int, attach_type: int) -> None:
    """BPF_PROG_DETACH: the remover beside `attach`."""
    _bpf(PROG_DETACH, struct.pack("=IIII", target, program, attach_type, 0))


def _bpf(command: int, attributes: bytes) -> int:
    import ctypes

    number = _NUMBERS.get(os.uname().machine)
    if number is None:
        raise OSError(38, f"bpf(2) has no number that we know on {os.uname().machine}")
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(attributes.ljust(128, b"\0"), 128)
    result = libc.syscall(ctypes.c_long(number), ctypes.c_int(command), buffer, ctypes.c_uint(128))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return int(result)
