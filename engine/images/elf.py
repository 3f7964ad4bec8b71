"""Which shared libraries a program of this machine needs, read from its ELF headers."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path

from engine.errors import Unsupported

PT_LOAD, PT_DYNAMIC, PT_INTERP = 1, 2, 3
DT_NEEDED, DT_STRTAB, DT_RPATH, DT_RUNPATH = 1, 5, 15, 29


def libraries(program: Path) -> list[Path]:
    """Every file the dynamic loader maps for `program`: the loader itself and all shared libraries, as found on disk.

    Empty for a static program and for what is no ELF file. Source: elf(5), ld.so(8).
    Raises Unsupported when a library is missing.
    """
    found: dict[str, Path] = {}
    waiting = [program]
    seen: set[Path] = set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        interpreter, names, run_path = _read(path)
        if interpreter and interpreter not in found:
            found[interpreter] = Path(interpreter)
        for name in names:
            if name in found or (interpreter and Path(interpreter).name == name):
                continue
            library = _search(name, run_path, path)
            if library is None:
                if any(known.name == name for known in found.values()):
                    continue
                raise Unsupported(f"{path} needs the shared library {name}, which is not on this machine")
            found[name] = library
            waiting.append(library)
    return list(found.values())


def _read(path: Path) -> tuple[str, list[str], list[str]]:
    """(program interpreter, needed names, run path) of one file."""
    data = path.read_bytes()
    if data[:4] != b"\x7fELF" or data[4] != 2 or data[5] != 1:  # 64-bit little-endian only
        return "", [], []
    offset, size, count = struct.unpack_from("<Q", data, 32)[0], *struct.unpack_from("<HH", data, 54)
    headers = [struct.unpack_from("<IIQQQQQQ", data, offset + index * size) for index in range(count)]
    interpreter = ""
    dynamic: list[tuple[int, int]] = []
    for kind, _flags, start, _vaddr, _paddr, length, _memory, _align in headers:
        if kind == PT_INTERP:
            interpreter = data[start : start + length].rstrip(b"\0").decode()
        elif kind == PT_DYNAMIC:
            dynamic = [pair for pair in struct.iter_unpack("<qQ", data[start : start + length - length % 16])]
    table = next((value for tag, value in dynamic if tag == DT_STRTAB), None)
    if table is None:
        return interpreter, [], []
    strings = next(
        table - vaddr + start
        for kind, _flags, start, vaddr, _paddr, length, _memory, _align in headers
        if kind == PT_LOAD and vaddr <= table < vaddr + length
    )

    def text(value: int) -> str:
        begin = strings + value
        return data[begin : data.index(b"\0", begin)].decode()

    needed = [text(value) for tag, value in dynamic if tag == DT_NEEDED]
    paths = [part for tag, value in dynamic if tag in (DT_RPATH, DT_RUNPATH) for part in text(value).split(":")]
    return interpreter, needed, [part for part in paths if part]


def _search(name: str, run_path: list[str], origin: Path) -> Path | None:
    here = str(origin.resolve().parent)
    for directory in [
        *(part.replace("$ORIGIN", here).replace("${ORIGIN}", here) for part in run_path),
        *_default_path(),
    ]:
        candidate = Path(directory, name)
        if candidate.is_file():
            return candidate
    return None


def _default_path() -> Iterator[str]:
    yield from _configured(Path("/etc/ld.so.conf"))
    machine = os.uname().machine
    for base in ("/lib", "/usr/lib"):
        yield f"{base}/{machine}-linux-gnu"
        yield f"{base}64"
        yield base
    yield "/usr/local/lib"


def _configured(file: Path) -> Iterator[str]:
    """The directories of an ld.so.conf(5), with its includes."""
    if not file.is_file():
        return
    for line in file.read_text(errors="replace").splitlines():
        line = line.split("#", 1)[0].strip()
        if line.startswith("include "):
            for included in sorted(Path("/").glob(line.split(None, 1)[1].lstrip("/"))):
                yield from _configured(included)
        elif line:
            yield line
